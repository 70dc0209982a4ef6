package database

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lectiospace/lectern/internal/auth"
	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/catalog/document"
	"github.com/lectiospace/lectern/internal/catalog/schema"
	"github.com/lectiospace/lectern/internal/library"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/pgtest"
	"github.com/lectiospace/lectern/internal/pgtest/faultproxy"
)

const (
	nodes = 3
	// secret signs the tokens of all tests.
	secret = "a-secret-of-the-tests-that-is-long-enough-0123456789"
	// teacherID is the user of the teacher; students follow.
	teacherID, firstStudent = 1, 2
	// startsLimit is the playback limit of an hour.
	startsLimit = 5
)

// node is a gateway as its clients see it.
type node interface {
	// start asks for a playback.
	start(ctx context.Context, user int64, limit int) answer
	// redeem begins a session with a code.
	redeem(ctx context.Context, code string) answer
	// watch reads something of the recording.
	watch(ctx context.Context, user int64) answer
}

// fixture is a PostgreSQL with a catalog, and a proxy in front of it for each node.
type fixture struct {
	t       *testing.T
	server  *pgtest.Server
	direct  string         // the database's URL
	store   *catalog.Store // without a proxy
	proxies [nodes]*faultproxy.Proxy
	video   []byte
	dir     string // of the video
}

// newFixture fills a catalog with one recording and its students. A campaign has a server of
// its own.
func newFixture(t *testing.T, students int) *fixture {
	t.Helper()
	f := &fixture{t: t, dir: t.TempDir(), video: []byte(strings.Repeat("0123456789abcdef", 16<<10))}
	if *rounds > 0 || *events > 0 {
		f.server = pgtest.StartServer(t)
		f.direct = f.server.Database(t)
	} else {
		f.direct = pgtest.Start(t)
	}
	f.store = f.open(f.direct)
	if _, err := schema.Up(t.Context(), f.store); err != nil {
		t.Fatal(err)
	}
	var doc, emails strings.Builder
	doc.WriteString("people:\n  - {email: t@school.test, role: teacher}\n")
	for i := range students {
		fmt.Fprintf(&doc, "  - {email: s%d@school.test, role: student}\n", i)
		fmt.Fprintf(&emails, "s%d@school.test, ", i)
	}
	fmt.Fprintf(&doc, "groups:\n  - {name: Class, teacher: t@school.test, students: [%s]}\n", strings.TrimSuffix(emails.String(), ", "))
	doc.WriteString("lessons:\n  - {title: One, group: Class, teacher: t@school.test, start: 2026-11-16T10:00:00Z, end: 2026-11-16T11:00:00Z, record: true}\n" +
		"recordings:\n  - {lesson: One, title: One, status: ready, visibility: lesson_group, provider: local, key: one.mp4, duration: 5400}\n")
	if _, err := document.Apply(t.Context(), f.store, strings.NewReader(doc.String()), false); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(f.dir, "one.mp4"), f.video, 0o600); err != nil {
		t.Fatal(err)
	}
	for i := range f.proxies {
		f.proxies[i] = faultproxy.Start(t, f.behindProxy())
		f.proxies[i].KeepAbandoned(5 * time.Second)
	}
	return f
}

// proxied is the application's name of sessions through proxies.
const proxied = "proxied"

// behindProxy is the database's URL for a proxy: its sessions can be told from the others.
func (f *fixture) behindProxy() string {
	f.t.Helper()
	u, err := url.Parse(f.direct)
	if err != nil {
		f.t.Fatal(err)
	}
	query := u.Query()
	query.Set("application_name", proxied)
	u.RawQuery = query.Encode()
	return u.String()
}

// quiesce cuts the connections of all nodes and returns when PostgreSQL has ended their
// sessions, the abandoned ones too. Nothing is under way then: a commit that was sent has been
// made, or never will be.
func (f *fixture) quiesce() {
	f.t.Helper()
	for _, p := range f.proxies {
		p.Set(faultproxy.Faults{Away: true})
	}
	eventually(f.t, "sessions ended", func() (bool, string) {
		n := f.number(`SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 AND datname = current_database()`, proxied)
		return n == 0, fmt.Sprint(n, " sessions")
	})
	for _, p := range f.proxies {
		p.Set(faultproxy.Faults{})
	}
}

// addRecordings adds rows of recordings, from id first on, that are archived nowhere.
func (f *fixture) addRecordings(first, n int) {
	f.t.Helper()
	var doc strings.Builder
	doc.WriteString("recordings:\n")
	for i := range n {
		fmt.Fprintf(&doc, "  - {id: %[1]d, lesson: One, title: R%[1]d, status: processing, visibility: lesson_group, provider: local, key: r%[1]d, duration: 60}\n", first+i)
	}
	if _, err := document.Apply(f.t.Context(), f.store, strings.NewReader(doc.String()), false); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) open(url string) *catalog.Store {
	f.t.Helper()
	store, err := catalog.Open(f.t.Context(), url, slog.New(slog.DiscardHandler))
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { store.Close() })
	return store
}

// exec runs a statement without a proxy.
func (f *fixture) exec(statement string, args ...any) {
	f.t.Helper()
	err := f.store.Update(f.t.Context(), "test", func(x catalog.Session) error {
		_, err := x.Exec(f.t.Context(), statement, args...)
		return err
	})
	if err != nil {
		f.t.Fatalf("%s: %v", statement, err)
	}
}

// number is the one number of an answer, without a proxy.
func (f *fixture) number(query string, args ...any) (n int64) {
	f.t.Helper()
	if err := f.store.Row(f.t.Context(), "test", query, args, &n); err != nil {
		f.t.Fatalf("%s: %v", query, err)
	}
	return n
}

// column is the one column of an answer, without a proxy.
func (f *fixture) column(query string, args ...any) (out []string, err error) {
	err = f.store.Rows(f.t.Context(), "test", time.Minute, query, args, func(scan func(...any) error) error {
		var text string
		err := scan(&text)
		out = append(out, text)
		return err
	})
	return out, err
}

// accessToken is one as the platform signs it.
func accessToken(user int64) string {
	part := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	now := time.Now().Unix()
	unsigned := part(`{"alg":"HS256","typ":"JWT"}`) + "." +
		part(fmt.Sprintf(`{"token_type":"access","exp":%d,"iat":%d,"jti":"0123456789abcdef0123456789abcdef","user_id":"%d"}`, now+43200, now, user))
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(unsigned))
	return unsigned + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// localNode is the parts of a gateway that work with the database, in this process.
type localNode struct {
	starts *library.PlaybackStarts
	codes  *catalog.UsedCodes
	gate   *auth.Authorizer
}

// staleness is AUTH_MAX_STALENESS of the nodes in this process, grace their
// AUTH_OUTAGE_GRACE. Access changes less often than that, or no answer would be wrong.
const staleness, grace = 400 * time.Millisecond, 10 * time.Minute

// newLocalNode makes a node on a database. maxStaleness is what it really keeps to.
func newLocalNode(t *testing.T, url string, maxStaleness time.Duration, listens bool) *localNode {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	log := slog.New(slog.DiscardHandler)
	store, err := catalog.Open(t.Context(), url, log)
	must(err)
	t.Cleanup(func() { store.Close() })
	cached, err := catalog.NewCache(store, catalog.CacheConfig{MaxStaleness: maxStaleness, OutageGrace: grace}, log, prometheus.NewRegistry())
	must(err)
	t.Cleanup(cached.Stop)
	cached.Start(t.Context())
	if listens {
		cached.Follow(store, func() {})
	}
	cfg := auth.Config{JWTSecret: secret, AccessRule: "strict", QueryTokens: "any"}
	verifier, err := auth.NewVerifier(cfg, log, time.Now)
	must(err)
	verifier.Start(t.Context())
	t.Cleanup(verifier.Stop)
	gate, err := auth.NewAuthorizer(cfg, verifier, cached, prometheus.NewRegistry(), time.Now)
	must(err)
	t.Cleanup(gate.Close)
	return &localNode{starts: library.NewPlaybackStarts(store), codes: catalog.NewUsedCodes(store), gate: gate}
}

func (n *localNode) start(ctx context.Context, user int64, limit int) answer {
	started, err := n.starts.CountStart(ctx, user, 1, time.Now(), time.Hour, 0, limit)
	switch {
	case err != nil:
		return unknown
	case started.ID != 0:
		return yes
	default:
		return no
	}
}

func (n *localNode) redeem(ctx context.Context, code string) answer {
	// Codes outlast a round: one that has expired is forgotten, and new again.
	first, err := n.codes.Use(ctx, code, time.Now().Add(time.Hour), time.Now())
	switch {
	case err != nil:
		return unknown
	case first:
		return yes
	default:
		return no
	}
}

func (n *localNode) watch(ctx context.Context, user int64) answer {
	viewer, err := n.gate.Authenticate(ctx, media.Token{Value: accessToken(user), From: media.FromHeader})
	if err == nil {
		_, err = n.gate.Authorize(ctx, viewer, 1)
	}
	var refusal *media.Refusal
	switch {
	case err == nil:
		return yes
	case errors.As(err, &refusal):
		return no
	default:
		return unknown
	}
}
