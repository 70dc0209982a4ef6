package auth

import (
	"strings"
	"testing"
	"time"
)

// TestSealSignIn: a seal opens until the moment that both ends are given, and under the keys
// that are configured.
func TestSealSignIn(t *testing.T) {
	cfg := Config{JWTSecret: testSecret, PlaybackSecret: playOne}
	now := noon.Add(700 * time.Millisecond)
	m, err := NewMinter(cfg, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	seal, expires, err := m.SealSignIn(map[string]string{"state": "s"})
	if err != nil || !expires.Equal(noon.Add(10*time.Minute)) || strings.Contains(seal, "state") {
		t.Fatalf("expires at %v, %q, %v", expires, seal, err)
	}
	opened := func(seal string) bool {
		var value map[string]string
		until, ok := m.OpenSignIn(seal, &value)
		if ok && (!until.Equal(expires) || value["state"] != "s") {
			t.Errorf("%v until %v, want until %v", value, until, expires)
		}
		return ok
	}
	first := "A"
	if strings.HasPrefix(seal, first) {
		first = "B"
	}
	for name, other := range map[string]string{
		"nothing": "", "a changed seal": first + seal[1:], "no base64url": seal + "=", "a long one": strings.Repeat("A", maxTokenBytes+4),
	} {
		if opened(other) {
			t.Errorf("%s opens", name)
		}
	}
	if _, _, err := m.SealSignIn(make(chan int)); err == nil {
		t.Error("what is no JSON is sealed")
	}
	empty, _, err := m.SealSignIn(map[string]string{"state": "s", "more": ""})
	if err != nil {
		t.Fatal(err)
	}
	most := maxTokenBytes/4*3 - base64url.DecodedLen(len(empty))
	for more, want := range map[int]bool{most: true, most + 1: false} {
		long, _, err := m.SealSignIn(map[string]string{"state": "s", "more": strings.Repeat("m", more)})
		if err != nil || opened(long) != want {
			t.Errorf("a seal of %d bytes opens: %t, %v", len(long), !want, err)
		}
	}
	for secrets, want := range map[string]bool{playTwo + "," + playOne: true, playTwo: false, playOne: true} {
		cfg.PlaybackSecret = secrets
		if err := m.SetSecrets(cfg); err != nil {
			t.Fatal(err)
		}
		if opened(seal) != want {
			t.Errorf("with other secrets: %v, want %v", !want, want)
		}
	}
	cfg.PlaybackSecret = playOne
	if err := m.SetSecrets(cfg); err != nil {
		t.Fatal(err)
	}
	now = expires.Add(-time.Nanosecond)
	if !opened(seal) {
		t.Error("closed before it expires")
	}
	now = expires
	if opened(seal) {
		t.Error("opens once it has expired")
	}
}
