package azure

import (
	"context"
	"errors"
	"io"
	"net/http"
	"regexp"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/origin"
)

// Open requests one bounded range of exactly one version: by its id where the container has
// versions, else with If-Match (RFC 9110 section 13.1.1). The answer's own version is
// compared as well, since caches and proxies drop conditions.
func (o *Origin) Open(ctx context.Context, obj media.Object, span media.Span) (io.ReadCloser, error) {
	const op = "azure: open"
	if !wellFormedVersion(obj.Version) {
		return nil, media.Faultf(media.Changed, op, "no blob has such a version")
	}
	client, err := o.blob(obj.ID)
	if err != nil {
		return nil, media.Fault(media.Invalid, op, errors.Unwrap(err))
	}
	options := &blob.DownloadStreamOptions{Range: blob.HTTPRange{Offset: span.Off, Count: span.Len}}
	if isETag(obj.Version) {
		etag := azcore.ETag(obj.Version)
		options.AccessConditions = &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfMatch: &etag}}
	} else if client, err = client.WithVersionID(obj.Version); err != nil {
		return nil, media.Faultf(media.Invalid, op, "the blob's URL cannot be read")
	}
	var resp *http.Response
	stream, err := client.DownloadStream(policy.WithCaptureResponse(ctx, &resp), options)
	if err != nil {
		return nil, openFault(op, obj, err)
	}
	if err := checkAnswer(resp, stream, obj, span); err != nil {
		stream.Body.Close()
		return nil, err
	}
	return origin.FaultBody(stream.Body, "azure: read", fault), nil
}

// checkAnswer refuses an answer that is not the requested range of the requested version. One
// that names no version, as a page of a proxy, says nothing of the blob: it is Corrupt and not
// Changed.
func checkAnswer(resp *http.Response, stream blob.DownloadStreamResponse, obj media.Object, span media.Span) error {
	got := value(stream.VersionID)
	if isETag(obj.Version) {
		got = string(value(stream.ETag))
	}
	if got != "" && got != obj.Version {
		return media.Faultf(media.Changed, "azure: open", "the answer is of another version")
	}
	if err := origin.CheckRangeResponse(resp, span, obj.Size); err != nil {
		return err
	}
	if got == "" {
		return media.Faultf(media.Corrupt, "azure: open", "the answer names no version")
	}
	return nil
}

// openFault is fault for a read of a version. A version that is gone is Changed, also where
// the answer means the version and not the blob.
func openFault(op string, obj media.Object, err error) error {
	err = fault(op, err)
	var known *media.Error
	if errors.As(err, &known) && known.Kind == media.NotFound && !isETag(obj.Version) {
		known.Kind = media.Changed
	}
	return err
}

// strongETag is a strong entity tag (RFC 9110 section 8.8.3).
var strongETag = regexp.MustCompile(`^"[\x21\x23-\x7e]*"$`)

// wellFormedVersion reports whether a text can be a version: anything else would be answered
// by an error about the request.
func wellFormedVersion(version string) bool {
	if isETag(version) {
		return strongETag.MatchString(version)
	}
	_, err := time.Parse(time.RFC3339Nano, version)
	return err == nil
}
