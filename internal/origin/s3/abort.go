package s3

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/lectiospace/lectern/internal/media"
)

// AbortUpload implements archive.UploadAborter.
func (a *Archive) AbortUpload(ctx context.Context, text string) error {
	s := parseSession(text)
	if s.Upload == "" || !strings.HasPrefix(s.Key, a.place.Prefix) {
		return nil // no session of this archive's
	}
	return a.abort(ctx, s)
}

func (a *Archive) abort(ctx context.Context, s session) error {
	return a.withRetry(ctx, func() error {
		_, err := a.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &a.place.Bucket, Key: &s.Key, UploadId: &s.Upload})
		if err == nil || noSuchUpload(err) {
			return nil
		}
		return fault("s3: abort upload", actionAbort, err)
	})
}

// AbortStale implements archive.UploadAborter: of the uploads below the place for new
// recordings it aborts those that were begun before since, and have received no part since.
func (a *Archive) AbortStale(ctx context.Context, since time.Time) (aborted int, err error) {
	stale, err := a.uploadsBefore(ctx, since)
	for _, s := range stale {
		newest := time.Time{}
		partsErr := a.eachPart(ctx, s, func(p types.Part) {
			if at := aws.ToTime(p.LastModified); at.After(newest) {
				newest = at
			}
		})
		switch {
		case errors.Is(partsErr, errUploadGone):
			continue
		case partsErr == nil && newest.After(since):
			continue
		case partsErr == nil:
			partsErr = a.abort(ctx, s)
		}
		if err = errors.Join(err, partsErr); partsErr == nil {
			aborted++
		}
	}
	return aborted, err
}

// uploadsBefore lists the uploads for new recordings that were begun before a time.
func (a *Archive) uploadsBefore(ctx context.Context, since time.Time) (out []session, err error) {
	in := &s3.ListMultipartUploadsInput{Bucket: &a.place.Bucket, Prefix: aws.String(a.place.Prefix + recordingsDir), EncodingType: types.EncodingTypeUrl}
	for {
		var page *s3.ListMultipartUploadsOutput
		err := a.withRetry(ctx, func() (err error) {
			page, err = a.client.ListMultipartUploads(ctx, in)
			return fault("s3: list uploads", actionListUploads, err)
		})
		if err != nil {
			return out, err
		}
		for _, u := range page.Uploads {
			key := decoded(page.EncodingType, aws.ToString(u.Key))
			// Some services ignore the prefix, or do not say when an upload was begun.
			if strings.HasPrefix(key, *in.Prefix) && u.Initiated != nil && u.Initiated.Before(since) {
				out = append(out, session{Upload: aws.ToString(u.UploadId), Key: key})
			}
		}
		if !aws.ToBool(page.IsTruncated) || aws.ToString(page.NextUploadIdMarker) == "" {
			return out, nil
		}
		in.KeyMarker, in.UploadIdMarker = aws.String(decoded(page.EncodingType, aws.ToString(page.NextKeyMarker))), page.NextUploadIdMarker
	}
}

// eachPart calls each for the parts that the service has of an upload. errUploadGone: it is
// complete, or gone.
func (a *Archive) eachPart(ctx context.Context, s session, each func(types.Part)) error {
	in := &s3.ListPartsInput{Bucket: &a.place.Bucket, Key: &s.Key, UploadId: &s.Upload}
	for {
		var page *s3.ListPartsOutput
		err := a.withRetry(ctx, func() (err error) {
			page, err = a.client.ListParts(ctx, in)
			if noSuchUpload(err) {
				return errUploadGone
			}
			return fault("s3: list parts", actionListParts, err)
		})
		if err != nil {
			return err
		}
		for _, p := range page.Parts {
			each(p)
		}
		if !aws.ToBool(page.IsTruncated) || aws.ToString(page.NextPartNumberMarker) == "" {
			return nil
		}
		in.PartNumberMarker = page.NextPartNumberMarker
	}
}

// noSuchUpload reports whether an error says that an upload was completed, aborted or never
// begun.
func noSuchUpload(err error) bool { return media.ReasonOf(fault("", "", err)) == "NoSuchUpload" }
