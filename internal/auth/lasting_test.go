package auth

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lectiospace/lectern/internal/media"
)

// rememberingPeople is a CachedDirectory that has everything in memory.
type rememberingPeople struct {
	*people
	stale bool // nothing is in memory any more
}

func (p *rememberingPeople) CachedFacts(userID, recordingID int64, membership bool) (known media.CachedFacts, ok bool) {
	known = media.CachedFacts{User: p.users[userID], Recording: p.recordings[recordingID], Fresh: func() bool { return !p.stale }}
	if membership {
		known.Membership = p.memberships[[2]int64{userID, recordingID}]
	}
	return known, !p.stale
}

// lastingRig is an Authorizer in front of rememberingPeople.
type lastingRig struct {
	*authRig
	directory *rememberingPeople
}

func newLastingRig(t *testing.T) *lastingRig {
	rig := newGateRig(t, Config{})
	remembering := &rememberingPeople{people: rig.people}
	rig.Authorizer.directory = remembering
	return &lastingRig{rig, remembering}
}

// lasting decides, and returns the function of Lasting.
func (rig *lastingRig) lasting(t *testing.T, token string, recording int64) func() bool {
	t.Helper()
	tok := media.Token{Value: token, From: media.FromHeader}
	v, err := rig.Authenticate(t.Context(), tok)
	if err != nil {
		t.Fatal(err)
	}
	rec, err := rig.Authorize(t.Context(), v, recording)
	if err != nil {
		t.Fatal(err)
	}
	rig.verified.cache.Wait()
	return rig.Lasting(tok, v, rec)
}

// TestLasting: a decision holds until the first thing that it depends on changes.
func TestLasting(t *testing.T) {
	expires := noon.Add(time.Hour)
	for _, c := range []struct {
		name  string
		event func(rig *lastingRig) error
		holds bool
	}{
		{"nothing", func(*lastingRig) error { return nil }, true},
		{"just before the token expires", func(rig *lastingRig) error { rig.now = expires.Add(-time.Second); return nil }, true},
		{"the token expires", func(rig *lastingRig) error { rig.now = expires.Add(time.Second); return nil }, false},
		{"the directory has to ask", func(rig *lastingRig) error { rig.directory.stale = true; return nil }, false},
		{"the secret changes", func(rig *lastingRig) error { return rig.verifier.SetSecrets(Config{JWTSecret: testSecret + "2"}) }, false},
		{"the same secrets are read again", func(rig *lastingRig) error { return rig.verifier.SetSecrets(Config{JWTSecret: testSecret}) }, false},
		{"retention ends", func(rig *lastingRig) error { rig.now = noon.Add(30 * time.Minute); return nil }, false},
	} {
		rig := newLastingRig(t)
		if c.name == "retention ends" {
			rec := rig.people.recordings[3]
			rec.AvailableUntil = noon.Add(20 * time.Minute)
			rig.people.recordings[3] = rec
		}
		token := hs256(access(map[string]any{"user_id": fmt.Sprint(student), "exp": expires.Unix()}))
		holds := rig.lasting(t, token, 3)
		if holds == nil || !holds() {
			t.Fatalf("%s: does not hold at first", c.name)
		}
		before := rig.counted("ok")
		if err := c.event(rig); err != nil {
			t.Fatal(err)
		}
		counted := 0.0
		if c.holds {
			counted = 1
		}
		if got := holds(); got != c.holds || rig.counted("ok")-before != counted {
			t.Errorf("%s: holds %t, counted %v", c.name, got, rig.counted("ok")-before)
		}
	}
}

// TestLastingRefuses: what the directory's memory does not confirm is not lasting.
func TestLastingRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(rig *lastingRig)
	}{
		{"the user has changed", func(rig *lastingRig) { rig.people.users[student] = media.User{ID: student, Role: "student"} }},
		{"the role has changed", func(rig *lastingRig) {
			rig.people.users[student] = media.User{ID: student, Role: "teacher", Active: true}
		}},
		{"the role has changed to one that may watch", func(rig *lastingRig) {
			rig.people.users[student] = media.User{ID: student, Role: "admin", Active: true}
		}},
		{"the recording has changed", func(rig *lastingRig) {
			rec := rig.people.recordings[3]
			rec.Title = "renamed"
			rig.people.recordings[3] = rec
		}},
		{"the membership has ended", func(rig *lastingRig) { delete(rig.people.memberships, [2]int64{student, 3}) }},
		{"nothing is in memory", func(rig *lastingRig) { rig.directory.stale = true }},
		{"the token is unknown", func(rig *lastingRig) { rig.verified.cache.Clear() }},
	} {
		rig := newLastingRig(t)
		tok := media.Token{Value: userToken(student), From: media.FromHeader}
		v, err := rig.Authenticate(t.Context(), tok)
		if err != nil {
			t.Fatal(err)
		}
		rec, err := rig.Authorize(t.Context(), v, 3)
		if err != nil {
			t.Fatal(err)
		}
		rig.verified.cache.Wait()
		c.change(rig)
		if rig.Lasting(tok, v, rec) != nil {
			t.Errorf("%s: lasting", c.name)
		}
	}
	// A directory without a memory has nothing that lasts.
	rig := newGateRig(t, Config{})
	tok := media.Token{Value: userToken(student), From: media.FromHeader}
	v, err := rig.Authenticate(t.Context(), tok)
	if err != nil {
		t.Fatal(err)
	}
	rig.verified.cache.Wait()
	if rig.Lasting(tok, v, rig.people.recordings[3]) != nil {
		t.Error("lasting without a memory")
	}
	// Neither has a token of somebody else, or for another recording.
	lasting := newLastingRig(t)
	if v, err = lasting.Authenticate(t.Context(), tok); err != nil {
		t.Fatal(err)
	}
	lasting.verified.cache.Wait()
	if lasting.Lasting(tok, v, lasting.people.recordings[3]) == nil {
		t.Error("not lasting for its own viewer")
	}
	for name, viewer := range map[string]media.Viewer{
		"another user": {User: lasting.people.users[admin]}, "another recording": {User: v.User, Playback: 3},
	} {
		if lasting.Lasting(tok, viewer, lasting.people.recordings[3]) != nil {
			t.Errorf("lasting for %s", name)
		}
	}
}

// TestLastingOfAKey: a decision ends with the published key that has signed its token.
func TestLastingOfAKey(t *testing.T) {
	k := testKeys()
	server := newKeyServer(t, jwksOf(jwk("one", k.ec, "")))
	v := startVerifier(t, Config{JWKSURL: server.URL, JWTSecret: testSecret}, 0)
	g, err := NewAuthorizer(Config{JWTSecret: testSecret}, v, &rememberingPeople{people: newPeople()}, prometheus.NewRegistry(), atNoon)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	tok := media.Token{Value: by("one", k.ec), From: media.FromHeader}
	viewer, err := g.Authenticate(t.Context(), tok)
	if err != nil {
		t.Fatal(err)
	}
	g.verified.cache.Wait()
	rec, err := g.Authorize(t.Context(), viewer, 3)
	if err != nil {
		t.Fatal(err)
	}
	holds := g.Lasting(tok, viewer, rec)
	if holds == nil || !holds() {
		t.Fatal("does not hold at first")
	}
	server.set(200, jwksOf(jwk("two", k.ed, "")))
	if _, err := g.Authenticate(t.Context(), media.Token{Value: by("two", k.ed), From: media.FromHeader}); err != nil {
		t.Fatal(err)
	}
	if holds() {
		t.Error("holds after the key was withdrawn")
	}
}
