package auth

import "github.com/lectiospace/lectern/internal/media"

// CachedDirectory is the optional interface of a Directory that answers from memory. ok is
// false when it would have to ask.
type CachedDirectory interface {
	CachedFacts(userID, recordingID int64, membership bool) (known media.CachedFacts, ok bool)
}

// Lasting is for a viewer that Authenticate has returned for tok, and a recording that
// Authorize has returned for the viewer. Both are decided again, from memory alone. The
// function that it returns reports, whenever it is called, whether they would still be decided
// the same way: the token has not expired, no key has changed, and neither the user nor the
// recording nor the list of viewers is looked up anew. It counts a decision each time that it
// returns true, and is safe for concurrent use. Lasting returns nil where it cannot tell.
func (a *Authorizer) Lasting(tok media.Token, v media.Viewer, rec media.Recording) func() bool {
	directory, ok := a.directory.(CachedDirectory)
	if !ok {
		return nil
	}
	claims, ok := a.verified.get(digestOf(tok.Value))
	if !ok || claims.User != v.User.ID || claims.Playback != v.Playback {
		return nil
	}
	student := v.User.Role == media.RoleStudent
	known, ok := directory.CachedFacts(v.User.ID, rec.ID, student)
	if !ok || known.User != v.User || known.Recording != rec || Decide(a.rule, known.User, known.Recording, known.Membership, a.now()) != nil {
		return nil
	}
	return func() bool {
		now := a.now()
		holds := a.verifier.current(claims, now) && available(v.User, rec, now) == nil && known.Fresh()
		if holds {
			a.counters.count(nil)
		}
		return holds
	}
}
