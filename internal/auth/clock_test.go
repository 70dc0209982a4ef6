package auth

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// TestClockAheadOfACode: the clock of the gateway that made a code is checked, too.
func TestClockAheadOfACode(t *testing.T) {
	var log bytes.Buffer
	v, err := NewVerifier(Config{JWTSecret: testSecret}, slog.New(slog.NewTextHandler(&log, nil)), atNoon)
	if err != nil {
		t.Fatal(err)
	}
	ahead, err := NewMinter(Config{JWTSecret: testSecret}, func() time.Time { return noon.Add(3 * time.Second) })
	if err != nil {
		t.Fatal(err)
	}
	code := must[string](t)(ahead.SessionCode(7, noon.Add(time.Hour)))
	if _, err := v.verifySessionCode(code); err != nil || !strings.Contains(log.String(), "ahead=3s") {
		t.Errorf("%v, logged %q", err, log.String())
	}
}

// TestClockAheadIsLoggedOnce: a token issued by a clock that is ahead is accepted, and the
// operator learns of it once, not with every request.
func TestClockAheadIsLoggedOnce(t *testing.T) {
	var log bytes.Buffer
	v, err := NewVerifier(Config{JWTSecret: testSecret}, slog.New(slog.NewTextHandler(&log, nil)), atNoon)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(t.Context(), hs256(access(nil))); err != nil || log.Len() != 0 {
		t.Fatalf("a token of now: %v, logged %q", err, log.String())
	}
	for _, ahead := range []int64{2, 3, 60} {
		if _, err := v.Verify(t.Context(), hs256(access(map[string]any{"iat": noon.Unix() + ahead}))); err != nil {
			t.Errorf("%d s ahead: %v", ahead, err)
		}
	}
	if n := strings.Count(log.String(), "level=WARN"); n != 1 || !strings.Contains(log.String(), "ahead=2s") {
		t.Errorf("%d warnings, want one that names 2s:\n%s", n, log.String())
	}
}
