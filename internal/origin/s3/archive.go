package s3

import (
	"context"
	"io"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/lectiospace/lectern/internal/archive"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/origin"
)

// recordingsDir is the part of the prefix for new recordings. Objects and uploads elsewhere
// are somebody else's and never listed or aborted.
const recordingsDir = "lessons/"

// readStep is how many bytes one request of Open reads.
const readStep = 32 << 20

// Archive puts recordings into the bucket. It implements archive.Archive,
// archive.Identifier and archive.UploadAborter.
type Archive struct {
	*Origin
	part  int64 // bytes of a part
	retry archive.Retry
}

// NewArchive makes the writing side of an origin; closing it is the origin's.
func NewArchive(o *Origin) *Archive {
	return &Archive{Origin: o, part: o.partSize, retry: archive.DefaultRetry}
}

// Provider implements archive.Archive.
func (a *Archive) Provider() string { return media.ProviderS3 }

// NewKey returns lessons/YEAR/HINT-RANDOM.mp4, or with the extension of the hint.
func (a *Archive) NewKey(_ context.Context, hint string) (string, error) {
	return recordingsDir + path.Join(time.Now().UTC().Format("2006"), archive.KeyName(hint)), nil
}

// Stat implements archive.Archive.
func (a *Archive) Stat(ctx context.Context, key string) (archive.Stored, error) {
	const op = "s3: stat in the archive"
	full, err := a.place.key(key)
	if err != nil {
		return archive.Stored{}, media.Fault(media.NotFound, op, err)
	}
	head, err := a.describe(ctx, full)
	if err != nil {
		return archive.Stored{}, err
	}
	return storedOf(key, head), nil
}

// describe describes the object of a key in the bucket.
func (a *Archive) describe(ctx context.Context, full string) (head *s3.HeadObjectOutput, err error) {
	err = a.withRetry(ctx, func() (err error) {
		head, err = a.head(ctx, "s3: stat in the archive", full)
		return err
	})
	return head, err
}

// storedOf is what the service says of an object.
func storedOf(key string, head *s3.HeadObjectOutput) archive.Stored {
	return archive.Stored{
		Key: key, Size: aws.ToInt64(head.ContentLength), MD5: provenMD5(head), Version: versionOf(head.VersionId, head.ETag),
	}
}

// Identify implements archive.Identifier.
func (a *Archive) Identify(ctx context.Context, key string) (obj media.Object, err error) {
	err = a.withRetry(ctx, func() (err error) {
		obj, err = a.Origin.Stat(ctx, media.Location{Provider: media.ProviderS3, Key: key})
		return err
	})
	return obj, err
}

// Open implements archive.Archive.
func (a *Archive) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	obj, err := a.Identify(ctx, key)
	if err != nil {
		return nil, err
	}
	return origin.ReadWhole(ctx, a.Origin, obj, readStep), nil
}

// Remove deletes an object. Where the bucket keeps versions, that marks it as deleted: the
// bytes go when the bucket's lifecycle rule for noncurrent versions says so.
func (a *Archive) Remove(ctx context.Context, key string) error {
	full, err := a.place.key(key)
	if err != nil {
		return nil // no object can have such a key
	}
	err = a.withRetry(ctx, func() error {
		_, err := a.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &a.place.Bucket, Key: &full})
		return fault("s3: remove", actionDelete, err)
	})
	if media.KindOf(err) == media.NotFound { // some services say so
		return nil
	}
	return err
}

// List lists the objects below the place for new recordings, without checksums.
func (a *Archive) List(ctx context.Context, each func(archive.Stored) error) error {
	in := &s3.ListObjectsV2Input{Bucket: &a.place.Bucket, Prefix: aws.String(a.place.Prefix + recordingsDir), EncodingType: types.EncodingTypeUrl}
	for {
		var page *s3.ListObjectsV2Output
		err := a.withRetry(ctx, func() (err error) {
			page, err = a.client.ListObjectsV2(ctx, in)
			return fault("s3: list the archive", actionList, err)
		})
		if err != nil {
			return err
		}
		for _, o := range page.Contents {
			key, ok := strings.CutPrefix(decoded(page.EncodingType, aws.ToString(o.Key)), a.place.Prefix)
			if !ok || strings.HasSuffix(key, "/") { // consoles make objects for folders
				continue
			}
			if err := each(archive.Stored{Key: key, Size: aws.ToInt64(o.Size)}); err != nil {
				return err
			}
		}
		if !aws.ToBool(page.IsTruncated) || aws.ToString(page.NextContinuationToken) == "" {
			return nil
		}
		in.ContinuationToken = page.NextContinuationToken
	}
}

// decoded is a key of a list. Lists are requested with encoded keys, since XML cannot hold
// every character that a key can; some services do not encode them.
func decoded(encoding types.EncodingType, key string) string {
	if encoding != types.EncodingTypeUrl {
		return key
	}
	plain, err := url.QueryUnescape(key)
	if err != nil {
		return key
	}
	return plain
}
