package drive

import (
	"context"
	"errors"
	"io"
	"net/http"

	"google.golang.org/api/googleapi"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/origin"
)

// Open requests one bounded range: Drive bills the requested bytes, not those that are
// read. A read of a revision by its id can return nothing else. Where the principal may not
// read revisions, the metadata is checked around the read.
func (o *Origin) Open(ctx context.Context, obj media.Object, span media.Span) (io.ReadCloser, error) {
	ref, err := media.ParseDriveRef(obj.ID)
	if err != nil {
		return nil, media.Fault(media.Invalid, "drive: open", err)
	}
	if obj.Pinned && !o.isUnpinned(ref.ID) {
		body, err := o.openRevision(ctx, obj, ref, span)
		if err == nil || !revisionRefused(err) {
			return body, err
		}
		// The same answer may mean that the revision does not exist any more; the head shows it.
		body, err = o.openHead(ctx, obj, ref, span)
		if err == nil {
			o.setUnpinned(ref.ID)
		}
		return body, err
	}
	return o.openHead(ctx, obj, ref, span)
}

func (o *Origin) isUnpinned(id string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.unpinned[id]
}

func (o *Origin) setUnpinned(id string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.unpinned[id] = true
}

// revisionRefused reports whether an error may be about the revision and not about the file:
// readers of a file may be refused its revisions, by 403 or by 404.
func revisionRefused(err error) bool {
	var e *media.Error
	if !errors.As(err, &e) {
		return false
	}
	return e.Kind == media.NotFound || e.Kind == media.Denied && e.Reason != ReasonAbusive && e.Reason != "cannotDownloadFile"
}

func (o *Origin) openRevision(ctx context.Context, obj media.Object, ref media.DriveRef, span media.Span) (io.ReadCloser, error) {
	call := o.service.Revisions.Get(ref.ID, obj.Version).Context(ctx)
	setRange(call.Header(), ref, span)
	return o.download(obj, span, call.Download)
}

// openHead reads the current content. The response's body is a snapshot of the moment at
// which the response began. If the head is still obj's version after that moment, so is the
// snapshot, because heads only move on. The head is checked once more before the last bytes
// are released, in case a server sends no such snapshot.
func (o *Origin) openHead(ctx context.Context, obj media.Object, ref media.DriveRef, span media.Span) (io.ReadCloser, error) {
	call := o.service.Files.Get(ref.ID).SupportsAllDrives(true).Context(ctx)
	setRange(call.Header(), ref, span)
	body, err := o.download(obj, span, call.Download)
	if err != nil {
		return nil, err
	}
	if err := o.stillHead(ctx, obj, ref); err != nil {
		body.Close()
		return nil, err
	}
	return &checkedBody{ReadCloser: body, left: span.Len, check: func() error { return o.stillHead(ctx, obj, ref) }}, nil
}

// Peek reads the current content, whatever it is.
func (o *Origin) Peek(ctx context.Context, loc media.Location, span media.Span) (io.ReadCloser, int64, error) {
	ref, err := parseKey("drive: peek", loc.Key)
	if err != nil {
		return nil, 0, err
	}
	call := o.service.Files.Get(ref.ID).SupportsAllDrives(true).Context(ctx)
	setRange(call.Header(), ref, span)
	var resp *http.Response
	err = o.withFreshToken(func() (err error) {
		resp, err = call.Download()
		return err
	})
	if err != nil {
		return nil, 0, fault("drive: peek", err)
	}
	size, err := origin.CheckPeekResponse(resp, span)
	if err != nil {
		resp.Body.Close()
		return nil, 0, err
	}
	return origin.FaultBody(resp.Body, "drive: read", fault), size, nil
}

func (o *Origin) stillHead(ctx context.Context, obj media.Object, ref media.DriveRef) error {
	f, err := o.metadata(ctx, ref)
	if err != nil {
		return err
	}
	now, err := objectOf("drive: open", ref, f)
	if err != nil {
		return err
	}
	if now.Version != obj.Version || now.Size != obj.Size {
		return media.Faultf(media.Changed, "drive: open", "the file has a newer revision")
	}
	return nil
}

// setRange sets the headers of a ranged read. An empty file takes no Range at all.
func setRange(h http.Header, ref media.DriveRef, span media.Span) {
	if !span.Empty() {
		h.Set("Range", "bytes="+span.String())
	}
	setResourceKeys(h, ref)
}

// download sends the request and checks its response before a byte is used.
func (o *Origin) download(obj media.Object, span media.Span, request func(...googleapi.CallOption) (*http.Response, error)) (io.ReadCloser, error) {
	var resp *http.Response
	err := o.withFreshToken(func() (err error) {
		resp, err = request()
		return err
	})
	if err != nil {
		return nil, fault("drive: open", err)
	}
	if err := origin.CheckRangeResponse(resp, span, obj.Size); err != nil {
		resp.Body.Close()
		return nil, err
	}
	return origin.FaultBody(resp.Body, "drive: read", fault), nil
}

// tailBytes are withheld until the last check has passed.
const tailBytes = 64 << 10

// checkedBody withholds a body's tail until check has passed.
type checkedBody struct {
	io.ReadCloser
	left    int64
	check   func() error
	checked bool
	err     error
}

func (b *checkedBody) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if b.left <= tailBytes && !b.checked {
		b.checked = true
		if b.err = b.check(); b.err != nil {
			return 0, b.err
		}
	}
	if over := b.left - tailBytes; over > 0 && int64(len(p)) > over {
		p = p[:over]
	}
	n, err := b.ReadCloser.Read(p)
	b.left -= int64(n)
	return n, err
}
