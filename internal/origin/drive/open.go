package drive

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	"google.golang.org/api/googleapi"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/origin"
)

// Open asks for one bounded range: Drive bills what is asked for, not what is
// read. A read of a revision by its id can return nothing else; where the
// principal may not read revisions, metadata is checked around the read.
func (o *Origin) Open(ctx context.Context, obj media.Object, span media.Span) (io.ReadCloser, error) {
	id, _, _ := strings.Cut(obj.ID, "?resourcekey=")
	if !fileID.MatchString(id) {
		return nil, media.Faultf(media.Invalid, "drive: open", "not a Drive file id")
	}
	if obj.Pinned && !o.isUnpinned(id) {
		body, err := o.openRevision(ctx, obj, id, span)
		if err == nil || !revisionRefused(err) {
			return body, err
		}
		// The same answer may mean that the revision is gone: the head tells.
		body, err = o.openHead(ctx, obj, id, span)
		if err == nil {
			o.setUnpinned(id)
		}
		return body, err
	}
	return o.openHead(ctx, obj, id, span)
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

// revisionRefused tells answers about the revision from answers about the file:
// readers of a file may be refused its revisions, by 403 or as if there were none.
func revisionRefused(err error) bool {
	var e *media.Error
	if !errors.As(err, &e) {
		return false
	}
	return e.Kind == media.NotFound || e.Kind == media.Denied && e.Reason != "cannotDownloadAbusiveFile" && e.Reason != "cannotDownloadFile"
}

func (o *Origin) openRevision(ctx context.Context, obj media.Object, id string, span media.Span) (io.ReadCloser, error) {
	call := o.service.Revisions.Get(id, obj.Version).Context(ctx)
	o.setRange(call.Header(), obj, id, span)
	return o.download(obj, span, call.Download)
}

// openHead reads the current content. The answer's body is a snapshot that was
// taken when the answer began; when the head is still ours after that moment,
// the snapshot is ours, because heads only move on. It is looked at once more
// before the last bytes are released, for a server that is no such thing.
func (o *Origin) openHead(ctx context.Context, obj media.Object, id string, span media.Span) (io.ReadCloser, error) {
	call := o.service.Files.Get(id).SupportsAllDrives(true).Context(ctx)
	o.setRange(call.Header(), obj, id, span)
	body, err := o.download(obj, span, call.Download)
	if err != nil {
		return nil, err
	}
	if err := o.stillHead(ctx, obj); err != nil {
		body.Close()
		return nil, err
	}
	return &checkedBody{ReadCloser: body, left: span.Len, check: func() error { return o.stillHead(ctx, obj) }}, nil
}

// Peek reads the current content, whatever it is.
func (o *Origin) Peek(ctx context.Context, loc media.Location, span media.Span) (io.ReadCloser, int64, error) {
	id, _, _ := strings.Cut(loc.Key, "?resourcekey=")
	if !fileID.MatchString(id) {
		return nil, 0, media.Faultf(media.Invalid, "drive: peek", "not a Drive file id")
	}
	call := o.service.Files.Get(id).SupportsAllDrives(true).Context(ctx)
	o.setRange(call.Header(), media.Object{ID: loc.Key}, id, span)
	var resp *http.Response
	err := o.withFreshToken(func() (err error) {
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
	return body{resp.Body}, size, nil
}

func (o *Origin) stillHead(ctx context.Context, obj media.Object) error {
	f, err := o.metadata(ctx, obj.ID)
	if err != nil {
		return err
	}
	now, err := objectOf(obj.Location(), f)
	if err != nil {
		return err
	}
	if now.Version != obj.Version || now.Size != obj.Size {
		return media.Faultf(media.Changed, "drive: open", "the file has a newer revision")
	}
	return nil
}

// ask sets the headers of a ranged read. An empty file takes no Range at all.
func (o *Origin) setRange(h http.Header, obj media.Object, id string, span media.Span) {
	if !span.Empty() {
		h.Set("Range", "bytes="+span.String())
	}
	_, resourceKey, _ := strings.Cut(obj.ID, "?resourcekey=")
	setResourceKey(h, id, resourceKey)
}

// download runs the request and checks its answer before a byte is believed.
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
	return body{resp.Body}, nil
}

// body gives the network's errors their kinds. Closing it unread closes its
// connection, which is what stops the transfer.
type body struct{ io.ReadCloser }

func (b body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	switch {
	case err == nil, errors.Is(err, io.EOF):
		return n, err
	case errors.Is(err, io.ErrUnexpectedEOF):
		return n, media.Fault(media.Corrupt, "drive: read", io.ErrUnexpectedEOF)
	default:
		return n, fault("drive: read", err)
	}
}

// tailBytes are held back until the last check has passed.
const tailBytes = 64 << 10

// checkedBody holds back a body's tail until check agrees.
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
