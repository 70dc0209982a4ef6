// Package zoom is the origin of recordings that are not archived yet: they play from Zoom's
// download links, with the teacher's credentials.
package zoom

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/origin"
	"github.com/lectiospace/lectern/internal/zoom"
)

// Accounts looks up a teacher's Zoom app. Kind NotFound: there is no such teacher.
type Accounts interface {
	ZoomAccount(ctx context.Context, teacher int64) (zoom.Account, error)
}

// Fetcher sends requests to Zoom; it is a *zoom.Client.
type Fetcher interface {
	Token(ctx context.Context, a zoom.Account, refused string) (string, error)
	Range(ctx context.Context, link, token string, span media.Span) (*http.Response, error)
}

// Origin reads recordings that are still at Zoom. Safe for concurrent use.
type Origin struct {
	accounts Accounts
	fetch    Fetcher

	mu sync.Mutex
	// known are accounts as they were last read, for use while the catalog is unavailable;
	// guarded by mu.
	known map[int64]zoom.Account
}

// New makes the origin. It sends nothing.
func New(accounts Accounts, fetch Fetcher) *Origin {
	return &Origin{accounts: accounts, fetch: fetch, known: map[int64]zoom.Account{}}
}

// CloseIdleConnections closes those of the client, if it has some.
func (o *Origin) CloseIdleConnections() {
	if c, ok := o.fetch.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// Stat requests the first byte of the file: Zoom sends size and type with the bytes only.
func (o *Origin) Stat(ctx context.Context, loc media.Location) (media.Object, error) {
	const op = "zoom origin: stat"
	// The end of the context stops a host that ignores ranges and sends the whole file.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	resp, err := o.request(ctx, loc, media.Span{Len: 1})
	if err != nil {
		return media.Object{}, err
	}
	defer resp.Body.Close()
	size := resp.ContentLength
	if resp.StatusCode == http.StatusPartialContent {
		if size = origin.TotalOf(resp); size < 1 {
			return media.Object{}, media.Faultf(media.Corrupt, op, "a range of a file of unknown size")
		}
	}
	if size < 0 {
		return media.Object{}, media.Faultf(media.Corrupt, op, "the response has no size")
	}
	modified, _ := http.ParseTime(resp.Header.Get("Last-Modified")) // zero when missing
	return media.Object{
		Provider: media.ProviderZoom, ID: loc.Key, Version: versionOf(resp), Size: size,
		ContentType: resp.Header.Get("Content-Type"), ModTime: modified,
	}, nil
}

// versionOf identifies the content. A download link belongs to one file, which Zoom does not
// change; a validator, where there is one, has to stay the same as well.
func versionOf(resp *http.Response) string {
	if etag := resp.Header.Get("ETag"); strings.HasPrefix(etag, `"`) {
		return "etag:" + etag
	}
	if modified, err := http.ParseTime(resp.Header.Get("Last-Modified")); err == nil {
		return "modified:" + modified.UTC().Format(time.RFC3339)
	}
	return "link"
}

// Open requests one bounded range. A host that does not support ranges sends the whole file;
// the bytes before the span are discarded.
func (o *Origin) Open(ctx context.Context, obj media.Object, span media.Span) (io.ReadCloser, error) {
	resp, err := o.request(ctx, obj.Location(), span)
	if err != nil {
		return nil, err
	}
	if err := check(resp, obj, span); err != nil {
		resp.Body.Close()
		return nil, err
	}
	var from io.Reader = resp.Body
	if resp.StatusCode == http.StatusOK {
		if _, err := io.CopyN(io.Discard, resp.Body, span.Off); err != nil {
			resp.Body.Close()
			return nil, readError(ctx, err)
		}
		from = io.LimitReader(resp.Body, span.Len)
	}
	return &body{Reader: from, closer: resp.Body, ctx: ctx}, nil
}

// check refuses a response that is not the span of exactly this object.
func check(resp *http.Response, obj media.Object, span media.Span) error {
	if version := versionOf(resp); version != obj.Version {
		return media.Faultf(media.Changed, "zoom origin: open", "the file is another one now")
	}
	if resp.StatusCode == http.StatusOK && resp.ContentLength == obj.Size {
		span = obj.Span()
	}
	return origin.CheckRangeResponse(resp, span, obj.Size)
}

// request sends the teacher's token, and once more a new one when that is refused.
func (o *Origin) request(ctx context.Context, loc media.Location, span media.Span) (*http.Response, error) {
	const op = "zoom origin"
	teacher, link, ok := loc.Zoom()
	if !ok {
		return nil, media.Faultf(media.NotFound, op, "not a place at Zoom")
	}
	account, err := o.account(ctx, teacher)
	if err != nil {
		return nil, err
	}
	refused := ""
	for {
		token, err := o.fetch.Token(ctx, account, refused)
		if err != nil {
			return nil, err
		}
		resp, err := o.fetch.Range(ctx, link, token, span)
		if err == nil || refused != "" || zoom.ReasonOf(err) != zoom.ReasonExpiredToken {
			return resp, err
		}
		refused = token
	}
}

func (o *Origin) account(ctx context.Context, teacher int64) (zoom.Account, error) {
	const op = "zoom origin: credentials"
	account, err := o.accounts.ZoomAccount(ctx, teacher)
	o.mu.Lock()
	defer o.mu.Unlock()
	switch kind := media.KindOf(err); {
	case err == nil:
		account = account.Trimmed()
		o.known[teacher] = account
	case kind == media.Unavailable || kind == media.Timeout:
		known, ok := o.known[teacher]
		if !ok {
			return zoom.Account{}, err
		}
		account = known
	case kind == media.NotFound:
		return zoom.Account{}, media.Faultf(media.Denied, op, "there is no such teacher")
	default:
		return zoom.Account{}, err
	}
	if !account.Complete() {
		return zoom.Account{}, media.Faultf(media.Denied, op, "the teacher's Zoom credentials are not complete")
	}
	return account, nil
}

// body gives the network's errors their kinds.
type body struct {
	io.Reader
	closer io.Closer
	ctx    context.Context
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err == nil || errors.Is(err, io.EOF) {
		return n, err
	}
	return n, readError(b.ctx, err)
}

func (b *body) Close() error { return b.closer.Close() }

func readError(ctx context.Context, err error) error {
	const op = "zoom origin: read"
	switch {
	case ctx.Err() != nil:
		return media.Fault(media.KindOf(ctx.Err()), op, ctx.Err())
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return media.Fault(media.Corrupt, op, io.ErrUnexpectedEOF)
	default:
		return media.Faultf(media.Unavailable, op, "the connection failed")
	}
}
