package auth

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/lectiospace/lectern/internal/media"
)

// directoryOf knows users and nothing else.
type directoryOf map[int64]media.User

func (d directoryOf) User(_ context.Context, id int64) (media.User, error) {
	user, ok := d[id]
	if !ok {
		return media.User{}, media.Faultf(media.NotFound, "test", "no user %d", id)
	}
	return user, nil
}

func (d directoryOf) Recording(context.Context, int64) (media.Recording, error) {
	return media.Recording{}, errors.New("not looked up")
}

func (d directoryOf) Membership(context.Context, int64, media.Recording) (media.Membership, error) {
	return media.Membership{}, errors.New("not looked up")
}

// usedOnce stores codes as the catalog does.
type usedOnce map[string]bool

func (u usedOnce) Use(_ context.Context, id string, _, _ time.Time) (bool, error) {
	first := !u[id]
	u[id] = true
	return first, nil
}

// unavailableCodes is a store of codes whose database is away.
type unavailableCodes struct{}

func (unavailableCodes) Use(context.Context, string, time.Time, time.Time) (bool, error) {
	return false, media.Faultf(media.Unavailable, "test", "the database is away")
}

// newSessionParts are a minter and an authorizer of one configuration; user 7 is active and
// user 8 is not.
func newSessionParts(t *testing.T, cfg Config) (*Minter, *Authorizer) {
	t.Helper()
	m, err := NewMinter(cfg, atNoon)
	if err != nil {
		t.Fatal(err)
	}
	users := directoryOf{7: {ID: 7, Role: media.RoleStudent, Active: true}, 8: {ID: 8}}
	a, err := NewAuthorizer(cfg, newTestVerifier(t, cfg), users, prometheus.NewRegistry(), atNoon)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	return m, a
}

func must[T any](t *testing.T) func(v T, _ time.Time, err error) T {
	return func(v T, _ time.Time, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// TestKindsOfTokens: each kind of token counts from the sources that are meant for it, and
// from no other.
func TestKindsOfTokens(t *testing.T) {
	for _, cfg := range []Config{{JWTSecret: testSecret}, {JWTSecret: testSecret, PlaybackSecret: playOne + "," + playTwo}} {
		m, a := newSessionParts(t, cfg)
		access, err := m.Access(7, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		playback, err := m.Playback(7, 3, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		session := must[string](t)(m.Session(7, noon.Add(time.Hour), time.Hour))
		embed := must[string](t)(m.Embed(7, noon.Add(time.Hour), time.Hour))
		code := must[string](t)(m.SessionCode(7, noon.Add(time.Hour)))
		sources := []media.TokenSource{media.FromHeader, media.FromQuery, media.FromCookie, media.FromSession, media.FromEmbed}
		for _, c := range []struct {
			kind, token string
			want        string // one letter for each source
			asCode      string
		}{
			{"access", access, "+++--", "code_not_valid"},
			{"playback", playback, "+++--", "code_not_valid"},
			{"session", session, "---+-", "code_not_valid"},
			{"embed", embed, "----+", "code_not_valid"},
			{"code", code, "-----", "ok"},
		} {
			var got strings.Builder
			for _, from := range sources {
				v, err := a.Authenticate(t.Context(), media.Token{Value: c.token, From: from})
				switch {
				case err == nil && v.User.ID == 7 && v.Embedded == (from == media.FromEmbed):
					got.WriteByte('+')
				case outcome(err) == isInvalid:
					got.WriteByte('-')
				default:
					t.Errorf("%s from %d: %v", c.kind, from, err)
				}
			}
			if got.String() != c.want {
				t.Errorf("%s: %s, want %s", c.kind, got.String(), c.want)
			}
			_, err := CodeRedeemer{a, usedOnce{}}.Redeem(t.Context(), c.token)
			if outcome(err) != c.asCode {
				t.Errorf("%s as a code: %v, want %s", c.kind, err, c.asCode)
			}
		}
	}
}

// TestSessionLasts until the credential that began it ends, and for the configured time at most.
func TestSessionLasts(t *testing.T) {
	m, a := newSessionParts(t, Config{JWTSecret: testSecret})
	for _, c := range []struct{ until, ttl, want time.Duration }{
		{time.Hour, 12 * time.Hour, time.Hour},
		{24 * time.Hour, 12 * time.Hour, 12 * time.Hour},
		{time.Hour + 700*time.Millisecond, 12 * time.Hour, time.Hour},
	} {
		token, expires, err := m.Session(7, noon.Add(c.until), c.ttl)
		if err != nil || !expires.Equal(noon.Add(c.want)) {
			t.Errorf("until %s: %v, %v", c.until, expires, err)
		}
		v, err := a.Authenticate(t.Context(), media.Token{Value: token, From: media.FromSession})
		if err != nil || !v.Expires.Equal(expires) {
			t.Errorf("until %s: viewer %+v, %v", c.until, v, err)
		}
		if _, embedded, err := m.Embed(7, noon.Add(c.until), c.ttl); err != nil || !embedded.Equal(expires) {
			t.Errorf("an embedded player until %s: %v, %v", c.until, embedded, err)
		}
	}
	for _, until := range []time.Duration{0, -time.Hour} {
		token := must[string](t)(m.Session(7, noon.Add(until), time.Hour))
		if _, err := a.Authenticate(t.Context(), media.Token{Value: token, From: media.FromSession}); outcome(err) != isExpired {
			t.Errorf("until %s: %v", until, err)
		}
	}
	inactive := must[string](t)(m.Session(8, noon.Add(time.Hour), time.Hour))
	if _, err := a.Authenticate(t.Context(), media.Token{Value: inactive, From: media.FromSession}); outcome(err) != "user_inactive" {
		t.Errorf("a user who is not active any more: %v", err)
	}
}

// TestSessionKeys: the derivation is fixed, since gateways of different versions share sessions.
func TestSessionKeys(t *testing.T) {
	for _, cfg := range []Config{{JWTSecret: testSecret}, {JWTSecret: testSecret, PlaybackSecret: playOne + "," + playTwo}} {
		own, err := newOwnKeys(cfg)
		if err != nil {
			t.Fatal(err)
		}
		secrets := []string{testSecret}
		if cfg.PlaybackSecret != "" {
			secrets = strings.Split(cfg.PlaybackSecret, ",")
		}
		for label, kind := range map[string]signingKeys{"lectern:session": own.session, "lectern:embed": own.embed} {
			if len(kind.keys) != len(secrets) {
				t.Fatalf("%s: %d keys of %d secrets", label, len(kind.keys), len(secrets))
			}
			for i, secret := range secrets {
				want, err := hkdf.Key(sha256.New, []byte(secret), nil, label, 32)
				if err != nil || string(kind.keys[i].secret) != string(want) {
					t.Errorf("key %d is not derived with the label %s: %v", i, label, err)
				}
			}
		}
	}
	m, _ := newSessionParts(t, Config{JWTSecret: testSecret, PlaybackSecret: playOne})
	session := must[string](t)(m.Session(7, noon.Add(time.Hour), time.Hour))
	for secrets, want := range map[string]string{playTwo + "," + playOne: "ok", playTwo: isInvalid} {
		_, a := newSessionParts(t, Config{JWTSecret: testSecret, PlaybackSecret: secrets})
		if _, err := a.Authenticate(t.Context(), media.Token{Value: session, From: media.FromSession}); outcome(err) != want {
			t.Errorf("with other secrets: %v, want %s", err, want)
		}
	}
}

// TestSessionClaims: no claim of another kind of token makes a session.
func TestSessionClaims(t *testing.T) {
	cfg := Config{JWTSecret: testSecret}
	_, a := newSessionParts(t, cfg)
	own, err := newOwnKeys(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		edits map[string]any
		want  string
	}{
		"as they are":       {nil, "ok"},
		"playback's":        {map[string]any{"aud": "lectern:playback"}, isInvalid},
		"a code's":          {map[string]any{"aud": "lectern:session-code"}, isInvalid},
		"no audience":       {map[string]any{"aud": nil}, isInvalid},
		"no expiry":         {map[string]any{"exp": nil}, isInvalid},
		"no jti":            {map[string]any{"jti": nil}, isInvalid},
		"an empty jti":      {map[string]any{"jti": ""}, isInvalid},
		"expired":           {map[string]any{"exp": noon.Unix()}, isExpired},
		"typed as access":   {map[string]any{"token_type": "access"}, isInvalid},
		"subject as number": {map[string]any{"sub": 7}, isInvalid},
		"user_id alone":     {map[string]any{"sub": nil, "user_id": 7}, isInvalid},
	} {
		for from, kind := range map[media.TokenSource]signingKeys{media.FromSession: own.session, media.FromEmbed: own.embed} {
			key := kind.keys[0]
			claims := edited(map[string]any{"sub": "7", "aud": kind.audience, "exp": noon.Unix() + 3600, "iat": noon.Unix(), "jti": "ab"}, c.edits)
			token := signed(jwt.SigningMethodHS256, key.secret, map[string]any{"alg": "HS256", "typ": "JWT", "kid": key.id}, claims)
			if _, err := a.Authenticate(t.Context(), media.Token{Value: token, From: from}); outcome(err) != c.want {
				t.Errorf("%s of %s: %v, want %s", name, kind.audience, err, c.want)
			}
		}
	}
	for from, kind := range map[media.TokenSource]signingKeys{media.FromSession: own.session, media.FromEmbed: own.embed} {
		key := kind.keys[0]
		other := map[string]string{"lectern:session": "lectern:embed", "lectern:embed": "lectern:session"}[kind.audience]
		for _, claims := range []any{`[]`, map[string]any{"sub": "7", "aud": other, "exp": noon.Unix() + 3600, "jti": "ab"}} {
			token := signed(jwt.SigningMethodHS256, key.secret, map[string]any{"alg": "HS256", "kid": key.id}, claims)
			if _, err := a.Authenticate(t.Context(), media.Token{Value: token, From: from}); outcome(err) != isInvalid {
				t.Errorf("%s, claims %v: %v", kind.audience, claims, err)
			}
		}
	}
}

// TestCodeClaims: a code says when its session ends, and only a key of ours signs one.
func TestCodeClaims(t *testing.T) {
	cfg := Config{JWTSecret: testSecret}
	_, a := newSessionParts(t, cfg)
	own, err := newOwnKeys(cfg)
	if err != nil {
		t.Fatal(err)
	}
	key := own.code.keys[0]
	for name, c := range map[string]struct {
		edits  map[string]any
		key    signingKey
		forged bool
		ok     bool
	}{
		"as they are":           {key: key, ok: true},
		"no end of the session": {edits: map[string]any{"session_exp": nil}, key: key},
		"a text as the end":     {edits: map[string]any{"session_exp": "x"}, key: key},
		"expired":               {edits: map[string]any{"exp": noon.Unix()}, key: key},
		"a session's audience":  {edits: map[string]any{"aud": "lectern:session"}, key: key},
		"no key":                {key: signingKey{id: "nobody's"}, forged: true},
		"a session's key":       {key: own.session.keys[0], forged: true},
	} {
		claims := edited(map[string]any{"sub": "7", "aud": "lectern:session-code", "exp": noon.Unix() + 60, "iat": noon.Unix(), "jti": "ab", "session_exp": noon.Unix() + 3600}, c.edits)
		code := signed(jwt.SigningMethodHS256, c.key.secret, map[string]any{"alg": "HS256", "kid": c.key.id}, claims)
		_, err := CodeRedeemer{a, usedOnce{}}.Redeem(t.Context(), code)
		if c.ok && err != nil || !c.ok && (outcome(err) != "code_not_valid" || media.RefusalOf(err).Forged != c.forged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSessionConfig(t *testing.T) {
	for ttl, want := range map[time.Duration]bool{
		time.Minute - 1: false, time.Minute: true, 12 * time.Hour: true, 366 * 24 * time.Hour: true, 366*24*time.Hour + 1: false,
	} {
		if err := (SessionConfig{TTL: ttl}).Check(); (err == nil) != want {
			t.Errorf("session-ttl %s: %v", ttl, err)
		}
	}
}

// TestForeignAudience: the platform's key signs no token of ours, whatever aud says.
func TestForeignAudience(t *testing.T) {
	v := newTestVerifier(t, Config{JWTSecret: testSecret})
	for _, audience := range []string{"lectern:playback", "lectern:session", "lectern:embed", "lectern:session-code", "lectern:anything"} {
		if _, err := v.Verify(t.Context(), hs256(access(map[string]any{"aud": []string{"api", audience}}))); outcome(err) != isInvalid {
			t.Errorf("%s: %v", audience, err)
		}
		if err := (Config{JWTSecret: testSecret, Audience: audience}).Check(); err == nil {
			t.Errorf("auth-audience %s is accepted", audience)
		}
	}
}

func TestRedeem(t *testing.T) {
	m, a := newSessionParts(t, Config{JWTSecret: testSecret})
	r := CodeRedeemer{a, usedOnce{}}
	refused := func(code media.Code) int { return int(testutil.ToFloat64(a.counters.refused[code])) }
	code, expires, err := m.SessionCode(7, noon.Add(time.Hour))
	if err != nil || !expires.Equal(noon.Add(time.Minute)) {
		t.Fatalf("expires at %v, %v", expires, err)
	}
	v, err := r.Redeem(t.Context(), code)
	if err != nil || v.User.ID != 7 || !v.Expires.Equal(noon.Add(time.Hour)) {
		t.Errorf("viewer %+v, %v", v, err)
	}
	_, err = r.Redeem(t.Context(), code)
	if outcome(err) != "code_not_valid" || media.RefusalOf(err).Forged || refused(media.CodeCodeNotValid) != 1 {
		t.Errorf("again: %v, %d are counted", err, refused(media.CodeCodeNotValid))
	}
	other, _ := newSessionParts(t, Config{JWTSecret: testSecret + "x"})
	foreign := must[string](t)(other.SessionCode(7, noon.Add(time.Hour)))
	for _, text := range []string{"", "x", foreign, code + "x", strings.Repeat("x", maxTokenBytes+1)} {
		if _, err := r.Redeem(t.Context(), text); outcome(err) != "code_not_valid" || !media.RefusalOf(err).Forged {
			t.Errorf("%.20q: %v", text, err)
		}
	}
	ended := must[string](t)(m.SessionCode(7, noon))
	if _, err := r.Redeem(t.Context(), ended); outcome(err) != "code_not_valid" {
		t.Errorf("an expired code: %v", err)
	}
	nobody := must[string](t)(m.SessionCode(9, noon.Add(time.Hour)))
	if _, err := r.Redeem(t.Context(), nobody); outcome(err) != "user_not_found" || refused(media.CodeUserNotFound) != 1 {
		t.Errorf("a user who is gone: %v, %d are counted", err, refused(media.CodeUserNotFound))
	}
	second := must[string](t)(m.SessionCode(7, noon.Add(time.Hour)))
	allowed := testutil.ToFloat64(a.counters.ok)
	if user, err := r.User(second); err != nil || user != 7 || testutil.ToFloat64(a.counters.ok) != allowed {
		t.Errorf("whose it is: user %d, %v", user, err)
	}
	if _, err := r.Redeem(t.Context(), second); err != nil {
		t.Errorf("a second code of the same user: %v", err)
	}
	third := must[string](t)(m.SessionCode(7, noon.Add(time.Hour)))
	if _, err := (CodeRedeemer{a, unavailableCodes{}}).Redeem(t.Context(), third); media.KindOf(err) != media.Unavailable {
		t.Errorf("without the store of used codes: %v", err)
	}
	before := refused(media.CodeCodeNotValid)
	if _, err := r.User("x"); outcome(err) != "code_not_valid" || refused(media.CodeCodeNotValid) != before+1 {
		t.Errorf("whose it is: %v, %d more are counted", err, refused(media.CodeCodeNotValid)-before)
	}
}
