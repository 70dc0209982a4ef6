package s3

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"

	"github.com/lectiospace/lectern/internal/archive"
	"github.com/lectiospace/lectern/internal/media"
)

// The SDK's transfer manager cannot continue another process' upload, and holds parts in
// memory. This file uploads by the API's multipart operations itself.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html

const (
	// defaultPartSize is the size of a part in bytes. A lost connection costs at most this for each
	// of the parts under way.
	defaultPartSize = 16 << 20
	// maxParts is how many parts an upload may have; larger files have larger parts.
	maxParts = 10_000
	// partsAtOnce is how many parts of a file are sent at the same time.
	partsAtOnce = 3
	// maxRounds bounds how often an upload begins anew, or finds parts missing at its end.
	maxRounds = 3
)

// withRetry repeats a request while its fault passes.
func (a *Archive) withRetry(ctx context.Context, request func() error) error {
	return a.retry.Do(ctx, "s3: wait", request)
}

// session is an upload that another process can continue. It gives access to the bucket only
// together with credentials, and is treated as a secret all the same.
type session struct {
	Upload string `json:"upload"`
	Key    string `json:"key"` // in the bucket
	Part   int64  `json:"part"`
}

func (s session) String() string {
	text, err := json.Marshal(s)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return string(text)
}

// parseSession reads a session; the zero value for "" and for what is none.
func parseSession(text string) (s session) {
	if json.Unmarshal([]byte(text), &s) != nil || s.Upload == "" || s.Part <= 0 {
		return session{}
	}
	return s
}

// partOf is the size of the parts that a file is sent in.
func (a *Archive) partOf(size int64) int64 {
	part := a.part
	if size > part*maxParts {
		const unit = 1 << 20
		part = (size/maxParts + unit) / unit * unit
	}
	return part
}

// Put uploads the item: a small one in one request, others in parts, of which those that
// item.Session has sent already are not sent again.
func (a *Archive) Put(ctx context.Context, item archive.Item) (archive.Stored, error) {
	const op = "s3: upload"
	key, err := a.place.key(item.Key)
	if err != nil {
		return archive.Stored{}, media.Fault(media.Invalid, op, err)
	}
	begun := parseSession(item.Session)
	if begun.Key != key {
		begun = session{}
	}
	there, err := a.describe(ctx, key)
	switch {
	case media.KindOf(err) == media.NotFound:
		there = nil
	case err != nil:
		return archive.Stored{}, err
	}
	if begun.Upload == "" {
		if there != nil {
			if stored := storedOf(item.Key, there); stored.Same(item.Size, item.MD5) {
				return stored, nil
			}
		}
		begun.Part = a.partOf(item.Size)
	}
	f, err := os.Open(item.Path)
	if err != nil {
		return archive.Stored{}, media.Fault(media.Other, op, err)
	}
	defer f.Close()
	sums, err := sumFile(ctx, f, begun.Part)
	switch {
	case ctx.Err() != nil:
		return archive.Stored{}, media.Fault(media.KindOf(ctx.Err()), op, ctx.Err())
	case err != nil:
		return archive.Stored{}, media.Fault(media.Other, op, err)
	case sums.size != item.Size || sums.md5 != item.MD5:
		return archive.Stored{}, media.Faultf(media.Corrupt, op, "the file on disk is not what it was when its checksum was computed")
	}
	u := &uploading{a: a, item: item, key: key, file: f, sums: sums, session: begun, only: conditionFor(there)}
	if len(sums.parts) == 1 {
		err = u.putWhole(ctx)
	} else {
		err = u.putParts(ctx)
	}
	return u.result(ctx, err)
}

// result is what the service says of the object after an upload that ended with an error, or
// with none.
func (u *uploading) result(ctx context.Context, fault error) (archive.Stored, error) {
	if fault != nil && media.KindOf(fault) != media.Changed {
		return archive.Stored{}, fault
	}
	stored, err := u.a.Stat(ctx, u.item.Key)
	if fault == nil || err == nil && stored.Same(u.item.Size, u.item.MD5) { // an answer to an earlier try was lost
		return stored, err
	}
	if u.session.Upload != "" {
		_ = u.a.abort(ctx, u.session) // parts that stay are deleted by AbortStale
	}
	return archive.Stored{}, media.Faultf(media.Changed, "s3: upload", "another upload has written the object meanwhile")
}

// condition lets a write replace exactly the object that was there, or nothing. A process that
// stood still in the middle of its upload does not replace what another has uploaded since.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
type condition struct{ ifMatch, ifNoneMatch *string }

func conditionFor(there *s3.HeadObjectOutput) condition {
	if there == nil || aws.ToString(there.ETag) == "" {
		return condition{ifNoneMatch: aws.String("*")}
	}
	return condition{ifMatch: there.ETag}
}

// write makes a request under the upload's condition, and without it where the service has no
// conditional writes.
func (u *uploading) write(request func(condition) error) error {
	err := request(u.only)
	if media.ReasonOf(err) == "NotImplemented" && u.only != (condition{}) {
		u.only = condition{}
		err = request(u.only)
	}
	return err
}

// uploading is one call of Put.
type uploading struct {
	a       *Archive
	item    archive.Item
	key     string // in the bucket
	file    *os.File
	sums    fileSums
	session session
	only    condition
}

func (p partSums) contentMD5() *string {
	return aws.String(base64.StdEncoding.EncodeToString(p.md5[:]))
}

// putWhole sends the file in one request.
func (u *uploading) putWhole(ctx context.Context) error {
	const op = "s3: upload"
	only := u.sums.parts[0]
	return u.a.withRetry(ctx, func() error {
		return u.write(func(c condition) error {
			return u.sendBody(ctx, only, func(ctx context.Context, body io.ReadSeekCloser) error {
				_, err := u.a.client.PutObject(ctx, &s3.PutObjectInput{
					Bucket: &u.a.place.Bucket, Key: &u.key, Body: body, ContentLength: &only.size, ContentMD5: only.contentMD5(),
					ChecksumCRC64NVME: &only.crc, ContentType: aws.String(u.item.ContentType()), Metadata: u.sums.metadata(u.item),
					IfMatch: c.ifMatch, IfNoneMatch: c.ifNoneMatch,
				})
				return fault(op, actionPut, err)
			})
		})
	})
}

// errUploadGone says that an upload was completed or aborted.
var errUploadGone = errors.New("the upload is complete or gone")

// putParts sends what is missing of the parts, and completes the upload. It begins anew when
// the upload is gone, unless the object is there.
func (u *uploading) putParts(ctx context.Context) error {
	const op = "s3: upload"
	for range maxRounds {
		if u.session.Upload == "" {
			if err := u.begin(ctx); err != nil {
				return err
			}
		}
		err := u.round(ctx)
		switch {
		case errors.Is(err, errUploadGone):
			if stored, err := u.a.Stat(ctx, u.item.Key); err == nil && stored.Same(u.item.Size, u.item.MD5) {
				return nil // the last answer was lost
			}
			u.session.Upload = ""
		case errors.Is(err, errPartMissing):
		default:
			return err
		}
	}
	return media.Faultf(media.Unavailable, op, "uploads or their parts do not last")
}

// begin creates an upload and saves its session.
func (u *uploading) begin(ctx context.Context) error {
	const op = "s3: begin upload"
	err := u.a.withRetry(ctx, func() error {
		out, err := u.a.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
			Bucket: &u.a.place.Bucket, Key: &u.key, ContentType: aws.String(u.item.ContentType()), Metadata: u.sums.metadata(u.item),
			ChecksumAlgorithm: types.ChecksumAlgorithmCrc64nvme, ChecksumType: types.ChecksumTypeFullObject,
		})
		if err != nil {
			return fault(op, actionPut, err)
		}
		if u.session.Upload = aws.ToString(out.UploadId); u.session.Upload == "" {
			return media.Faultf(media.Unavailable, op, "the answer names no upload")
		}
		return nil
	})
	if err != nil {
		return err
	}
	u.session.Key = u.key
	if err := u.item.SaveSession(u.session.String()); err != nil {
		// Nobody could continue it.
		return errors.Join(media.Fault(media.Other, op, err), u.a.abort(context.WithoutCancel(ctx), u.session))
	}
	return nil
}

// round sends the parts that the service does not have, and completes the upload.
func (u *uploading) round(ctx context.Context) error {
	received, err := u.received(ctx)
	if err != nil {
		return err
	}
	group, sending := errgroup.WithContext(ctx)
	group.SetLimit(partsAtOnce)
	etags := make([]string, len(u.sums.parts))
	for i, part := range u.sums.parts {
		if etags[i] = received[i]; etags[i] != "" {
			continue
		}
		group.Go(func() (err error) {
			etags[i], err = u.sendPart(sending, i, part)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return u.complete(ctx, etags)
}

// received are the ETags of the parts that the service has, by index. A part that differs
// from the file's, or of which the service says too little, is not among them.
func (u *uploading) received(ctx context.Context) (map[int]string, error) {
	out := map[int]string{}
	err := u.a.eachPart(ctx, u.session, func(p types.Part) {
		i := int(aws.ToInt32(p.PartNumber)) - 1
		if i >= 0 && i < len(u.sums.parts) && u.sums.parts[i].same(p) {
			out[i] = aws.ToString(p.ETag)
		}
	})
	return out, err
}

// same reports whether a part that the service has is this one, by the service's checksums.
func (p partSums) same(there types.Part) bool {
	if aws.ToInt64(there.Size) != p.size {
		return false
	}
	if crc := aws.ToString(there.ChecksumCRC64NVME); crc != "" {
		return crc == p.crc
	}
	return trimQuotes(aws.ToString(there.ETag)) == hex.EncodeToString(p.md5[:])
}

// sendPart sends one part, which the service checks, and returns its ETag.
func (u *uploading) sendPart(ctx context.Context, index int, part partSums) (etag string, err error) {
	const op = "s3: upload"
	number := int32(index + 1)
	err = u.a.withRetry(ctx, func() error {
		return u.sendBody(ctx, part, func(ctx context.Context, body io.ReadSeekCloser) error {
			out, err := u.a.client.UploadPart(ctx, &s3.UploadPartInput{
				Bucket: &u.a.place.Bucket, Key: &u.key, UploadId: &u.session.Upload, PartNumber: &number,
				Body: body, ContentLength: &part.size, ContentMD5: part.contentMD5(), ChecksumCRC64NVME: &part.crc,
			})
			if noSuchUpload(err) {
				return errUploadGone
			}
			if err != nil {
				return fault(op, actionPut, err)
			}
			if etag = aws.ToString(out.ETag); etag == "" {
				return media.Faultf(media.Corrupt, op, "the answer has no ETag of the part")
			}
			return nil
		})
	})
	return etag, err
}

// errPartMissing says that the service has lost a part by the time of the completion.
var errPartMissing = errors.New("a part is missing")

// complete makes the object of its parts. The service compares its own checksum of the whole
// with ours before there is an object.
func (u *uploading) complete(ctx context.Context, etags []string) error {
	const op = "s3: complete upload"
	parts := make([]types.CompletedPart, len(etags))
	for i := range etags {
		parts[i] = types.CompletedPart{PartNumber: aws.Int32(int32(i + 1)), ETag: &etags[i], ChecksumCRC64NVME: &u.sums.parts[i].crc}
	}
	return u.a.withRetry(ctx, func() error {
		err := u.write(func(c condition) error {
			_, err := u.a.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
				Bucket: &u.a.place.Bucket, Key: &u.key, UploadId: &u.session.Upload, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
				ChecksumType: types.ChecksumTypeFullObject, ChecksumCRC64NVME: &u.sums.crc, MpuObjectSize: &u.sums.size,
				IfMatch: c.ifMatch, IfNoneMatch: c.ifNoneMatch,
			})
			return fault(op, actionPut, err)
		})
		switch {
		case noSuchUpload(err):
			return errUploadGone
		case media.ReasonOf(err) == "InvalidPart":
			return errPartMissing
		default:
			return err
		}
	})
}

// sendBody runs a request whose body is a part of the file.
func (u *uploading) sendBody(ctx context.Context, part partSums, request func(context.Context, io.ReadSeekCloser) error) error {
	return archive.Send(ctx, "s3: upload", io.NewSectionReader(u.file, part.offset, part.size), request)
}
