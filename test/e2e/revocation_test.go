package e2e

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/pgtest"
)

// revocations take the pupil's access to recording 1 away, and give it back.
var revocations = []struct{ name, take, give string }{
	{"removed from the group", `DELETE FROM public.schedule_group_students WHERE customuser_id = 1`,
		`INSERT INTO public.schedule_group_students (group_id, customuser_id) VALUES (1, 1)`},
	{"made inactive", `UPDATE public.accounts_customuser SET is_active = FALSE WHERE id = 1`,
		`UPDATE public.accounts_customuser SET is_active = TRUE WHERE id = 1`},
	{"recording deleted", `UPDATE public.schedule_lessonrecording SET is_deleted = TRUE WHERE id = 1`,
		`UPDATE public.schedule_lessonrecording SET is_deleted = FALSE WHERE id = 1`},
	{"visibility restricted", `UPDATE public.schedule_lessonrecording SET visibility = 'custom_students' WHERE id = 1`,
		`UPDATE public.schedule_lessonrecording SET visibility = 'lesson_group' WHERE id = 1`},
	{"group taken off the list", `DELETE FROM public.schedule_lessonrecording_allowed_groups WHERE lessonrecording_id = 1`,
		`INSERT INTO public.schedule_lessonrecording_allowed_groups (lessonrecording_id, group_id) VALUES (1, 1)`},
}

// TestRevocation takes access away from somebody who is watching, and measures
// how long until the stream is cut: twenty runs where changes are notified, fewer where
// facts have to grow old.
func TestRevocation(t *testing.T) {
	t.Parallel()
	for _, h := range []struct {
		name   string
		open   func(t *testing.T) *playbackFixture
		env    string
		rounds int
		most   time.Duration
	}{
		{"PostgreSQL with NOTIFY", func(t *testing.T) *playbackFixture {
			url := pgtest.Start(t)
			return newPlaybackFixture(t, url, url)
		}, "", 4, time.Second},
		{"SQLite, changed by another process", func(t *testing.T) *playbackFixture { return newPlaybackFixture(t, "", "") }, "", 4, time.Second},
		{"behind a transaction-mode pooler", func(t *testing.T) *playbackFixture {
			url := pgtest.Start(t)
			return newPlaybackFixture(t, url, pgtest.Pooler(t, url))
		}, "LECTERN_AUTH_MAX_STALENESS=3s", 1, 3 * time.Second},
	} {
		t.Run(h.name, func(t *testing.T) {
			c := h.open(t)
			g := c.serve(t, "LECTERN_LIMIT_STREAM_RATE=256KiB", "LECTERN_LIMIT_PLAYBACKS_PER_HOUR=0", h.env)
			access := token(t, "--user", pupil)
			var longest time.Duration
			runs := 0
			for range h.rounds {
				for _, r := range revocations {
					took := revokeAndMeasure(t, c, g, access, r.take)
					longest, runs = max(longest, took), runs+1
					// The machine may be busy with other tests: the bound that is promised is
					// reported, the asserted one has a margin.
					if took > h.most+4*time.Second {
						t.Errorf("%s: cut after %v", r.name, took)
					}
					c.change(t, r.give)
					waitFor(t, "access again", func() bool { res, _ := get(t, g.url+classStream, access, "bytes=0-9"); return res.StatusCode == 206 })
				}
			}
			t.Logf("%d runs, cut after %v at most", runs, longest.Round(time.Millisecond))
		})
	}
}

// revokeAndMeasure starts a stream, revokes access and returns how long bytes still came.
func revokeAndMeasure(t *testing.T, c *playbackFixture, g *gateway, access, statement string) time.Duration {
	t.Helper()
	res := startWatching(t, g, access)
	defer res.Body.Close()
	if _, err := io.CopyN(io.Discard, res.Body, 100<<10); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, res.Body)
		ended <- err
	}()
	began := time.Now()
	c.change(t, statement)
	select {
	case err := <-ended:
		if err == nil {
			t.Fatal("the stream ended as if it were whole")
		}
	case <-time.After(30 * time.Second):
		t.Fatalf("still watching 30 s after: %s", statement)
	}
	return time.Since(began)
}

func startWatching(t *testing.T, g *gateway, bearer string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.url+classStream, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+bearer)
	res, err := http.DefaultClient.Do(req)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%v, %v", res, err)
	}
	return res
}

// TestExpiredTokenGoesOn: a token's end is looked at when a request begins.
func TestExpiredTokenGoesOn(t *testing.T) {
	t.Parallel()
	c := newPlaybackFixture(t, "", "")
	g := c.serve(t, "LECTERN_LIMIT_STREAM_RATE=1MiB")
	short := token(t, "--user", pupil, "--ttl", "3s")
	res := startWatching(t, g, short)
	defer res.Body.Close()
	first := make([]byte, 64<<10)
	if _, err := io.ReadFull(res.Body, first); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the token's end", func() bool { res, _ := get(t, g.url+classStream, short, "bytes=0-9"); return res.StatusCode == 401 })
	rest, err := io.ReadAll(res.Body)
	if err != nil || len(first)+len(rest) != len(c.video) {
		t.Errorf("%d bytes after the token's end, %v", len(rest), err)
	}
}

// TestStreamRate: a burst of one second, then the rate.
func TestStreamRate(t *testing.T) {
	t.Parallel()
	c := newPlaybackFixture(t, "", "")
	g := c.serve(t, "LECTERN_LIMIT_STREAM_RATE=1MiB")
	began := time.Now()
	res, body := get(t, g.url+classStream, token(t, "--user", pupil), fmt.Sprintf("bytes=0-%d", 4<<20-1))
	if res.StatusCode != 206 || len(body) != 4<<20 {
		t.Fatalf("%s, %d bytes", res.Status, len(body))
	}
	// Four seconds' worth, the first of which comes at once: never faster than that.
	if took := time.Since(began); took < 2900*time.Millisecond {
		t.Errorf("4 MiB at 1 MiB/s took %v", took)
	}
}

// TestTooManyAtOnce: streams of one user, and of all.
func TestTooManyAtOnce(t *testing.T) {
	t.Parallel()
	c := newPlaybackFixture(t, "", "")
	g := c.serve(t, "LECTERN_LIMIT_STREAM_RATE=64KiB", "LECTERN_LIMIT_STREAMS_PER_USER=2", "LECTERN_LIMIT_STREAMS=3")
	refused := func(user string, status int, code string) {
		t.Helper()
		res, body := get(t, g.url+classStream, token(t, "--user", user), "")
		if res.StatusCode != status || !strings.Contains(string(body), `"code":"`+code+`"`) || res.Header.Get("Retry-After") == "" {
			t.Errorf("%s %s %v, want %d %s", res.Status, body, res.Header, status, code)
		}
	}
	for range 2 {
		defer startWatching(t, g, token(t, "--user", pupil)).Body.Close()
	}
	refused(pupil, 429, "too_many_streams")
	defer startWatching(t, g, token(t, "--user", tutor)).Body.Close()
	refused(tutor, 503, "overloaded")
}
