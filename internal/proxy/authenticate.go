package proxy

import (
	"context"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lectiospace/lectern/internal/media"
)

// requestAccess is the AccessControl of requests: it authenticates a request that may
// have several tokens, and limits forged ones. All requests with a token are
// authenticated by it.
type requestAccess struct {
	AccessControl
	failures *authFailureLimiter
	limited  prometheus.Counter
	now      func() time.Time
}

// Authenticate returns the user of the first token that is valid. A playback token of
// another recording than recordingID, unless that is 0, is passed over like an invalid
// one, and is the answer only when no other token is valid: Authorize refuses it with a
// reason of its own.
//
// When no token is valid, the error is the first that tells most: that the catalog or the
// keys are unavailable, then the refusal of a token that was signed by the platform, then
// that of a forged one. One forged token of a request counts as a failure of the client's
// address, and none does when another token is valid; beyond the limit the refusal is
// media.CodeThrottled.
func (a *requestAccess) Authenticate(ctx context.Context, client netip.Addr, tokens []media.Token, recordingID int64) (media.Viewer, error) {
	var other *media.Viewer // of a playback token of another recording
	var failure error
	for _, token := range tokens {
		viewer, err := a.AccessControl.Authenticate(ctx, token)
		switch {
		case err != nil:
			if failure == nil || rank(err) > rank(failure) {
				failure = err
			}
		case viewer.Playback == 0 || recordingID == 0 || viewer.Playback == recordingID:
			return viewer, nil
		case other == nil:
			other = &viewer
		}
	}
	if other != nil {
		return *other, nil
	}
	if failure == nil {
		failure = media.Refuse(media.CodeNotAuthenticated, "Authentication credentials were not provided.")
	}
	return media.Viewer{}, a.Limit(client, failure)
}

// lastingAccess is the optional interface of an AccessControl that knows for how long its
// decisions hold: see stream.Access.
type lastingAccess interface {
	Lasting(token media.Token, v media.Viewer, rec media.Recording) func() bool
}

// Lasting is the AccessControl's, where it is a lastingAccess; else nil.
func (a *requestAccess) Lasting(token media.Token, v media.Viewer, rec media.Recording) func() bool {
	if lasting, ok := a.AccessControl.(lastingAccess); ok {
		return lasting.Lasting(token, v, rec)
	}
	return nil
}

// rank orders the errors of several tokens by how much they tell.
func rank(err error) int {
	switch r := media.RefusalOf(err); {
	case r == nil:
		return 2
	case !r.Forged:
		return 1
	default:
		return 0
	}
}

// Limit counts a forged token against the client's address. It returns err, or the
// refusal of an address that is over the limit.
func (a *requestAccess) Limit(client netip.Addr, err error) error {
	if r := media.RefusalOf(err); r == nil || !r.Forged {
		return err
	}
	wait := a.failures.fail(client, a.now())
	if wait == 0 {
		return err
	}
	a.limited.Inc()
	return throttled(wait)
}
