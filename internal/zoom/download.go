package zoom

import (
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

	"github.com/lectiospace/lectern/internal/media"
)

const (
	maxRedirects = 5
	// stalledAfter is how long a download may be silent.
	stalledAfter = 60 * time.Second
)

// Download is the answer to a request for a file's bytes.
type Download struct {
	Body io.ReadCloser
	// Offset is where Body begins: what was asked for, or 0 where the host does not
	// know ranges.
	Offset int64
	// Size of the whole file, -1 when the host does not say.
	Size int64
	// Validator names this content, or "": bytes of two validators do not mix.
	Validator string
}

// downloader fetches recordings under the rules of who may see a token and where
// a redirect may lead.
type downloader struct {
	downloads, redirects hostList
	listed               *http.Client // for hosts that are named in a setting
	public               *http.Client // for all others: never a private address
}

func newDownloader(cfg Config) downloader {
	transport := func(control func(network, address string, c syscall.RawConn) error) *http.Transport {
		return &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
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
		listed: &http.Client{Transport: transport(nil), CheckRedirect: stay},
		public: &http.Client{Transport: transport(publicOnly), CheckRedirect: stay},
	}
}

func (d downloader) close() {
	d.listed.CloseIdleConnections()
	d.public.CloseIdleConnections()
}

// publicOnly refuses connections to addresses that are not public: the name was
// somebody else's choice, and may resolve to a neighbour of ours.
func publicOnly(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("not an address")
	}
	a := at.Addr().Unmap()
	if !a.IsGlobalUnicast() || a.IsPrivate() || a.IsLoopback() || carrierGrade.Contains(a) || nat64.Contains(a) {
		return refusedHost("a redirect to an address that is not public")
	}
	return nil
}

var (
	carrierGrade = netip.MustParsePrefix("100.64.0.0/10") // RFC 6598
	nat64        = netip.MustParsePrefix("64:ff9b::/96")  // RFC 6052: may lead to a private IPv4 address
)

func refusedHost(why string) error {
	return &media.Error{Kind: media.Denied, Op: "zoom: download", Reason: ReasonHost, Err: errors.New(why)}
}

// Download asks for a file from an offset on. The token goes to the hosts of the
// setting zoom-download-hosts only, never along a redirect. Answers that are pages
// for people, and ranges that do not line up, are errors. The body fails when it
// is silent for a minute; closing it ends the exchange.
func (c *Client) Download(ctx context.Context, link, token string, offset int64, validator string) (*Download, error) {
	return c.downloads.open(ctx, link, token, offset, validator)
}

func (d downloader) open(ctx context.Context, link, token string, offset int64, validator string) (*Download, error) {
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
	out, err := d.accept(op, resp, offset)
	if err != nil {
		resp.Body.Close()
		cancel(nil)
		return nil, err
	}
	out.Body = newWatchdogBody(ctx, cancel, resp.Body)
	return out, nil
}

// Range asks for a span of a file, by the rules of Download, and gives the answer
// of the host that has the bytes: 206, or 200 where it does not know ranges.
// Refusals and pages for people are errors. ctx rules the body as well.
func (c *Client) Range(ctx context.Context, link, token string, span media.Span) (*http.Response, error) {
	const op = "zoom: range"
	resp, err := c.downloads.follow(ctx, op, link, token, func(h http.Header) { h.Set("Range", "bytes="+span.String()) })
	if err != nil {
		return nil, err
	}
	if err := refusedAnswer(op, resp); err != nil {
		resp.Body.Close()
		return nil, err
	}
	return resp, nil
}

// follow goes to the link, and along redirects without the token, to the first
// answer that is none.
func (d downloader) follow(ctx context.Context, op, link, token string, headers func(http.Header)) (*http.Response, error) {
	target, err := url.Parse(link)
	if err != nil || target.Host == "" {
		return nil, refusedHost("the download link is not a URL")
	}
	client, err := d.checkLink(target)
	if err != nil {
		return nil, err
	}
	for hop := 0; ; hop++ {
		resp, err := d.get(ctx, client, target, token, headers)
		if err != nil {
			return nil, network(ctx, op, err)
		}
		if !redirects(resp.StatusCode) {
			return resp, nil
		}
		_, _ = io.CopyN(io.Discard, resp.Body, 64<<10) // so that the connection can be used again
		resp.Body.Close()
		next, err := target.Parse(resp.Header.Get("Location"))
		if err != nil || resp.Header.Get("Location") == "" || hop == maxRedirects {
			return nil, media.Faultf(media.Corrupt, op, "a redirect that leads nowhere")
		}
		if client, err = d.checkRedirect(next); err != nil {
			return nil, err
		}
		target, token = next, ""
	}
}

func redirects(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// first judges the link itself.
func (d downloader) checkLink(u *url.URL) (*http.Client, error) {
	listed, byAddress := d.downloads.contains(u.Hostname())
	switch {
	case !listed:
		return nil, refusedHost("the download link's host is not one of zoom-download-hosts")
	case u.Scheme != "https" && !(u.Scheme == "http" && byAddress):
		return nil, refusedHost("the download link is not https")
	}
	return d.listed, nil
}

// onward judges where a redirect leads.
func (d downloader) checkRedirect(u *url.URL) (*http.Client, error) {
	for _, list := range []hostList{d.downloads, d.redirects} {
		if listed, byAddress := list.contains(u.Hostname()); listed && (u.Scheme == "https" || u.Scheme == "http" && byAddress) {
			return d.listed, nil
		}
	}
	if u.Scheme != "https" {
		return nil, refusedHost("a redirect that is not https")
	}
	return d.public, nil
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
	headers(req.Header)
	return client.Do(req)
}

// accept judges an answer that is no redirect.
func (d downloader) accept(op string, resp *http.Response, offset int64) (*Download, error) {
	if err := refusedAnswer(op, resp); err != nil {
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

// refusedAnswer is the error that an answer without a file's bytes stands for.
func refusedAnswer(op string, resp *http.Response) error {
	switch status := resp.StatusCode; status {
	case http.StatusOK, http.StatusPartialContent:
	case http.StatusRequestedRangeNotSatisfiable:
		return &media.Error{Kind: media.Corrupt, Op: op, Reason: ReasonRange}
	default:
		body, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
		return refusal(op, status, resp.Header, body)
	}
	// "Only the host can download this" comes as a page, with status 200.
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if kind == "text/html" || kind == "application/json" {
		return &media.Error{Kind: media.Corrupt, Op: op, Reason: ReasonPage, Err: errors.New("status 200 with " + kind)}
	}
	return nil
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

// watched is a body that fails when it is silent for too long.
type watchdogBody struct {
	io.Reader
	body   io.Closer
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
}

var errStalled = errors.New("the download stalled")

func newWatchdogBody(ctx context.Context, cancel context.CancelCauseFunc, body io.ReadCloser) *watchdogBody {
	return &watchdogBody{
		Reader: body, body: body, ctx: ctx, cancel: cancel,
		timer: time.AfterFunc(stalledAfter, func() { cancel(errStalled) }),
	}
}

func (w *watchdogBody) Read(p []byte) (int, error) {
	w.timer.Reset(stalledAfter)
	n, err := w.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		if errors.Is(context.Cause(w.ctx), errStalled) {
			return n, media.Faultf(media.Timeout, "zoom: download", "no byte for %s", stalledAfter)
		}
		return n, network(w.ctx, "zoom: download", err)
	}
	return n, err
}

func (w *watchdogBody) Close() error {
	w.timer.Stop()
	w.cancel(nil)
	return w.body.Close()
}
