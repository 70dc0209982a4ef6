package zoom

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/lectiospace/lectern/internal/failpoint"
	"github.com/lectiospace/lectern/internal/media"
)

const (
	// renewAhead is how long before its expiry a token is renewed in the background.
	renewAhead = 5 * time.Minute
	// refusalTTL is how long refused credentials are not tried again: a teacher whose
	// credentials are wrong must not cost a call each time.
	refusalTTL = time.Minute
	// maxTokenLife is for how long a token is believed to be valid, whatever Zoom says; it says
	// an hour.
	maxTokenLife = 24 * time.Hour
)

// tokens caches one access token per app. A token is fetched when a caller needs one, not
// for every app in advance. Safe for concurrent use.
type tokens struct {
	client *http.Client
	url    string
	now    func() time.Time
	group  singleflight.Group

	mu     sync.Mutex
	cached map[string]cachedToken // by Account.key; guarded by mu
}

// cachedToken is a token, or why there is none.
type cachedToken struct {
	token   string
	scopes  []string // granted; empty when Zoom did not say
	expires time.Time
	err     error
	retry   time.Time
}

// get returns a valid token, fetching one when there is none. refused is a token that was
// just answered with 401 and is not returned again.
func (t *tokens) get(ctx context.Context, a Account, refused string) (string, error) {
	key := a.key()
	t.mu.Lock()
	k, ok := t.cached[key]
	t.mu.Unlock()
	now := t.now()
	switch {
	case ok && k.err != nil && now.Before(k.retry):
		return "", k.err
	case ok && k.err == nil && k.token != refused && now.Before(k.expires.Add(-renewAhead)):
		return k.token, nil
	}
	// All callers of one app share one exchange, which does not end with the context of the
	// first of them.
	done := t.group.DoChan(key, func() (any, error) {
		asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		return t.refresh(asking, a, key)
	})
	if ok && k.err == nil && k.token != refused && now.Before(k.expires.Add(-10*time.Second)) {
		return k.token, nil // still valid: the renewal goes on in the background
	}
	select {
	case <-ctx.Done():
		return "", network(ctx, "zoom: token", ctx.Err())
	case r := <-done:
		if r.Err != nil {
			return "", r.Err
		}
		return r.Val.(string), nil
	}
}

// scopes are those of the app's last token, nil when there is none.
func (t *tokens) scopes(a Account) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.cached[a.key()].scopes
}

// refresh exchanges the credentials (grant_type=account_credentials) and caches the
// result.
func (t *tokens) refresh(ctx context.Context, a Account, key string) (string, error) {
	token, scopes, life, err := t.exchange(ctx, a)
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case err == nil:
		t.cached[key] = cachedToken{token: token, scopes: scopes, expires: t.now().Add(life)}
	case media.KindOf(err) == media.Denied:
		t.cached[key] = cachedToken{err: err, retry: t.now().Add(refusalTTL)}
	}
	return token, err
}

func (t *tokens) exchange(ctx context.Context, a Account) (token string, scopes []string, life time.Duration, err error) {
	const op = "zoom: token"
	form := url.Values{"grant_type": {"account_credentials"}, "account_id": {a.ID}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.url, strings.NewReader(form.Encode()))
	if err != nil {
		return "", nil, 0, media.Faultf(media.Invalid, op, "the token URL cannot be used")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(a.ClientID+":"+a.ClientSecret)))
	if err := failpoint.ErrOf("zoom.request", op); err != nil {
		return "", nil, 0, network(ctx, op, err)
	}
	resp, err := t.client.Do(req)
	failpoint.HereOf("zoom.answer", op)
	if err != nil {
		return "", nil, 0, network(ctx, op, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return "", nil, 0, network(ctx, op, err)
	}
	if resp.StatusCode != http.StatusOK {
		return "", nil, 0, tokenRefusal(op, resp.StatusCode, resp.Header, body)
	}
	var in struct {
		Token   text  `json:"access_token"`
		Seconds count `json:"expires_in"`
		Scope   text  `json:"scope"`
	}
	if json.Unmarshal(body, &in) != nil || in.Token == "" {
		return "", nil, 0, media.Faultf(media.Corrupt, op, "the answer holds no token")
	}
	life = time.Hour
	if in.Seconds > 0 {
		life = time.Duration(min(int64(in.Seconds), int64(maxTokenLife/time.Second))) * time.Second
	}
	return string(in.Token), strings.FieldsFunc(string(in.Scope), func(r rune) bool { return r == ' ' || r == ',' }), life, nil
}
