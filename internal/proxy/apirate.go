package proxy

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lectiospace/lectern/internal/media"
)

// apiBurst is how many seconds' worth of API requests a user may send at once.
const apiBurst = 3

// Rate is a number of requests a second, as "20/s"; 0 = no limit.
type Rate float64

// UnmarshalText reads a rate: a number and "/s", or 0.
func (r *Rate) UnmarshalText(text []byte) error {
	in := strings.TrimSpace(string(text))
	number, ok := strings.CutSuffix(in, "/s")
	n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if err != nil || !ok && n != 0 || !(n >= 0 && n <= 1e6) || n > 0 && n < 0.01 {
		return fmt.Errorf("%q is not a rate: give requests a second, as 20/s, or 0 for no limit", in)
	}
	*r = Rate(n)
	return nil
}

// String writes the rate as UnmarshalText reads it.
func (r Rate) String() string {
	if r == 0 {
		return "0"
	}
	return strconv.FormatFloat(float64(r), 'f', -1, 64) + "/s"
}

// MarshalText is String, for printed configurations.
func (r Rate) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// apiAccess is the access of the API's requests, of which each user may send so many a
// second. Streams are not limited by it: players send ranges as they need them.
type apiAccess struct {
	*requestAccess
	rate    *userRate
	limited prometheus.Counter
}

// Authenticate returns the user as requestAccess.Authenticate does, or a refusal when the
// user sends too many requests.
func (a apiAccess) Authenticate(ctx context.Context, client netip.Addr, tokens []media.Token, recordingID int64) (media.Viewer, error) {
	viewer, err := a.requestAccess.Authenticate(ctx, client, tokens, recordingID)
	if err != nil {
		return viewer, err
	}
	if wait := a.rate.count(viewer.User.ID, a.now()); wait > 0 {
		a.limited.Inc()
		return viewer, throttled(wait)
	}
	return viewer, nil
}

// userRate is GCRA by user: for each the theoretical arrival time, at which all of the
// user's requests are forgotten. Safe for concurrent use.
type userRate struct {
	interval time.Duration // between requests; 0 = no limit
	mu       sync.Mutex
	tat      map[int64]time.Time // guarded by mu
}

func newUserRate(rate Rate) *userRate {
	u := &userRate{tat: map[int64]time.Time{}}
	if rate > 0 {
		u.interval = time.Duration(float64(time.Second) / float64(rate))
	}
	return u
}

// count counts a request. It returns 0, or, when the request is over the limit and not
// counted, how long to wait.
func (u *userRate) count(user int64, now time.Time) time.Duration {
	if u.interval == 0 {
		return 0
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	tat := u.tat[user]
	if tat.Before(now) {
		tat = now
	}
	tat = tat.Add(u.interval)
	if ahead := tat.Sub(now); ahead > apiBurst*time.Second {
		return ahead - apiBurst*time.Second
	}
	if len(u.tat) >= maxLimited {
		for id, tat := range u.tat {
			if !tat.After(now) {
				delete(u.tat, id)
			}
		}
	}
	u.tat[user] = tat
	return 0
}

// throttled is the refusal of a request that may be repeated after wait.
func throttled(wait time.Duration) error {
	seconds := max(1, int64((wait+time.Second-1)/time.Second))
	r := media.Refuse(media.CodeThrottled, fmt.Sprintf("Request was throttled. Expected available in %d seconds.", seconds))
	r.RetryAfter = time.Duration(seconds) * time.Second
	return r
}
