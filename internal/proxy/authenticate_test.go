package proxy

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/lectiospace/lectern/internal/media"
)

// newCredentialsFixture is a server that knows tokens of several kinds: goodToken,
// "expired", "of-8" for recording 8, "unavailable", and forged ones. tried collects them.
func newCredentialsFixture(t *testing.T, limit int) (h *fixture, tried *[]string) {
	tried = new([]string)
	h = newFixture(t, 10, func(cfg *Config, h *fixture) {
		cfg.Limit.AuthFailures = limit
		h.authenticate = func(_ context.Context, token media.Token) (media.Viewer, error) {
			*tried = append(*tried, token.Value)
			viewer := media.Viewer{User: media.User{ID: 42, Role: media.RoleStudent, Active: true}}
			refusal := media.Refuse(media.CodeTokenNotValid, "Given token not valid for any token type")
			switch token.Value {
			case goodToken:
				return viewer, nil
			case "of-8":
				viewer.Playback = 8
				return viewer, nil
			case "unavailable":
				return media.Viewer{}, media.Fault(media.Unavailable, "catalog: user", nil)
			case "inactive":
				return media.Viewer{}, media.Refuse(media.CodeUserInactive, "User is inactive")
			case "expired":
				return media.Viewer{}, refusal
			}
			refusal.Forged = true
			return media.Viewer{}, refusal
		}
		h.authorize = func(_ context.Context, v media.Viewer, id int64) (media.Recording, error) {
			if v.Playback != 0 && v.Playback != id {
				return media.Recording{}, media.Refuse(media.CodeWrongRecording, "This token is for another recording.")
			}
			return media.Recording{ID: id, Location: media.Location{Provider: "local", Key: "a.mp4"}}, nil
		}
	})
	return h, tried
}

// TestSeveralTokens: of several tokens of one name the first valid one counts, whatever
// comes before it.
func TestSeveralTokens(t *testing.T) {
	h, tried := newCredentialsFixture(t, 0)
	const name = "lectern_playback="
	cookies := func(values ...string) string { return "Cookie: " + name + strings.Join(values, "; "+name) }
	for _, c := range []struct {
		name, query string
		headers     []string
		want        string
		tried       int
	}{
		{"an empty cookie first", "", []string{cookies("", goodToken)}, "206", 1},
		{"a forged cookie first", "", []string{cookies("stale", goodToken)}, "206", 2},
		{"an expired cookie first", "", []string{cookies("expired", goodToken)}, "206", 2},
		{"a cookie of an inactive user first", "", []string{cookies("inactive", goodToken)}, "206", 2},
		{"a cookie of an unknown user while the database is away", "", []string{cookies("unavailable", goodToken)}, "206", 2},
		{"a cookie of another recording first", "", []string{cookies("of-8", goodToken)}, "206", 2},
		{"the valid cookie first", "", []string{cookies(goodToken, "stale")}, "206", 1},
		{"a cookie of another name between", "", []string{"Cookie: " + name + "stale; a=b; " + name + goodToken}, "206", 2},
		{"cookies in two lines", "", []string{cookies("stale"), cookies(goodToken)}, "206", 2},
		{"repeated cookies", "", []string{cookies("stale", "stale", "stale", "stale", "stale", "stale", "stale", "stale", goodToken)}, "206", 2},
		{"the last that is tried", "", []string{cookies("1", "2", "3", "4", "5", "6", "7", goodToken)}, "206", 8},
		{"one too many", "", []string{cookies("1", "2", "3", "4", "5", "6", "7", "8", goodToken)}, "401 token_not_valid", 8},
		{"empty ones do not count", "", []string{cookies("", "", "", "", "", "", "", "", "", goodToken)}, "206", 1},
		{"a quoted cookie", "", []string{cookies("stale", `"`+goodToken+`"`)}, "206", 2},
		{"all stale", "", []string{cookies("stale", "expired")}, "401 token_not_valid", 2},
		{"the refusal that tells most", "", []string{cookies("stale", "inactive")}, "401 user_inactive", 2},
		{"a fault tells more than a refusal", "", []string{cookies("stale", "unavailable")}, "503 catalog_unavailable", 2},
		{"only a cookie of another recording", "", []string{cookies("stale", "of-8")}, "403 wrong_recording", 2},
		{"two parameters", "?token=stale&token=" + goodToken, nil, "206", 2},
		{"an empty parameter first", "?token=&token=" + goodToken, nil, "206", 1},
		{"a parameter stands before cookies", "?token=stale", []string{cookies(goodToken)}, "401 token_not_valid", 1},
		{"equal Authorization lines", "", []string{"Authorization: Bearer " + goodToken, "Authorization: Bearer " + goodToken}, "206", 1},
		{"different Authorization lines", "", []string{"Authorization: Bearer stale", "Authorization: Bearer " + goodToken}, "401 token_not_valid", 0},
		{"different Authorization lines, the valid one first", "", []string{"Authorization: Bearer " + goodToken, "Authorization: Bearer stale"}, "401 token_not_valid", 0},
	} {
		*tried = nil
		a := h.do("GET", streamPath+c.query, append(c.headers, "Range: bytes=0-1")...)
		got := fmt.Sprint(a.StatusCode)
		if a.StatusCode >= 400 {
			got += " " + string(a.problem(t).Code)
		}
		if got != c.want || len(*tried) != c.tried {
			t.Errorf("%s: %s after %d tokens, want %s after %d", c.name, got, len(*tried), c.want, c.tried)
		}
	}
}

// TestRecordedCookieTwice sends the bytes that a browser sent.
func TestRecordedCookieTwice(t *testing.T) {
	h, _ := newCredentialsFixture(t, 0)
	request, err := os.ReadFile("testdata/cookie-twice.http")
	if err != nil {
		t.Fatal(err)
	}
	request = bytes.Replace(request, []byte("/recordings/1/"), []byte("/recordings/7/"), 1)
	conn := h.dial()
	if _, err := conn.Write(bytes.Replace(request, []byte("GOOD"), []byte(goodToken), 1)); err != nil {
		t.Fatal(err)
	}
	if a := h.receive(conn, "GET"); a.StatusCode != 206 {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
}

// TestForgedLeftovers: forged tokens beside a valid one are no failures of the client's
// address, however often they come; several of one request without a valid one are one.
func TestForgedLeftovers(t *testing.T) {
	h, _ := newCredentialsFixture(t, 2)
	const leftovers = "Cookie: lectern_playback=1; lectern_playback=2; lectern_playback="
	for range 10 {
		if a := h.do("GET", streamPath, leftovers+goodToken); a.StatusCode != 200 {
			t.Fatalf("beside leftovers: %d %s", a.StatusCode, a.body)
		}
	}
	for i, want := range []int{401, 401, 429} {
		if a := h.do("GET", streamPath, leftovers+"3"); a.StatusCode != want {
			t.Errorf("request %d with forged tokens alone: %d, want %d", i, a.StatusCode, want)
		}
	}
	if a := h.do("GET", streamPath, leftovers+goodToken); a.StatusCode != 200 {
		t.Errorf("beside leftovers, over the limit: %d %s", a.StatusCode, a.body)
	}
}
