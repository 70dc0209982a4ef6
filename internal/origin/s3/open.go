package s3

import (
	"context"
	"io"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/origin"
)

// Open requests one bounded range of exactly obj's version: by its id, or by If-Match
// (RFC 9110 section 13.1.1). The answer's version is compared too, since some services
// ignore If-Match in reads.
func (o *Origin) Open(ctx context.Context, obj media.Object, span media.Span) (io.ReadCloser, error) {
	const op = "s3: open"
	key, err := o.place.key(obj.ID)
	if err != nil {
		return nil, media.Fault(media.Invalid, op, err)
	}
	in := &s3.GetObjectInput{Bucket: &o.place.Bucket, Key: &key, Range: aws.String("bytes=" + span.String())}
	action := actionGet
	if isETag(obj.Version) {
		in.IfMatch = &obj.Version
	} else {
		in.VersionId, action = &obj.Version, actionGetVersion
	}
	got, err := o.get(ctx, action, in, op)
	if err != nil {
		return nil, err
	}
	if err := checkRead(got, obj, span); err != nil {
		got.Body.Close()
		return nil, err
	}
	return faultBody(got.Body, action), nil
}

// checkRead refuses an answer that is not the span of obj's version. One without an ETag, as a
// page of a proxy, says nothing of the object: it is Corrupt and not Changed.
func checkRead(got *read, obj media.Object, span media.Span) error {
	tag := versionOf(nil, &got.etag)
	switch {
	case !isETag(obj.Version) && got.version != "" && got.version != obj.Version:
		return media.Faultf(media.Corrupt, "s3: open", "the answer is another version than was requested")
	case isETag(obj.Version) && tag != "" && tag != obj.Version:
		return media.Faultf(media.Changed, "s3: open", "the object has another ETag")
	}
	if err := origin.CheckRangeResponse(got.Response, span, obj.Size); err != nil {
		return err
	}
	if isETag(obj.Version) && tag == "" {
		return media.Faultf(media.Corrupt, "s3: open", "the answer has no ETag")
	}
	return nil
}

// read is an answer to GetObject.
type read struct {
	*http.Response
	etag, version string
}

func (o *Origin) get(ctx context.Context, action string, in *s3.GetObjectInput, op string) (*read, error) {
	out, err := o.client.GetObject(ctx, in)
	if err != nil {
		return nil, fault(op, action, err)
	}
	raw, ok := awsmiddleware.GetRawResponse(out.ResultMetadata).(*smithyhttp.Response)
	if !ok {
		out.Body.Close()
		return nil, media.Faultf(media.Other, op, "the SDK keeps no response")
	}
	answer := *raw.Response
	answer.Body = out.Body
	return &read{&answer, aws.ToString(out.ETag), aws.ToString(out.VersionId)}, nil
}

// isETag tells the two kinds of versions apart.
func isETag(version string) bool { return strings.HasPrefix(version, `"`) }

func trimQuotes(etag string) string { return strings.Trim(etag, `"`) }

// faultBody gives the errors of an object's body their kinds. action is what the policy must
// allow.
func faultBody(body io.ReadCloser, action string) io.ReadCloser {
	return origin.FaultBody(body, "s3: read", func(op string, err error) error { return fault(op, action, err) })
}
