package zoom

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/lectiospace/lectern/internal/failpoint"
	"github.com/lectiospace/lectern/internal/media"
)

const maxRedirects = 5

// Download is the answer to a request for a file's bytes.
type Download struct {
	Body io.ReadCloser
	// Offset is where Body begins: the requested offset, or 0 where the host does not
	// support ranges.
	Offset int64
	// Size of the whole file, -1 when the host does not say.
	Size int64
	// Validator names this content, or "": bytes of two validators do not mix.
	Validator string
}

// downloader fetches files. It knows which hosts may see a token and where a redirect may
// lead.
type downloader struct {
	downloads, redirects hostList
	listed               *http.Client // for hosts that are named in a setting
	public               *http.Client // for all others: never a private address
	// proxied is for all others that an HTTP proxy connects to. Its dialer sees the proxy,
	// and not the target, which is judged before.
	proxied *http.Client
	// proxy is the proxy for a request, nil for none: http.ProxyFromEnvironment.
	proxy func(*http.Request) (*url.URL, error)
	// lookup resolves the target of a proxied request.
	lookup func(ctx context.Context, network, host string) ([]netip.Addr, error)
}

func newDownloader(cfg Config) downloader { return newDownloaderBehind(cfg, http.ProxyFromEnvironment) }

// newDownloaderBehind builds a downloader whose proxies the function chooses.
func newDownloaderBehind(cfg Config, proxy func(*http.Request) (*url.URL, error)) downloader {
	transport := func(proxy func(*http.Request) (*url.URL, error), control func(network, address string, c syscall.RawConn) error) *http.Transport {
		return &http.Transport{
			Proxy:                 proxy,
			DialContext:           (&net.Dialer{Timeout: 10 * time.Second, Control: control}).DialContext,
			TLSHandshakeTimeout:   10 * time.Second,
			ResponseHeaderTimeout: stalledAfter,
			DisableCompression:    true,
			IdleConnTimeout:       time.Minute,
			ReadBufferSize:        128 << 10,
		}
	}
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return downloader{
		downloads: newHostList(cfg.DownloadHosts), redirects: newHostList(cfg.RedirectHosts),
		listed:  &http.Client{Transport: transport(proxy, nil), CheckRedirect: stay},
		public:  &http.Client{Transport: transport(nil, publicOnly), CheckRedirect: stay},
		proxied: &http.Client{Transport: transport(proxy, nil), CheckRedirect: stay},
		proxy:   proxy, lookup: net.DefaultResolver.LookupNetIP,
	}
}

func (d downloader) close() {
	d.listed.CloseIdleConnections()
	d.public.CloseIdleConnections()
	d.proxied.CloseIdleConnections()
}

// Download requests a file from an offset on. The token goes to the hosts of the setting
// zoom-download-hosts only, along redirects as well. Pages and ranges that do not begin at
// offset are errors, whose Class says what to do. The body fails when no byte has come for a
// minute. Closing it ends the exchange.
func (c *Client) Download(ctx context.Context, link, token string, offset int64, validator string) (*Download, error) {
	return c.download(ctx, link, token, offset, validator, pageTypes)
}

// DownloadDocument is Download for a file that may be JSON or XML itself. A page for people
// is an error all the same, and so is JSON with an error code of Zoom's.
func (c *Client) DownloadDocument(ctx context.Context, link, token string, offset int64, validator string) (*Download, error) {
	return c.download(ctx, link, token, offset, validator, pagesForPeople)
}

func (c *Client) download(ctx context.Context, link, token string, offset int64, validator string, pages map[string]bool) (*Download, error) {
	if c.readOnly {
		return nil, errReadOnly("zoom: download")
	}
	d, err := c.downloads.open(ctx, link, token, offset, validator, pages)
	if limiter, _ := background(ctx); err == nil && limiter != nil {
		d.Body = &limitedBody{ReadCloser: d.Body, ctx: ctx, limiter: limiter}
	}
	return d, err
}

func (d downloader) open(ctx context.Context, link, token string, offset int64, validator string, pages map[string]bool) (*Download, error) {
	const op = "zoom: download"
	ctx, cancel := context.WithCancelCause(ctx)
	resp, err := d.follow(ctx, op, link, token, func(h http.Header) {
		if offset > 0 {
			h.Set("Range", "bytes="+strconv.FormatInt(offset, 10)+"-")
			if strings.HasPrefix(validator, `"`) {
				h.Set("If-Range", validator)
			}
		}
	})
	if err != nil {
		cancel(nil)
		return nil, err
	}
	resp.Body = newWatchdogBody(ctx, cancel, resp.Body)
	out, err := accept(op, resp, offset, pages)
	if err != nil {
		resp.Body.Close()
		return nil, err
	}
	out.Body = resp.Body
	return out, nil
}

// Range requests a span of a file, by the rules of Download, and returns the response of the
// host that has the bytes: 206, or 200 where it does not support ranges. Refusals and pages
// are errors. The body ends with ctx.
func (c *Client) Range(ctx context.Context, link, token string, span media.Span) (*http.Response, error) {
	const op = "zoom: range"
	if c.readOnly {
		return nil, errReadOnly(op)
	}
	resp, err := c.downloads.follow(ctx, op, link, token, func(h http.Header) { h.Set("Range", "bytes="+span.String()) })
	if err != nil {
		return nil, err
	}
	if err := downloadFault(op, resp, pageTypes); err != nil {
		resp.Body.Close()
		return nil, err
	}
	return resp.Response, nil
}

// follow requests the link and follows redirects to the first response that is none. The
// token goes along while the host is one of zoom-download-hosts. It is dropped for good at
// the first redirect to any other host, and left out for a link that carries a signature of
// its own: hosts of such links refuse a request with two kinds of credentials.
func (d downloader) follow(ctx context.Context, op, link, token string, headers func(http.Header)) (*exchange, error) {
	target, err := url.Parse(link)
	if err != nil || target.Host == "" {
		return nil, refusedHost("the download link is not a URL")
	}
	client, err := d.checkLink(target)
	if err != nil {
		return nil, err
	}
	sent := token
	for hop := 0; ; hop++ {
		if err := failpoint.ErrOf("zoom.request", op); err != nil {
			return nil, network(ctx, op, err)
		}
		resp, err := d.get(ctx, client, target, sent, headers)
		failpoint.HereOf("zoom.answer", op)
		if err != nil {
			return nil, network(ctx, op, err)
		}
		if resp.StatusCode == http.StatusUnauthorized && sent == "" && token != "" && hop < maxRedirects {
			resp.Body.Close() // a signed link of a listed host that wants the token all the same
			sent = token
			continue
		}
		if !redirects(resp.StatusCode) {
			return &exchange{Response: resp, signed: sent == ""}, nil
		}
		_, _ = io.CopyN(io.Discard, resp.Body, 64<<10) // so that the connection can be reused
		resp.Body.Close()
		next, err := target.Parse(resp.Header.Get("Location"))
		if err != nil || resp.Header.Get("Location") == "" || hop == maxRedirects {
			return nil, media.Faultf(media.Corrupt, op, "a redirect that leads nowhere")
		}
		if client, err = d.checkRedirect(next); err != nil {
			return nil, err
		}
		if !d.mayHaveToken(next) {
			token = ""
		}
		if target, sent = next, token; hasSignature(next) {
			sent = ""
		}
	}
}

// exchange is the response at the end of the redirects.
type exchange struct {
	*http.Response
	signed bool // no token was sent: the link itself is the credential
}

func redirects(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

func (d downloader) get(ctx context.Context, client *http.Client, u *url.URL, token string, headers func(http.Header)) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, refusedHost("the download link is not a URL")
	}
	req.Header.Set("User-Agent", "Lectern")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if traceparent := media.TraceparentOf(ctx); traceparent != "" && d.mayHaveToken(u) {
		req.Header.Set("Traceparent", traceparent) // to nobody who may not have the token
	}
	headers(req.Header)
	if client == d.public {
		if client, err = d.clientFor(req); err != nil {
			return nil, err
		}
	}
	return client.Do(req)
}

// accept checks a response that is no redirect. Content of the types in pages is none of a
// file.
func accept(op string, resp *exchange, offset int64, pages map[string]bool) (*Download, error) {
	if err := downloadFault(op, resp, pages); err != nil {
		return nil, err
	}
	out := &Download{Size: resp.ContentLength}
	if etag := resp.Header.Get("ETag"); strings.HasPrefix(etag, `"`) {
		out.Validator = etag
	}
	if resp.StatusCode == http.StatusPartialContent {
		first, size, ok := contentRange(resp.Header.Get("Content-Range"))
		if !ok || first != offset {
			return nil, &media.Error{Kind: media.Corrupt, Op: op, Reason: ReasonRange}
		}
		out.Offset, out.Size = offset, size
	}
	return out, nil
}

// pageTypes are content types of answers that are no recording, whatever their status.
var pageTypes = map[string]bool{
	"text/html": true, "application/xhtml+xml": true, "application/json": true, "application/xml": true, "text/xml": true,
}

// pagesForPeople are the pageTypes that no file of a recording has.
var pagesForPeople = map[string]bool{"text/html": true, "application/xhtml+xml": true}

// maxErrorBody bounds how much of an answer is read for an error.
const maxErrorBody = 64 << 10

// downloadFault is the error that a response without a file's bytes stands for, or nil. It
// is the one table of what file hosts answer. None of it is final: see Class. Content of the
// types in pages, a subset of pageTypes, is never a file's.
func downloadFault(op string, resp *exchange, pages map[string]bool) error {
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	ok := resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusPartialContent
	if ok && !pageTypes[kind] {
		return nil
	}
	body, broken := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	code := codeOf(body)
	if ok && !pages[kind] && code == 0 {
		// What was read is the file's beginning.
		rest := resp.Body
		resp.Body = readerCloser{io.MultiReader(bytes.NewReader(body), failedReader{broken}, rest), rest}
		return nil
	}
	fail := func(kind media.Kind, reason, text string) error {
		return &media.Error{Kind: kind, Op: op, Reason: reason, RetryAfter: retryAfter(resp.Header, time.Now()), Err: errors.New(text)}
	}
	switch status := resp.StatusCode; {
	case code == 3301, status == http.StatusNotFound:
		return fail(media.Unavailable, ReasonNotReady, "the file host does not have the file, not yet or not any more")
	case code == 124, status == http.StatusUnauthorized && !resp.signed:
		return fail(media.Denied, ReasonExpiredToken, "the access token was refused")
	case status == http.StatusGone,
		resp.signed && (status == http.StatusBadRequest || status == http.StatusUnauthorized || status == http.StatusForbidden):
		return fail(media.Unavailable, ReasonLinkExpired, fmt.Sprintf("status %d for a signed link", status))
	case ok && code == 0:
		// "Only the host can download this" comes as a page with status 200.
		return fail(media.Corrupt, ReasonPage, fmt.Sprintf("status %d with %s", status, kind))
	case status == http.StatusRequestedRangeNotSatisfiable:
		return fail(media.Corrupt, ReasonRange, "the range does not exist")
	case status == http.StatusForbidden && code == 0:
		return fail(media.Denied, ReasonForbidden, "status 403 of the file host")
	}
	err := refusal(op, resp.StatusCode, resp.Header, body)
	if ok && media.KindOf(err) == media.Invalid { // a code that is not known
		return fail(media.Corrupt, ReasonPage, fmt.Sprintf("status 200 with an error, code %d", code))
	}
	return err
}

// contentRange reads "bytes a-b/size"; size is -1 for "*".
func contentRange(h string) (first, size int64, ok bool) {
	spec, found := strings.CutPrefix(h, "bytes ")
	span, total, split := strings.Cut(spec, "/")
	a, _, dash := strings.Cut(span, "-")
	first, err := strconv.ParseInt(a, 10, 64)
	if !found || !split || !dash || err != nil || first < 0 {
		return 0, 0, false
	}
	if total == "*" {
		return first, -1, true
	}
	size, err = strconv.ParseInt(total, 10, 64)
	return first, size, err == nil && size > first
}
