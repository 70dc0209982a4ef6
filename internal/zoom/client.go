package zoom

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lectiospace/lectern/internal/failpoint"
	"github.com/lectiospace/lectern/internal/media"
)

const (
	// maxAnswer bounds one answer of the API: a page of 300 meetings is about 2 MB.
	maxAnswer = 32 << 20
	// answerTimeout bounds one call; Zoom's own gateway gives up earlier.
	answerTimeout = time.Minute
	// tries bounds how often one call is sent for passing faults.
	tries = 5
)

// Client speaks Zoom's API for any number of accounts. Safe for concurrent use.
type Client struct {
	cfg       Config
	log       *slog.Logger
	api       *http.Client
	tokens    *tokens
	limits    *accountLimits
	downloads downloader
	// pause is the wait before try n (from 1) of a call.
	pause func(n int) time.Duration
	// readOnly: nothing is changed at Zoom, and nothing downloaded.
	readOnly bool
}

// NewClient prepares a client. It sends nothing.
func NewClient(cfg Config, log *slog.Logger) *Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 16
	transport.ResponseHeaderTimeout = answerTimeout
	return newClient(cfg, log, transport, newDownloader(cfg))
}

// NewClientOver is NewClient with all requests sent through a transport, those for downloads
// and their redirects too: for a Zoom that is emulated in this process.
func NewClientOver(cfg Config, log *slog.Logger, transport http.RoundTripper) *Client {
	downloads := newDownloader(cfg)
	for _, client := range []*http.Client{downloads.listed, downloads.public, downloads.proxied} {
		client.Transport = transport
	}
	return newClient(cfg, log, transport, downloads)
}

func newClient(cfg Config, log *slog.Logger, transport http.RoundTripper, downloads downloader) *Client {
	api := &http.Client{
		Transport: transport, Timeout: answerTimeout,
		// The API does not redirect; following one would take a token along.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &Client{
		cfg: cfg, log: log, api: api, limits: &accountLimits{},
		tokens:    &tokens{client: api, url: cfg.OAuthURL, now: time.Now, cached: map[string]cachedToken{}},
		downloads: downloads,
		pause: func(n int) time.Duration {
			return time.Second<<(n-1) + rand.N(500*time.Millisecond)
		},
	}
}

// ReadOnly is a Client on the same connections and limits that changes nothing at Zoom
// and downloads nothing: both are refused with media.Denied, and nothing is sent.
func (c *Client) ReadOnly() *Client {
	copied := *c
	copied.readOnly = true
	return &copied
}

func errReadOnly(op string) error {
	return media.Faultf(media.Denied, op, "this client is read-only")
}

// Close drops idle connections.
func (c *Client) Close() error {
	c.CloseIdleConnections()
	return nil
}

// CloseIdleConnections closes connections that nothing uses.
func (c *Client) CloseIdleConnections() {
	c.api.CloseIdleConnections()
	c.downloads.close()
}

// Token is an access token of an account, for downloads. refused is a token that was just
// refused and must not be returned again, or "".
func (c *Client) Token(ctx context.Context, a Account, refused string) (string, error) {
	return c.tokens.get(ctx, a, refused)
}

// deleteScopes let an app trash a recording's file. Each also comes with ":admin" or
// ":master"; the last is the classic name.
var deleteScopes = []string{"cloud_recording:delete:recording_file", "cloud_recording:delete:meeting_recording", "recording:write"}

// MayDelete reports whether the app has a scope to trash files. It is true as well when
// Zoom names no scopes.
func (c *Client) MayDelete(ctx context.Context, a Account) (bool, error) {
	if _, err := c.tokens.get(ctx, a, ""); err != nil {
		return false, err
	}
	granted := c.tokens.scopes(a)
	return len(granted) == 0 || slices.ContainsFunc(granted, func(scope string) bool {
		return slices.Contains(deleteScopes, strings.TrimSuffix(strings.TrimSuffix(scope, ":admin"), ":master"))
	}), nil
}

// Recordings reads what is recorded of one meeting instance, with a token for its files.
// Kind NotFound with ReasonNoRecording: Zoom has nothing, not yet or not any more.
func (c *Client) Recordings(ctx context.Context, a Account, uuid string) (Meeting, error) {
	var m Meeting
	query := url.Values{"include_fields": {"download_access_token"}, "ttl": {strconv.Itoa(7 * 24 * 3600)}}
	err := c.call(ctx, "zoom: recordings of a meeting", a, http.MethodGet, "/meetings/"+escapeUUID(uuid)+"/recordings", query, light, &m)
	return m, err
}

// TrashFile moves one file of a recording to Zoom's trash. A file that does not exist any
// more is no error.
func (c *Client) TrashFile(ctx context.Context, a Account, uuid, fileID string) error {
	const op = "zoom: trash a file"
	if uuid == "" || fileID == "" {
		// Without a file id the path would mean the whole recording.
		return media.Faultf(media.Invalid, op, "no file is named")
	}
	if c.readOnly {
		return errReadOnly(op)
	}
	limit := c.limits.forAccount(a.ID)
	select {
	case limit.deleting <- struct{}{}:
		defer func() { <-limit.deleting }()
	case <-ctx.Done():
		return network(ctx, op, ctx.Err())
	}
	err := c.call(ctx, op, a, http.MethodDelete, "/meetings/"+escapeUUID(uuid)+"/recordings/"+url.PathEscape(fileID), url.Values{"action": {"trash"}}, light, nil)
	if media.KindOf(err) == media.NotFound && ReasonOf(err) == ReasonNoRecording {
		return nil
	}
	return err
}

// escapeUUID writes a meeting's uuid as a path element: encoded, and encoded twice
// when it begins with "/" or holds "//", as Zoom asks.
func escapeUUID(uuid string) string {
	escaped := url.QueryEscape(uuid) // PathEscape would leave "=" and "+" alone
	escaped = strings.ReplaceAll(escaped, "+", "%20")
	if strings.HasPrefix(uuid, "/") || strings.Contains(uuid, "//") {
		escaped = url.PathEscape(escaped)
	}
	return escaped
}

// call makes one API call and decodes its answer into out, unless that is nil. Passing faults
// are retried within the account's limits, except for answers that are not what was asked
// for, which Zoom repeats. A refused token is replaced once. Where the caller's deadline ends
// the retries, the error is that of the last try.
func (c *Client) call(ctx context.Context, op string, a Account, method, path string, query url.Values, l label, out answer) error {
	limit := c.limits.forAccount(a.ID)
	refused, renewed := "", false
	var last error
	for try := 1; ; try++ {
		if err := limit.wait(ctx, op, l); err != nil {
			if last != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return last
			}
			return err
		}
		token, err := c.tokens.get(ctx, a, refused)
		if err != nil {
			return err
		}
		err = c.once(ctx, op, token, method, path, query, out)
		switch reason := ReasonOf(err); {
		case err == nil:
			return nil
		case reason == ReasonExpiredToken && !renewed:
			refused, renewed = token, true
			continue
		case reason == ReasonRateLimited:
			limit.backOff(l, reason, max(media.RetryAfterOf(err), c.pause(min(try, 4))))
		case reason == ReasonDailyLimit:
			limit.backOff(l, reason, max(media.RetryAfterOf(err), time.Minute))
			if media.RetryAfterOf(err) > maxWait {
				return err
			}
		case reason == ReasonNoList, !media.KindOf(err).Passing():
			return err
		}
		if try == tries {
			return err
		}
		last = err
		if reason := ReasonOf(err); reason != ReasonRateLimited && reason != ReasonDailyLimit {
			select {
			case <-ctx.Done():
				if errors.Is(ctx.Err(), context.DeadlineExceeded) {
					return err
				}
				return network(ctx, op, ctx.Err())
			case <-time.After(c.pause(try)):
			}
		}
	}
}

func (c *Client) once(ctx context.Context, op, token, method, path string, query url.Values, out answer) error {
	target, err := url.Parse(strings.TrimSuffix(c.cfg.APIURL, "/") + path)
	if err != nil {
		return media.Faultf(media.Invalid, op, "the API URL cannot be used")
	}
	target.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, method, target.String(), nil)
	if err != nil {
		return media.Faultf(media.Invalid, op, "the API URL cannot be used")
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Accept", "application/json")
	if traceparent := media.TraceparentOf(ctx); traceparent != "" {
		req.Header.Set("Traceparent", traceparent)
	}
	if err := failpoint.ErrOf("zoom.request", op); err != nil {
		return network(ctx, op, err)
	}
	resp, err := c.api.Do(req)
	failpoint.HereOf("zoom.answer", op)
	if err != nil {
		return network(ctx, op, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return network(ctx, op, err)
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return refusal(op, resp.StatusCode, resp.Header, body)
	}
	return readAnswer(op, resp, body, out)
}

// answer is what a call decodes. check refuses JSON that is not what was asked for.
type answer interface{ check(op string) error }

// readAnswer decodes a successful answer. Zoom sends errors with status 200 as well: a
// missing permission with code 200, an invalid field with code 300.
func readAnswer(op string, resp *http.Response, body []byte, out answer) error {
	if bytes.Contains(body, []byte(`"code"`)) && codeOf(body) != 0 {
		return refusal(op, resp.StatusCode, resp.Header, body)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(body, out); err != nil {
		return &media.Error{Kind: media.Corrupt, Op: op, Reason: ReasonNoList, Err: errors.New("the answer is not the JSON it should be")}
	}
	return out.check(op)
}
