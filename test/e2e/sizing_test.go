package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/catalog/document"
	"github.com/lectiospace/lectern/internal/pgtest"
)

// sizing measures what viewers cost one gateway and its database.
type sizing struct {
	t          *testing.T
	drive      *fleetDrive
	catalog    *playbackFixture
	statements *pgtest.Statements
	users      []string // access tokens
	table      []string
}

// TestSizing counts the statements of a playback at PostgreSQL, and the descriptors of
// viewers. The figures of docs/sizing.md are those of `make fleet`, which has more viewers and
// reads the memory too.
func TestSizing(t *testing.T) {
	t.Parallel()
	users, streams, campaign := 30, 200, os.Getenv("OUTAGE") != ""
	if campaign {
		users, streams = 300, 2000
	}
	s := newSizing(t, users)
	g := s.serve("10m")
	s.starts(g)
	s.ranges(g)
	s.views(g)
	s.descriptors(g, streams, campaign)
	s.connections(g)
	if campaign {
		s.idle(g)
	}
	g.kill()
	s.refresh(s.serve("1s"))
	t.Logf("%d users:\n%s", users, strings.Join(s.table, "\n"))
}

func newSizing(t *testing.T, users int) *sizing {
	t.Helper()
	s := &sizing{t: t, drive: newFleetDrive(t, 1)}
	database := pgtest.Start(t)
	var through string
	s.statements, through = pgtest.CountStatements(t, database)
	s.catalog = newPlaybackFixture(t, database, through)
	var doc strings.Builder
	doc.WriteString("people:\n")
	var students []string
	for i := range users {
		students = append(students, fmt.Sprintf("s%d@school.test", i))
		fmt.Fprintf(&doc, "  - {email: %s, role: student}\n", students[i])
		s.users = append(s.users, simpleJWT(3+i))
	}
	fmt.Fprintf(&doc, "groups:\n  - {name: Class, teacher: tutor@school.test, students: [%s]}\nrecordings:\n", strings.Join(students, ", "))
	for _, r := range []struct {
		id  int
		key string
	}{{firstLesson, lessonKey(0)}, {firstLongLesson, longFile}} {
		fmt.Fprintf(&doc, "  - {id: %d, lesson: One, title: R, status: ready, visibility: lesson_group, provider: gdrive, key: %s, duration: 60}\n", r.id, r.key)
	}
	if _, err := document.Apply(t.Context(), s.catalog.store, strings.NewReader(doc.String()), false); err != nil {
		t.Fatal(err)
	}
	return s
}

// serve starts a gateway whose facts grow old after staleness: ten minutes where nothing may
// be looked up again, however busy the machine is.
func (s *sizing) serve(staleness string) *gateway {
	s.t.Helper()
	g := s.catalog.serve(s.t, "LECTERN_ORIGIN_DRIVE_ENDPOINT="+s.drive.url, "LECTERN_ORIGIN_DRIVE_CREDENTIALS=none",
		"LECTERN_LIMIT_STREAMS_PER_USER=0", "LECTERN_AUTH_MAX_STALENESS="+staleness)
	for _, recording := range []int{firstLesson, firstLongLesson} {
		s.status(g, "GET", recording, "stream/", simpleJWT(2), "bytes=0-65535", http.StatusPartialContent)
	}
	return g
}

// status sends a request and checks its status.
func (s *sizing) status(g *gateway, method string, recording int, route, tok, byteRange string, want int) []byte {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, fmt.Sprintf("%s/api/recordings/%d/%s", g.url, recording, route), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+tok)
	if byteRange != "" {
		req.Header.Set("Range", byteRange)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != want {
		s.t.Fatalf("%s %s: %s %.200s %v", method, route, res.Status, body, err)
	}
	return body
}

// background is in the texts of statements that no viewer causes: settings of new connections,
// checks of those that have rested, heartbeats, the search for new recordings, the pruning of old rows.
var background = regexp.MustCompile(`^-- ping|set_config\(name, setting|^\x00?SELECT 1\b|lectern_gateways|verified_at|pg_notify|(?i:listen)|DELETE FROM lectern\.lectern_(views|starts) WHERE (counted|started)_ms`)

// taken is how many statements viewers caused since the last call. The begins and commits of
// background work are among them: they have no text of their own.
func (s *sizing) taken() (n int, kinds map[string]int) {
	n, kinds = s.statements.Take()
	for text, count := range kinds {
		if background.MatchString(text) {
			n -= count
			delete(kinds, text)
		}
	}
	return n, kinds
}

func (s *sizing) note(what string, result any) {
	s.table = append(s.table, fmt.Sprintf("%-52s %v", what, result))
}

// each has every user do something, eight at a time, and returns the statements per user.
func (s *sizing) each(what string, most float64, do func(tok string)) {
	s.t.Helper()
	s.taken()
	var clients sync.WaitGroup
	var next atomic.Int64
	for range 8 {
		clients.Go(func() {
			for {
				i := next.Add(1) - 1
				if i >= int64(len(s.users)) {
					return
				}
				do(s.users[i])
			}
		})
	}
	clients.Wait()
	n, kinds := s.taken()
	per := float64(n) / float64(len(s.users))
	s.note(what, fmt.Sprintf("%.2f statements", per))
	if per > most {
		s.t.Errorf("%s: %.2f statements, at most %.2f:", what, per, most)
		for text, count := range kinds {
			s.t.Errorf("%4d %.160q", count, text)
		}
	}
}

// starts counts a start by playback/, and one by a direct stream.
func (s *sizing) starts(g *gateway) {
	s.each("a playback's start (POST playback/)", 7.3, func(tok string) {
		s.status(g, "POST", firstLesson, "playback/", tok, "", http.StatusCreated)
	})
	s.each("its first range", 0.5, func(tok string) {
		s.status(g, "GET", firstLesson, "stream/", tok, "bytes=0-1023", http.StatusPartialContent)
	})
	s.each("a start by a stream with an access token", 7.3, func(tok string) {
		s.status(g, "GET", firstLongLesson, "stream/", tok, "bytes=0-1023", http.StatusPartialContent)
	})
}

// ranges counts those that follow.
func (s *sizing) ranges(g *gateway) {
	const each = 20
	s.each(fmt.Sprintf("%d further ranges", each), 0.5, func(tok string) {
		for i := range each {
			s.status(g, "GET", firstLesson, "stream/", tok, fmt.Sprintf("bytes=%d-%d", i<<10, i<<10+1023), http.StatusPartialContent)
		}
	})
}

// views counts a view, with its share of the batch that is written after it.
func (s *sizing) views(g *gateway) {
	s.each("a view (POST view/)", 2.5, func(tok string) {
		s.status(g, "POST", firstLesson, "view/", tok, "", http.StatusOK)
	})
}

// refresh counts what a viewer costs who goes on: each time the gateway looks at the database
// again, which it does 600 ms before auth-max-staleness (running streams are checked every
// 500 ms, and that takes time), and after any change that is notified.
func (s *sizing) refresh(g *gateway) {
	read := func(tok string) {
		s.status(g, "GET", firstLesson, "stream/", tok, "bytes=0-1023", http.StatusPartialContent)
	}
	s.each("its first range at another gateway", 7.3, read)
	time.Sleep(time.Second) // what the gateway knows grows old
	s.each("a range after auth-max-staleness - 0.6s", 2.3, read)
	g.kill()
	g = s.serve("10m")
	s.each("a range after a restart of the gateway", 7.3, read)
	for _, c := range []struct{ what, statement string }{
		{"a recording", `UPDATE public.schedule_lessonrecording SET visibility = 'all_teacher_groups' WHERE id = 2`},
		{"somebody's group", `DELETE FROM public.schedule_group_students WHERE customuser_id = 1`},
		{"somebody's account", `UPDATE public.accounts_customuser SET is_active = FALSE WHERE id = 1`},
	} {
		s.taken()
		s.catalog.change(s.t, c.statement)
		waitFor(s.t, "the change to arrive", func() bool {
			read(s.users[0])
			_, kinds := s.taken()
			for text := range kinds {
				if strings.Contains(text, "FROM public.") {
					return true
				}
			}
			return false
		})
		s.each("a range after a change of "+c.what, 2.3, read)
	}
}

// idle counts what a gateway sends without viewers.
func (s *sizing) idle(g *gateway) {
	const window = 60 * time.Second
	s.statements.Take()
	time.Sleep(window)
	n, _ := s.statements.Take()
	s.note("a gateway without viewers", fmt.Sprintf("%.2f statements a second", float64(n)/window.Seconds()))
}

// connections counts those of a gateway at work, the most it may have, and what a statement
// takes.
func (s *sizing) connections(g *gateway) {
	var open int64
	err := s.catalog.store.View(s.t.Context(), "test", func(x catalog.Session) error {
		return x.One(s.t.Context(), `SELECT count(*) - 1 FROM pg_stat_activity WHERE datname = current_database()`, nil, &open)
	})
	if err != nil {
		s.t.Fatal(err)
	}
	_, text := get(s.t, g.admin+"/metrics", "", "")
	sum := func(pattern string) (n float64) {
		for _, m := range regexp.MustCompile(`(?m)^`+pattern+` (\S+)$`).FindAllSubmatch(text, -1) {
			value, err := strconv.ParseFloat(string(m[1]), 64)
			if err != nil {
				s.t.Fatal(err)
			}
			n += value
		}
		return n
	}
	seconds, count := sum(`lectern_database_seconds_sum(?:\{[^}]*\})?`), sum(`lectern_database_seconds_count(?:\{[^}]*\})?`)
	s.note("connections of a gateway after eight clients", fmt.Sprintf("%d, at most %.0f and one that listens", open, sum(`lectern_database_connections\{state="limit"\}`)))
	s.note("a look-up or a transaction", fmt.Sprintf("%.2f ms", 1000*seconds/count))
}

// descriptors opens streams that rest in the middle, each on a connection of its own, and
// counts what the gateway opened for them.
func (s *sizing) descriptors(g *gateway, streams int, campaign bool) {
	pid := g.cmd.Process.Pid
	files, memory := descriptorsOf(s.t, pid), residentOf(s.t, pid)
	address := strings.TrimPrefix(g.url, "http://")
	var conns []net.Conn
	for i := range streams {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			s.t.Fatal(err)
		}
		defer conn.Close()
		// A small window: what rests is at the gateway, not here.
		_ = conn.(*net.TCPConn).SetReadBuffer(16 << 10)
		fmt.Fprintf(conn, "GET /api/recordings/%d/stream/ HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nRange: bytes=0-\r\n\r\n", firstLongLesson, address, s.users[i%len(s.users)])
		conns = append(conns, conn)
	}
	begun := make([]byte, 12)
	for _, conn := range conns {
		if _, err := io.ReadFull(conn, begun); err != nil || string(begun) != "HTTP/1.1 206" {
			s.t.Fatalf("%q %v", begun, err)
		}
	}
	waitFor(s.t, "all streams at once", func() bool { return metricOf(s.t, g, "lectern_streams_active") >= float64(streams) })
	more := descriptorsOf(s.t, pid) - files
	per := float64(more) / float64(streams)
	s.note(fmt.Sprintf("%d viewers at once", streams), fmt.Sprintf("%.2f descriptors each", per))
	if per > 1.2 {
		s.t.Errorf("%d descriptors for %d viewers", more, streams)
	}
	if campaign {
		s.note("", fmt.Sprintf("%.1f KiB of memory each", float64(residentOf(s.t, pid)-memory)/1024/float64(streams)))
	}
}

// descriptorsOf counts a process's open descriptors.
func descriptorsOf(t *testing.T, pid int) int {
	t.Helper()
	open, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil || len(open) == 0 {
		t.Fatalf("%d descriptors, %v", len(open), err)
	}
	return len(open)
}

// residentOf is a process's resident memory in bytes.
func residentOf(t *testing.T, pid int) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`VmRSS:\s+(\d+) kB`).FindSubmatch(status)
	kib, err := strconv.ParseInt(string(m[1]), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kib << 10
}
