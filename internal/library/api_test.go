package library_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lectiospace/lectern/internal/auth"
	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/catalog/catalogtest"
	"github.com/lectiospace/lectern/internal/library"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/proxy"
	"github.com/lectiospace/lectern/internal/proxy/api"
	"github.com/lectiospace/lectern/internal/proxy/openapi/openapitest"
	"github.com/lectiospace/lectern/internal/proxy/sessions"
)

var update = flag.Bool("update", false, "write what the API answers into testdata")

const publicURL = "https://lms.example.test"

// school is the recordings API on a catalog, at the demo's moment.
type school struct {
	t      *testing.T
	db     *catalogtest.DB
	views  *library.Views
	states *library.WatchStates
	api    *api.Services
	minter *auth.Minter
	signed auth.Config
	url    string
	now    func() time.Time
}

// nothing is an origin and a store of bytes that nobody asks.
type nothing struct{}

func (nothing) Stat(context.Context, media.Location) (media.Object, error) {
	return media.Object{}, media.Fault(media.NotFound, "test", nil)
}

func (nothing) Open(context.Context, media.Object, media.Span) (media.Reader, error) {
	return nil, media.Fault(media.NotFound, "test", nil)
}

func openSchool(t *testing.T, db *catalogtest.DB, change func(*proxy.Config), more ...func(*school, *proxy.Deps)) *school {
	t.Helper()
	s := &school{t: t, db: db, now: func() time.Time { return catalogtest.DemoNow }}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	log := slog.New(slog.DiscardHandler)
	cfg := auth.Config{JWTSecret: strings.Repeat("k", 40), AccessRule: "strict", QueryTokens: "any"}
	cached, err := catalog.NewCache(db, catalog.CacheConfig{MaxStaleness: time.Minute}, log, prometheus.NewRegistry())
	must(err)
	cached.Start(t.Context())
	t.Cleanup(cached.Stop)
	verifier, err := auth.NewVerifier(cfg, log, s.now)
	must(err)
	verifier.Start(t.Context())
	t.Cleanup(verifier.Stop)
	gate, err := auth.NewAuthorizer(cfg, verifier, cached, prometheus.NewRegistry(), s.now)
	must(err)
	t.Cleanup(gate.Close)
	s.signed = cfg
	s.minter = s.minterAt(s.now)

	reader := library.NewReader(db.Store, true, s.now)
	s.views = library.NewViews(db.Store, log)
	t.Cleanup(s.views.Stop)
	s.states = library.NewWatchStates(db.Store, log, s.now)
	t.Cleanup(s.states.Stop)
	editor := library.NewEditor(db.Store, s.now, cached.InvalidateAll)
	s.api = &api.Services{
		Viewability: gate, Recordings: reader, Editor: editor, Quotas: editor, Views: s.views, Captions: reader, Companions: db, Chapters: reader, Search: reader,
		WatchStates: s.states, Audience: library.NewAudience(reader, s.states), Analytics: api.AnalyticsOwn,
	}
	public := proxy.DefaultConfig()
	public.PublicURL = publicURL
	if change != nil {
		change(&public)
	}
	deps := proxy.Deps{
		Access: gate, Origins: nothing{}, Store: nothing{}, Log: log, Now: s.now,
		API:        s.api,
		Companions: cached,
		Grants:     s.minter,
		Sessions: &sessions.Services{
			Signer: s.minter, Names: db.Store, Codes: auth.CodeRedeemer{Authorizer: gate, Used: catalog.NewUsedCodes(db.Store)},
		},
	}
	for _, add := range more {
		add(s, &deps)
	}
	server, err := proxy.New(public, deps)
	must(err)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	s.url = "http://" + ln.Addr().String()
	served := make(chan error, 1)
	go func() { served <- server.Serve(ln) }()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return s
}

// minterAt signs as at another moment.
func (s *school) minterAt(now func() time.Time) *auth.Minter {
	s.t.Helper()
	m, err := auth.NewMinter(s.signed, now)
	if err != nil {
		s.t.Fatal(err)
	}
	return m
}

// signed256 is a token of the platform's with claims that a Minter does not make.
func (s *school) signed256(claims string) string {
	enc := base64.RawURLEncoding
	text := enc.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + enc.EncodeToString([]byte(claims))
	mac := hmac.New(sha256.New, []byte(s.signed.JWTSecret))
	mac.Write([]byte(text))
	return text + "." + enc.EncodeToString(mac.Sum(nil))
}

// token is a platform's for a user.
func (s *school) token(user int64) string {
	s.t.Helper()
	token, err := s.minter.Access(user, time.Hour)
	if err != nil {
		s.t.Fatal(err)
	}
	return token
}

type answer struct {
	*http.Response
	body string
}

// ask sends a request as a user, or as nobody for 0. Headers come as "Name: value".
func (s *school) ask(user int64, method, path, body string, headers ...string) answer {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if user != 0 {
		req.Header.Set("Authorization", "Bearer "+s.token(user))
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	s.holdToDescription(path, body, res, string(text))
	return answer{res, string(text)}
}

// holdToDescription fails the test where a request that was taken, or an answer, is not as
// the description of the API says.
func (s *school) holdToDescription(path, sent string, res *http.Response, body string) {
	s.t.Helper()
	d, err := openapitest.Load()
	if err != nil {
		s.t.Fatal(err)
	}
	path, _, _ = strings.Cut(path, "?")
	if _, err := d.Check(openapitest.Exchange{
		Method: res.Request.Method, Path: path, Request: sent, Status: res.StatusCode, ContentType: res.Header.Get("Content-Type"), Body: body,
	}); err != nil {
		s.t.Error(err)
	}
}

// golden are requests whose answers stand in testdata/api.golden, in this order:
// later ones see what earlier ones have changed.
var golden = []struct {
	user         int64
	method, path string
	body         string
}{
	// A student's list: page, order, shape; the filters.
	{5, "GET", "/schedule/api/recordings/", ""},
	{11, "GET", "/api/recordings/", ""},
	{5, "GET", "/schedule/api/recordings/?group_id=3&search=%D0%BB%D0%B8%D0%BD%D0%B7%D1%8B", ""},
	{14, "GET", "/schedule/api/recordings/", ""}, // inactive
	{3, "GET", "/schedule/api/recordings/", ""},
	{5, "GET", "/schedule/api/recordings/?group_id=abc", ""},
	{5, "GET", "/schedule/api/recordings/?group_id=99999999999999999999", ""},
	{5, "GET", "/schedule/api/recordings/?group_id=-1", ""},
	{5, "GET", "/schedule/api/recordings/?search=%00", ""},
	{5, "GET", "/schedule/api/recordings/?search=%ff", ""},
	{5, "GET", "/schedule/api/recordings/?page=2", ""},
	{5, "GET", "/schedule/api/recordings/?page=0", ""},
	{5, "GET", "/schedule/api/recordings/?page=-1", ""},
	{5, "GET", "/schedule/api/recordings/?page=abc", ""},
	{5, "GET", "/schedule/api/recordings/?page=99999999999999999999999", ""},
	{5, "GET", "/schedule/api/recordings/?page=last&search=nothing+like+it", ""},
	// A teacher's.
	{4, "GET", "/schedule/api/recordings/teacher/", ""},
	{3, "GET", "/schedule/api/recordings/teacher/?page=2&search=&group_id=", ""},
	{3, "GET", "/schedule/api/recordings/teacher/?page=last&status=ready", ""},
	{3, "GET", "/schedule/api/recordings/teacher/?page=3", ""},
	{3, "GET", "/schedule/api/recordings/teacher/?status=deleted", ""},
	{5, "GET", "/schedule/api/recordings/teacher/", ""},
	{1, "GET", "/schedule/api/recordings/teacher/", ""},
	{3, "GET", "/schedule/api/recordings/progress/", ""},
	{5, "GET", "/schedule/api/recordings/progress/", ""},
	// One recording.
	{3, "GET", "/schedule/api/recordings/10/", ""},
	{10, "GET", "/schedule/api/recordings/10/", ""}, // the listed student: no other's name
	{5, "GET", "/schedule/api/recordings/10/", ""},
	{9, "GET", "/schedule/api/recordings/11/", ""}, // Zoom's links are not for students
	{9, "GET", "/schedule/api/recordings/12/", ""},
	{9, "GET", "/schedule/api/recordings/14/", ""}, // nothing to play
	{9, "GET", "/schedule/api/recordings/15/", ""},
	{3, "GET", "/schedule/api/recordings/17/", ""},
	{5, "GET", "/schedule/api/recordings/22/", ""}, // expired
	{3, "GET", "/schedule/api/recordings/22/", ""},
	{5, "GET", "/schedule/api/recordings/23/", ""}, // half a day left
	{5, "GET", "/schedule/api/recordings/24/", ""},
	{5, "GET", "/schedule/api/recordings/5/", ""}, // status deleted
	{1, "GET", "/schedule/api/recordings/27/", ""},
	{1, "GET", "/schedule/api/recordings/28/", ""}, // above the threshold
	{1, "GET", "/schedule/api/recordings/29/", ""}, // exactly at it
	{1, "GET", "/schedule/api/recordings/30/", ""}, // no size
	{1, "GET", "/schedule/api/recordings/31/", ""}, // size 0
	{1, "GET", "/schedule/api/recordings/32/", ""},
	{1, "GET", "/schedule/api/recordings/33/", ""}, // neither title: the group's name
	{5, "GET", "/schedule/api/recordings/1/", ""},  // processing
	{1, "GET", "/schedule/api/recordings/999/", ""},
	{4, "GET", "/schedule/api/recordings/6/", ""},
	// A lesson's.
	{5, "GET", "/schedule/api/lessons/1/recording/", ""},
	{5, "GET", "/schedule/api/lessons/2/recording/", ""},
	{9, "GET", "/schedule/api/lessons/2/recording/", ""},
	{5, "GET", "/schedule/api/lessons/3/recording/", ""},
	{5, "GET", "/schedule/api/lessons/9/recording/", ""},
	{9, "GET", "/schedule/api/lessons/9/recording/", ""},
	{1, "GET", "/schedule/api/lessons/9/recording/", ""},
	{1, "GET", "/schedule/api/lessons/999/recording/", ""},
	{11, "GET", "/schedule/api/lessons/1/recording/", ""},
	// Changes.
	{5, "PATCH", "/schedule/api/recordings/6/", `{"title": "Mine"}`},
	{4, "PATCH", "/schedule/api/recordings/6/", `{"title": "Mine"}`},
	{3, "PATCH", "/schedule/api/recordings/999/", `{"title": "Mine"}`},
	{3, "PATCH", "/schedule/api/recordings/5/", `{"title": "Mine"}`},
	{3, "PATCH", "/schedule/api/recordings/6/", `{"title": "   "}`},
	{3, "PATCH", "/schedule/api/recordings/6/", `{}`},
	{3, "PATCH", "/schedule/api/recordings/6/", `{"title": 5}`},
	{3, "PATCH", "/schedule/api/recordings/6/", `{"title": null}`},
	{3, "PATCH", "/schedule/api/recordings/6/", `{"title": ["a"]}`},
	{3, "PATCH", "/schedule/api/recordings/6/", `{"title": "a\u0000b"}`},
	{3, "PATCH", "/schedule/api/recordings/6/", `{"title": "` + strings.Repeat("я", 256) + `"}`},
	{3, "PATCH", "/schedule/api/recordings/6/", `["title"]`},
	{3, "PATCH", "/schedule/api/recordings/6/", `{"title": "a"} b`},
	{3, "PATCH", "/schedule/api/recordings/6/", `{"title": " Урок <1> & \"два\" "}`},
	{5, "GET", "/schedule/api/recordings/6/", ""},
	{3, "POST", "/schedule/api/recordings/6/view/", ""},
	{3, "POST", "/schedule/api/recordings/6/view/", ""}, // the same within half an hour
	{4, "POST", "/schedule/api/recordings/6/view/", ""},
	{3, "POST", "/schedule/api/recordings/4/resync/", ""},
	{3, "GET", "/schedule/api/recordings/4/", ""},
	{3, "POST", "/schedule/api/recordings/16/resync/", ""},
	{5, "POST", "/schedule/api/recordings/4/resync/", ""},
	{4, "POST", "/schedule/api/recordings/4/resync/", ""},
	{3, "POST", "/schedule/api/recordings/25/resync/", ""},
	{5, "DELETE", "/schedule/api/recordings/6/", ""},
	{1, "DELETE", "/schedule/api/recordings/6/", ""},
	{4, "DELETE", "/schedule/api/recordings/6/", ""},
	{3, "DELETE", "/schedule/api/recordings/6/", ""},
	{3, "DELETE", "/schedule/api/recordings/6/", ""},
	{3, "GET", "/schedule/api/recordings/6/", ""},
	{4, "POST", "/schedule/api/recordings/6/restore/", ""},
	{5, "POST", "/schedule/api/recordings/6/restore/", ""},
	{3, "POST", "/schedule/api/recordings/6/restore/", ""},
	{3, "POST", "/schedule/api/recordings/6/restore/", ""},
	{3, "POST", "/schedule/api/recordings/27/restore/", ""}, // removed by the platform
	{3, "DELETE", "/schedule/api/recordings/16/delete/", ""},
	// Quotas.
	{1, "GET", "/schedule/api/storage/quotas/", ""},
	{1, "GET", "/schedule/api/storage/quotas/?sort=usage_percent", ""},
	{1, "GET", "/schedule/api/storage/quotas/?sort=total_quota_bytes&page_size=1", ""},
	{1, "GET", "/schedule/api/storage/quotas/?exceeded=true&page_size=1000", ""},
	{1, "GET", "/schedule/api/storage/quotas/?warning=false", ""},
	{1, "GET", "/schedule/api/storage/quotas/?search=TAMARA", ""},
	{1, "GET", "/schedule/api/storage/quotas/?exceeded=perhaps", ""},
	{1, "GET", "/schedule/api/storage/quotas/?page_size=0", ""},
	{1, "GET", "/schedule/api/storage/quotas/?page=5", ""},
	{3, "GET", "/schedule/api/storage/quotas/", ""},
	{1, "GET", "/schedule/api/storage/quotas/1/", ""},
	{1, "GET", "/schedule/api/storage/quotas/99/", ""},
	{3, "GET", "/schedule/api/storage/quotas/1/", ""},
	{1, "GET", "/schedule/api/storage/statistics/", ""},
	{3, "GET", "/schedule/api/storage/statistics/", ""},
	{3, "GET", "/schedule/api/storage/quota/", ""},
	{5, "GET", "/schedule/api/storage/quota/", ""},
	{3, "POST", "/schedule/api/storage/quotas/2/increase/", `{"additional_gb": 1}`},
	{1, "POST", "/schedule/api/storage/quotas/99/increase/", `{"additional_gb": 1}`},
	{1, "POST", "/schedule/api/storage/quotas/2/increase/", `{}`},
	{1, "POST", "/schedule/api/storage/quotas/2/increase/", `{"additional_gb": 0}`},
	{1, "POST", "/schedule/api/storage/quotas/2/increase/", `{"additional_gb": -1}`},
	{1, "POST", "/schedule/api/storage/quotas/2/increase/", `{"additional_gb": "NaN"}`},
	{1, "POST", "/schedule/api/storage/quotas/2/increase/", `{"additional_gb": 1e300}`},
	{1, "POST", "/schedule/api/storage/quotas/2/increase/", `{"additional_gb": true}`},
	{1, "POST", "/schedule/api/storage/quotas/2/increase/", `{"additional_gb": "2.5"}`},
	{1, "GET", "/schedule/api/storage/quotas/2/", ""},
}

// TestAPIAnswers holds every answer, byte by byte, against what was looked at once,
// in each home.
func TestAPIAnswers(t *testing.T) {
	const file = "testdata/api.golden"
	for i, d := range catalogtest.Databases {
		t.Run(d.Name, func(t *testing.T) {
			s := openSchool(t, d.Open(t), nil)
			var b bytes.Buffer
			for _, g := range golden {
				a := s.ask(g.user, g.method, g.path, g.body)
				if err := s.views.Flush(t.Context()); err != nil { // they are written in a while
					t.Fatal(err)
				}
				fmt.Fprintf(&b, "%s %s as %d %s\n%d %s\n\n", g.method, g.path, g.user, strings.ReplaceAll(g.body, strings.Repeat("я", 256), "я…"), a.StatusCode, readable(a.body))
				if ct := a.Header.Get("Content-Type"); ct != "application/json" || a.Header.Get("Cache-Control") != "no-store" {
					t.Errorf("%s: %v", g.path, a.Header)
				}
			}
			if *update && i == 0 {
				if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got, old := strings.Split(b.String(), "\n\n"), strings.Split(string(want), "\n\n")
			for i := range max(len(got), len(old)) {
				if i >= len(got) || i >= len(old) || got[i] != old[i] {
					t.Errorf("got\n%s\nwant\n%s", at(got, i), at(old, i))
				}
			}
		})
	}
}

func at(list []string, i int) string {
	if i < len(list) {
		return list[i]
	}
	return "nothing"
}

// readable breaks a page's rows into lines, to be looked at; not a byte is lost.
func readable(body string) string {
	if !json.Valid([]byte(body)) {
		return "NO JSON: " + body
	}
	return strings.ReplaceAll(body, `},{"id":`, "},\n"+`{"id":`)
}
