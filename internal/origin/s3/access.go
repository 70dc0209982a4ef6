package s3

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/lectiospace/lectern/internal/archive"
	"github.com/lectiospace/lectern/internal/media"
)

// Access is what CheckAccess found.
type Access struct {
	Bucket string
	// Date is the answer's date, by the service's clock; zero when there was no answer.
	Date time.Time
	// Listed is false where the credentials may not list the bucket, which readers can do without.
	Listed bool
	// Read is true when a byte of an object was read: there may be none below the prefix.
	Read bool
	// Versioned is true when the object has a version id.
	Versioned bool
}

// CheckAccess lists the bucket below the prefix, and describes and reads the first object of
// it that is not empty as a player's request does. Errors have a Kind, and ActionOf names the
// action that was denied.
func (o *Origin) CheckAccess(ctx context.Context) (Access, error) {
	access := Access{Bucket: o.place.Bucket}
	list, err := o.client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{
		Bucket: &o.place.Bucket, Prefix: &o.place.Prefix, MaxKeys: aws.Int32(20), EncodingType: types.EncodingTypeUrl,
	})
	if err != nil {
		if answer := responseOf(err); answer != nil {
			access.Date = dateOf(answer.Header)
		}
		if err = fault("s3: list", actionList, err); media.KindOf(err) == media.Denied && media.ReasonOf(err) == "AccessDenied" {
			return access, nil
		}
		return access, err
	}
	access.Listed, access.Date = true, dateOfResult(list.ResultMetadata)
	for _, found := range list.Contents {
		key, ok := strings.CutPrefix(decoded(list.EncodingType, aws.ToString(found.Key)), o.place.Prefix)
		if !ok || aws.ToInt64(found.Size) == 0 || media.CheckObjectKey(key) != nil {
			continue
		}
		obj, err := o.Stat(ctx, media.Location{Provider: media.ProviderS3, Key: key})
		if err != nil {
			return access, err
		}
		access.Versioned = !isETag(obj.Version)
		body, err := o.Open(ctx, obj, media.Span{Off: obj.Size - 1, Len: 1})
		if err != nil {
			return access, err
		}
		access.Read = true
		return access, body.Close()
	}
	return access, nil
}

// dateOf is zero when the answer does not say.
func dateOf(h http.Header) time.Time {
	t, _ := http.ParseTime(h.Get("Date"))
	return t
}

func dateOfResult(m middleware.Metadata) time.Time {
	raw, ok := awsmiddleware.GetRawResponse(m).(*smithyhttp.Response)
	if !ok {
		return time.Time{}
	}
	return dateOf(raw.Header)
}

// CheckWrite does with a file of a few bytes all that an ingest does: it stores it, compares
// the service's checksum, begins an upload in parts, lists and aborts it, and removes the
// file. ActionOf names the action that was denied.
func (a *Archive) CheckWrite(ctx context.Context) (err error) {
	const op = "s3: check writing"
	once := *a
	once.retry.Tries = 1
	key := recordingsDir + "doctor-" + strings.ToLower(rand.Text()[:10]) + ".txt"
	item, remove, err := archive.NewProbe(op, key)
	if err != nil {
		return err
	}
	defer remove()
	defer func() {
		err = errors.Join(err, archive.WithCleanup(ctx, func(ctx context.Context) error { return once.Remove(ctx, key) }))
	}()
	stored, err := once.Put(ctx, item)
	if err != nil {
		return err
	}
	if !stored.Same(item.Size, item.MD5) {
		return media.Faultf(media.Corrupt, op, "the service names no checksum that proves what was written")
	}
	return once.checkParts(ctx, item)
}

// checkParts begins an upload in parts, finds it, and aborts it.
func (a *Archive) checkParts(ctx context.Context, item archive.Item) (err error) {
	key, err := a.place.key(item.Key)
	if err != nil {
		return err
	}
	u := &uploading{a: a, item: item, key: key}
	if err := u.begin(ctx); err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, archive.WithCleanup(ctx, func(ctx context.Context) error { return a.abort(ctx, u.session) }))
	}()
	if err := a.eachPart(ctx, u.session, func(types.Part) {}); err != nil {
		return err
	}
	_, err = a.uploadsBefore(ctx, time.Time{})
	return err
}
