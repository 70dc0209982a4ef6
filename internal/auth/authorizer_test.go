package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/lectiospace/lectern/internal/media"
)

// people is a Directory of maps that counts what it is asked.
type people struct {
	users       map[int64]media.User
	recordings  map[int64]media.Recording
	memberships map[[2]int64]media.Membership
	fault       error // what every answer is, when set
	memberFault error
	asked       map[string]int
}

var errMissing = media.Fault(media.NotFound, "test: look up", nil)

func (p *people) User(_ context.Context, id int64) (media.User, error) {
	p.asked["user"]++
	u, ok := p.users[id]
	return u, p.or(ok)
}

func (p *people) Recording(_ context.Context, id int64) (media.Recording, error) {
	p.asked["recording"]++
	rec, ok := p.recordings[id]
	return rec, p.or(ok)
}

func (p *people) Membership(_ context.Context, userID int64, rec media.Recording) (media.Membership, error) {
	p.asked["membership"]++
	return p.memberships[[2]int64{userID, rec.ID}], errors.Join(p.fault, p.memberFault)
}

func (p *people) or(found bool) error {
	if p.fault == nil && !found {
		return fmt.Errorf("wrapped: %w", errMissing)
	}
	return p.fault
}

// The people of the tests.
const (
	admin, teacher, other, student, stranger, gone, nobody = 1, 3, 4, 7, 8, 14, 99
)

func newPeople() *people {
	mp4 := media.Location{Provider: "local", Key: "a.mp4"}
	p := &people{
		users: map[int64]media.User{
			admin: {ID: admin, Role: "admin", Active: true}, teacher: {ID: teacher, Role: "teacher", Active: true},
			other: {ID: other, Role: "teacher", Active: true}, student: {ID: student, Role: "student", Active: true},
			stranger: {ID: stranger, Role: "student", Active: true}, gone: {ID: gone, Role: "student"},
		},
		recordings:  map[int64]media.Recording{},
		memberships: map[[2]int64]media.Membership{},
		asked:       map[string]int{},
	}
	for _, rec := range []media.Recording{
		{ID: 3, Status: "ready", Location: mp4},
		{ID: 4, Status: "ready", Location: mp4},
		{ID: 5, Status: "failed", Location: mp4},
		{ID: 6, Status: "ready"},
		{ID: 7, Status: "ready", Location: mp4, Deleted: true},
		{ID: 8, Status: "processing"},
		{ID: 9, Status: "ready", Location: mp4, AvailableUntil: noon},
	} {
		rec.OwnerID, rec.Visibility = teacher, "lesson_group"
		p.recordings[rec.ID] = rec
		p.memberships[[2]int64{student, rec.ID}] = media.Membership{InAllowedGroup: true}
	}
	return p
}

type authRig struct {
	*Authorizer
	people  *people
	metrics *prometheus.Registry
	now     time.Time
}

func newGateRig(t testing.TB, cfg Config) *authRig {
	t.Helper()
	if cfg.JWTSecret == "" {
		cfg.JWTSecret = testSecret
	}
	rig := &authRig{people: newPeople(), metrics: prometheus.NewRegistry(), now: noon}
	clock := func() time.Time { return rig.now }
	v, err := NewVerifier(cfg, quiet(), clock)
	if err != nil {
		t.Fatal(err)
	}
	if rig.Authorizer, err = NewAuthorizer(cfg, v, rig.people, rig.metrics, clock); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(rig.Close)
	t.Cleanup(rig.Close)
	return rig
}

func (rig *authRig) counted(result string) float64 {
	families, err := rig.metrics.Gather()
	if err != nil {
		panic(err)
	}
	for _, metric := range families[0].GetMetric() {
		if metric.GetLabel()[0].GetValue() == result {
			return metric.GetCounter().GetValue()
		}
	}
	return -1
}

func userToken(id int64) string {
	return hs256(access(map[string]any{"user_id": fmt.Sprint(id)}))
}

func TestAuthenticate(t *testing.T) {
	play := withKey(playOne, playback(nil))
	cases := []struct {
		name    string
		query   string // AUTH_QUERY_TOKENS
		tok     media.Token
		want    string
		counted string
	}{
		{"header", "any", media.Token{Value: userToken(student), From: media.FromHeader}, "ok", ""},
		{"query", "any", media.Token{Value: userToken(student), From: media.FromQuery}, "ok", ""},
		{"query, playback only", "playback", media.Token{Value: userToken(student), From: media.FromQuery}, isInvalid, "token_not_valid"},
		{"header, playback only", "playback", media.Token{Value: userToken(student), From: media.FromHeader}, "ok", ""},
		{"access token in the cookie", "playback", media.Token{Value: userToken(student), From: media.FromCookie}, "ok", ""},
		{"playback token in the cookie", "playback", media.Token{Value: play, From: media.FromCookie}, "ok", ""},
		{"playback token in the query", "playback", media.Token{Value: play, From: media.FromQuery}, "ok", ""},
		{"playback token in the header", "any", media.Token{Value: play, From: media.FromHeader}, "ok", ""},
		{"nothing", "any", media.Token{}, "not_authenticated", "not_authenticated"},
		{"empty cookie", "any", media.Token{From: media.FromCookie}, "not_authenticated", "not_authenticated"},
		{"rubbish", "any", media.Token{Value: "rubbish", From: media.FromHeader}, isInvalid, "token_not_valid"},
		{"endless rubbish", "any", media.Token{Value: strings.Repeat("a", 1<<20), From: media.FromHeader}, isInvalid, "token_not_valid"},
		{"expired", "any", media.Token{Value: hs256(access(map[string]any{"exp": 1})), From: media.FromHeader}, isExpired, "token_not_valid"},
		{"nobody", "any", media.Token{Value: userToken(nobody), From: media.FromHeader}, "user_not_found", "user_not_found"},
		{"inactive", "any", media.Token{Value: userToken(gone), From: media.FromHeader}, "user_inactive", "user_inactive"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			rig := newGateRig(t, Config{PlaybackSecret: playOne, QueryTokens: c.query})
			for range 2 { // the second time from memory
				viewer, err := rig.Authenticate(t.Context(), c.tok)
				if outcome(err) != c.want {
					t.Fatalf("got %q, want %q", outcome(err), c.want)
				}
				if err != nil && viewer != (media.Viewer{}) {
					t.Errorf("refused, and yet %+v", viewer)
				}
				if err == nil && (viewer.User != rig.people.users[student] || (viewer.Playback == 3) != (c.tok.Value == play) || !viewer.Expires.Equal(noon.Add(time.Hour))) {
					t.Errorf("viewer %+v", viewer)
				}
				rig.verified.cache.Wait()
			}
			if c.counted != "" && rig.counted(c.counted) != 2 {
				t.Errorf("counted %v of %s", rig.counted(c.counted), c.counted)
			}
			if rig.counted("ok") != 0 {
				t.Error("a request is counted when it is authorised")
			}
		})
	}
}

// TestAuthenticateDetails holds the sentences against the platform's.
func TestAuthenticateDetails(t *testing.T) {
	rig := newGateRig(t, Config{})
	for value, want := range map[string]string{
		"":                "Authentication credentials were not provided.",
		userToken(nobody): "User not found",
		userToken(gone):   "User is inactive",
		"rubbish":         "Given token not valid for any token type",
	} {
		_, err := rig.Authenticate(t.Context(), media.Token{Value: value, From: media.FromHeader})
		if r := media.RefusalOf(err); r == nil || r.Detail != want {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// TestRoleComesFromTheDatabase: what the token says of its bearer is not read.
func TestRoleComesFromTheDatabase(t *testing.T) {
	rig := newGateRig(t, Config{})
	token := hs256(access(map[string]any{"user_id": stranger, "role": "admin", "is_superuser": true}))
	viewer, err := rig.Authenticate(t.Context(), media.Token{Value: token, From: media.FromHeader})
	if err != nil || viewer.User.Role != media.RoleStudent {
		t.Fatalf("%+v, %v", viewer, err)
	}
	if _, err = rig.Authorize(t.Context(), viewer, 3); outcome(err) != "no_access" {
		t.Fatalf("got %v", err)
	}
}

// TestSetSecrets: after a change of secrets tokens of the old ones are refused, also those
// that were verified before, and new ones are taken; a change that is wrong changes nothing.
func TestSetSecrets(t *testing.T) {
	const (
		next  = "the next key of the platform: 32 bytes and more"
		first = "the first playback key: 32 bytes and more"
		other = "the second playback key: 32 bytes and more"
	)
	cfg := Config{JWTSecret: testSecret, PlaybackSecret: first}
	rig := newGateRig(t, cfg)
	minter, err := NewMinter(cfg, func() time.Time { return noon })
	if err != nil {
		t.Fatal(err)
	}
	tokens := func() (access, playback media.Token) {
		t.Helper()
		a, err := minter.Access(student, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		p, err := minter.Playback(student, 1, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		return media.Token{Value: a, From: media.FromHeader}, media.Token{Value: p, From: media.FromHeader}
	}
	expect := func(what string, tok media.Token, want string) {
		t.Helper()
		_, err := rig.Authenticate(t.Context(), tok)
		rig.verified.cache.Wait()
		if outcome(err) != want {
			t.Errorf("%s: %v, want %s", what, err, want)
		}
	}
	set := func(cfg Config) error { return errors.Join(rig.verifier.SetSecrets(cfg), minter.SetSecrets(cfg)) }
	oldAccess, oldPlayback := tokens()
	expect("access", oldAccess, "ok")
	expect("playback", oldPlayback, "ok")
	if err := set(Config{JWTSecret: "short", PlaybackSecret: first}); err == nil || !strings.Contains(err.Error(), "auth-jwt-secret") {
		t.Errorf("a short secret: %v", err)
	}
	expect("access after a wrong change", oldAccess, "ok")

	// The playback key is rotated: the old one verifies still.
	if err := set(Config{JWTSecret: next, PlaybackSecret: other + "," + first}); err != nil {
		t.Fatal(err)
	}
	newAccess, newPlayback := tokens()
	expect("access of the old secret", oldAccess, isInvalid)
	expect("access of the new secret", newAccess, "ok")
	expect("playback of the old key, which verifies still", oldPlayback, "ok")
	expect("playback of the new key", newPlayback, "ok")
	if err := set(Config{JWTSecret: next, PlaybackSecret: other}); err != nil {
		t.Fatal(err)
	}
	expect("playback of the withdrawn key", oldPlayback, isInvalid)
	expect("playback of the new key", newPlayback, "ok")
	expect("access", newAccess, "ok")
}

// TestTokenCache: a token is verified once, and its expiry is checked every time.
func TestTokenCache(t *testing.T) {
	rig := newGateRig(t, Config{Leeway: time.Minute})
	tok := media.Token{Value: userToken(student), From: media.FromHeader}
	if _, err := rig.Authenticate(t.Context(), tok); err != nil {
		t.Fatal(err)
	}
	rig.verified.cache.Wait()
	if claims, ok := rig.verified.get(digestOf(tok.Value)); !ok || claims.User != student {
		t.Fatalf("not cached: %+v", claims)
	}
	rig.verifier.secrets.Load().access = []byte("another key altogether, 32 bytes long")
	if _, err := rig.Authenticate(t.Context(), tok); err != nil {
		t.Errorf("verified again: %v", err)
	}
	rig.verifier.secrets.Load().access = []byte(testSecret)
	rig.now = noon.Add(time.Hour + time.Minute - time.Second)
	if _, err := rig.Authenticate(t.Context(), tok); err != nil {
		t.Errorf("within the leeway: %v", err)
	}
	rig.now = noon.Add(time.Hour + time.Minute)
	if _, err := rig.Authenticate(t.Context(), tok); outcome(err) != isExpired {
		t.Errorf("over: %v", err)
	}
	// A digest that shares the short key must not share the claims.
	twin := digestOf(tok.Value)
	twin[31] ^= 1
	if _, ok := rig.verified.get(twin); ok {
		t.Error("another token's claims")
	}
}

// TestTokenCacheEndsWithTheKey: tokens of a withdrawn key are refused, cached or not.
func TestTokenCacheEndsWithTheKey(t *testing.T) {
	k := testKeys()
	server := newKeyServer(t, jwksOf(jwk("one", k.ec, "")))
	v := startVerifier(t, Config{JWKSURL: server.URL, JWTSecret: testSecret}, 0)
	g, err := NewAuthorizer(Config{JWTSecret: testSecret}, v, newPeople(), prometheus.NewRegistry(), atNoon)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	authenticate := func(token string) string {
		_, err := g.Authenticate(t.Context(), media.Token{Value: token, From: media.FromHeader})
		g.verified.cache.Wait()
		return outcome(err)
	}
	if got := authenticate(by("one", k.ec)); got != "ok" {
		t.Fatal(got)
	}
	token := by("one", k.ec) // ECDSA signs differently each time: use this one
	if got := authenticate(token) + authenticate(token); got != "okok" {
		t.Fatal(got)
	}
	server.set(200, jwksOf(jwk("two", k.ed, "")))
	if got := authenticate(by("two", k.ed)); got != "ok" {
		t.Fatal(got)
	}
	if got := authenticate(token); got != isInvalid {
		t.Errorf("withdrawn key: %s", got)
	}
}

func TestAuthorize(t *testing.T) {
	cases := []struct {
		name       string
		user       int64
		playback   int64
		recording  int64
		want       string
		membership int // how often the lists were asked
	}{
		{"student of the group", student, 0, 3, "ok", 1},
		{"stranger", stranger, 0, 3, "no_access", 1},
		{"owner", teacher, 0, 3, "ok", 0},
		{"another teacher", other, 0, 3, "no_access", 0},
		{"admin", admin, 0, 3, "ok", 0},
		{"no such recording", admin, 0, 1000, "not_found", 0},
		{"negative", admin, 0, -1, "not_found", 0},
		{"deleted", admin, 0, 7, "not_found", 0},
		{"failed", student, 0, 5, "no_media", 0},
		{"nothing archived", student, 0, 6, "no_media", 0},
		{"processing", student, 0, 8, "processing", 1},
		{"processing, for a stranger", stranger, 0, 8, "no_access", 1},
		{"expired", student, 0, 9, "expired", 1},
		{"expired, for a stranger", stranger, 0, 9, "no_access", 1},
		{"expired, for its owner", teacher, 0, 9, "ok", 0},
		{"playback token's own", student, 3, 3, "ok", 1},
		{"playback token of another", student, 3, 4, "wrong_recording", 0},
		{"playback token of another, an admin's", admin, 3, 4, "wrong_recording", 0},
		{"playback token, access lost", stranger, 3, 3, "no_access", 1},
		{"playback token, no such recording", student, 3, 1000, "not_found", 0},
		{"playback token, failed recording", student, 3, 5, "no_media", 0},
		{"playback token of another, expired", student, 3, 9, "wrong_recording", 0},
		{"inactive", gone, 0, 1000, "user_inactive", 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			rig := newGateRig(t, Config{})
			v := media.Viewer{User: rig.people.users[c.user], Playback: c.playback}
			rec, err := rig.Authorize(t.Context(), v, c.recording)
			if outcome(err) != c.want {
				t.Fatalf("got %q, want %q", outcome(err), c.want)
			}
			if (err == nil) != (rec.ID == c.recording) {
				t.Errorf("recording %+v", rec)
			}
			if n := rig.people.asked["membership"]; n != c.membership {
				t.Errorf("the lists were asked %d times, want %d", n, c.membership)
			}
			if rig.counted(c.want) != 1 {
				t.Errorf("counted %v", rig.counted(c.want))
			}
			// Recheck comes to the same end, and is not counted.
			if err := rig.Recheck(t.Context(), v, c.recording); outcome(err) != c.want {
				t.Errorf("recheck: got %q, want %q", outcome(err), c.want)
			}
			if rig.counted(c.want) != 1 {
				t.Error("recheck was counted")
			}
		})
	}
}

// TestAccessRuleSetting: the setting reaches the decision.
func TestAccessRuleSetting(t *testing.T) {
	for rule, want := range map[string]string{"strict": "no_access", "platform": "ok", "": "no_access"} {
		rig := newGateRig(t, Config{AccessRule: rule})
		rec := rig.people.recordings[3]
		rec.Visibility = media.VisibleCustomStudents
		rig.people.recordings[3] = rec
		if _, err := rig.Authorize(t.Context(), media.Viewer{User: rig.people.users[student]}, 3); outcome(err) != want {
			t.Errorf("%q: got %q, want %q", rule, outcome(err), want)
		}
	}
}

// TestRecheck: what ends a running stream and what does not.
func TestRecheck(t *testing.T) {
	cases := []struct {
		name   string
		change func(*authRig)
		want   string
	}{
		{"nothing happened", func(*authRig) {}, "ok"},
		{"the token expired", func(r *authRig) { r.now = noon.Add(48 * time.Hour) }, "ok"},
		{"made inactive", func(r *authRig) { r.people.users[student] = media.User{ID: student, Role: "student"} }, "user_inactive"},
		{"user deleted", func(r *authRig) { delete(r.people.users, student) }, "user_not_found"},
		{"no student any more", func(r *authRig) { r.people.users[student] = media.User{ID: student, Role: "teacher", Active: true} }, "no_access"},
		{"left the group", func(r *authRig) { clear(r.people.memberships) }, "no_access"},
		{"recording deleted", func(r *authRig) { delete(r.people.recordings, 3) }, "not_found"},
		{"recording back to processing", func(r *authRig) {
			rec := r.people.recordings[3]
			rec.Status = "processing"
			r.people.recordings[3] = rec
		}, "processing"},
		{"retention ended", func(r *authRig) {
			rec := r.people.recordings[3]
			rec.AvailableUntil = noon
			r.people.recordings[3] = rec
		}, "expired"},
		{"the database is unavailable", func(r *authRig) { r.people.fault = media.Fault(media.Unavailable, "test", nil) }, "unavailable"},
		{"the lists cannot be read", func(r *authRig) { r.people.memberFault = media.Fault(media.Timeout, "test", nil) }, "timeout"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			rig := newGateRig(t, Config{PlaybackSecret: playOne})
			viewer, err := rig.Authenticate(t.Context(), media.Token{Value: withKey(playOne, playback(nil)), From: media.FromCookie})
			if err != nil {
				t.Fatal(err)
			}
			c.change(rig)
			if err := rig.Recheck(t.Context(), viewer, 3); outcome(err) != c.want {
				t.Errorf("got %q, want %q", outcome(err), c.want)
			}
		})
	}
}

// TestFaultsPassThrough: an unavailable database is no refusal.
func TestFaultsPassThrough(t *testing.T) {
	rig := newGateRig(t, Config{})
	rig.people.fault = &media.Error{Kind: media.Unavailable, Op: "test", RetryAfter: 3 * time.Second}
	_, err := rig.Authenticate(t.Context(), media.Token{Value: userToken(student), From: media.FromHeader})
	if media.RefusalOf(err) != nil || media.KindOf(err) != media.Unavailable || media.RetryAfterOf(err) != 3*time.Second {
		t.Errorf("authenticate: %v", err)
	}
	for _, viewer := range []int64{student, admin} {
		if _, err := rig.Authorize(t.Context(), media.Viewer{User: rig.people.users[viewer]}, 3); media.KindOf(err) != media.Unavailable {
			t.Errorf("authorize %d: %v", viewer, err)
		}
	}
	if got := rig.counted("error"); got != 3 {
		t.Errorf("counted %v", got)
	}
}

// TestMetricIsClosedAndComplete: every series stands there from the start.
func TestMetricIsClosedAndComplete(t *testing.T) {
	rig := newGateRig(t, Config{})
	want := "# HELP lectern_auth_total Access decisions by result: ok, a refusal's code, or error.\n# TYPE lectern_auth_total counter\n"
	for _, result := range []string{"code_not_valid", "error", "expired", "no_access", "no_media", "not_authenticated", "not_found", "ok", "processing",
		"token_not_valid", "user_inactive", "user_not_found", "wrong_recording"} {
		want += "lectern_auth_total{result=\"" + result + "\"} 0\n"
	}
	if err := testutil.GatherAndCompare(rig.metrics, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
	if _, err := NewAuthorizer(Config{JWTSecret: testSecret}, rig.verifier, rig.people, rig.metrics, atNoon); err == nil {
		t.Error("registered twice without an error")
	}
}
