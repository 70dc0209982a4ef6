package accesslog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

// connectionLog is a log with one connection.
type connectionLog struct {
	t    *testing.T
	log  *Log
	conn *Connection

	mu  sync.Mutex
	out bytes.Buffer // guarded by mu: a timer's goroutine writes too
}

// Write takes lines of the log.
func (l *connectionLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.Write(p)
}

func newConnectionLog(t *testing.T, lines Lines) *connectionLog {
	l := &connectionLog{t: t}
	l.log = New(lines, slog.New(slog.NewJSONHandler(l, nil)), time.Now)
	l.conn = l.log.Connection()
	return l
}

// write writes the record of a range of 100 bytes, changed by change.
func (l *connectionLog) write(n int, change func(*Record)) {
	rec := Record{
		Began: time.Now().Add(-time.Millisecond), RequestID: fmt.Sprint("id-", n), Client: netip.MustParseAddr("192.0.2.1"),
		Method: "GET", Route: "/stream/", Recording: 7, User: 42, Status: 206, Outcome: outcomeComplete,
		Range: fmt.Sprintf("bytes=%d-%d", n*100, n*100+99), Bytes: 100, FirstByte: time.Duration(n) * time.Microsecond,
		Origin: time.Microsecond, Cache: media.CacheHit,
	}
	if change != nil {
		change(&rec)
	}
	l.conn.Write(&rec)
}

// want compares the lines since the last call, each as "exchange ID" or as "playback ID N",
// with the number of its requests.
func (l *connectionLog) want(what string, want ...string) []map[string]any {
	l.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	var got []string
	var lines []map[string]any
	for d := json.NewDecoder(&l.out); d.More(); {
		var line map[string]any
		if err := d.Decode(&line); err != nil {
			l.t.Fatal(err)
		}
		text := fmt.Sprint(line["msg"], " ", line["request_id"])
		if n, ok := line["requests"]; ok {
			text += fmt.Sprint(" ", n)
		}
		got, lines = append(got, text), append(lines, line)
	}
	if !slices.Equal(got, want) {
		l.t.Errorf("%s: %q, want %q", what, got, want)
	}
	return lines
}

func TestPlaybackIsSummed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newConnectionLog(t, PerPlayback)
		l.write(0, nil)
		l.want("the first", "exchange id-0")
		l.write(1, func(r *Record) { r.Cache = media.CacheMiss })
		time.Sleep(3 * time.Second)
		l.write(9, nil)
		l.write(2, func(r *Record) { r.Cache = media.CachePartial; r.Range = "bytes=\"\n" })
		l.write(4, func(r *Record) { r.Method, r.Status, r.Bytes, r.FirstByte, r.Origin = "HEAD", 200, 0, 0, 0 })
		l.want("those that follow")
		time.Sleep(playbackInterval)
		synctest.Wait()
		lines := l.want("the end of the interval", "playback id-0 4")
		for k, want := range map[string]any{
			"level": "INFO", "client": "192.0.2.1", "route": "/stream/", "recording": 7.0, "user": 42.0, "bytes": 300.0,
			"first_range": "bytes=100-199", "last_range": "bytes=??", "slowest_first_byte_us": 9.0, "origin_us": 3.0,
			"hits": 1.0, "partial": 1.0, "misses": 1.0, "bypassed": 0.0, "duration_us": 3001000.0,
		} {
			if got := lines[0][k]; got != want {
				t.Errorf("%s: %v, want %v", k, got, want)
			}
		}
		l.write(3, nil)
		l.want("the next interval", "exchange id-3")
		if n := len(l.log.open.set); n != 0 {
			t.Errorf("%d sums are open after their lines", n)
		}
	})
}

// TestFirstRangeOfASum: it is that of the first request with bytes, also where that has no Range.
func TestFirstRangeOfASum(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newConnectionLog(t, PerPlayback)
		l.write(0, nil)
		l.write(1, func(r *Record) { r.Method, r.Status, r.Range = "HEAD", 200, "bytes=1-2" })
		l.write(2, func(r *Record) { r.Status, r.Range = 200, "" })
		l.write(3, nil)
		l.conn.Close()
		line := l.want("the sum", "exchange id-0", "playback id-0 3")[1]
		if line["first_range"] != "" || line["last_range"] != "bytes=300-399" {
			t.Errorf("from %q to %q", line["first_range"], line["last_range"])
		}
	})
}

// TestPlaybackEnds: a sum is written once, by whatever ends it first.
func TestPlaybackEnds(t *testing.T) {
	for _, c := range []struct {
		what string
		end  func(l *connectionLog)
		want []string
	}{
		{"the connection closes", func(l *connectionLog) { l.conn.Close(); l.conn.Close() }, []string{"playback id-0 2"}},
		{"the log is flushed", func(l *connectionLog) { l.log.Flush(); l.conn.Close() }, []string{"playback id-0 2"}},
		{"another recording", func(l *connectionLog) { l.write(5, func(r *Record) { r.Recording = 8 }) }, []string{"playback id-0 2", "exchange id-5"}},
		{"another user", func(l *connectionLog) { l.write(5, func(r *Record) { r.User = 43 }) }, []string{"playback id-0 2", "exchange id-5"}},
		{"another client of one proxy", func(l *connectionLog) { l.write(5, func(r *Record) { r.Client = netip.MustParseAddr("192.0.2.2") }) }, []string{"playback id-0 2", "exchange id-5"}},
		{"another base", func(l *connectionLog) { l.write(5, func(r *Record) { r.Route = "/api/stream/" }) }, []string{"playback id-0 2", "exchange id-5"}},
		{"a range after the interval", func(l *connectionLog) { time.Sleep(playbackInterval - time.Second); l.write(5, nil) }, []string{"playback id-0 2", "exchange id-5"}},
	} {
		synctest.Test(t, func(t *testing.T) {
			l := newConnectionLog(t, PerPlayback)
			l.write(0, nil)
			time.Sleep(time.Second) // the timer ends later than what the first range began
			l.write(1, nil)
			l.write(2, nil)
			l.want(c.what, "exchange id-0")
			c.end(l)
			l.want(c.what, c.want...)
			time.Sleep(2 * playbackInterval)
			synctest.Wait()
			l.want(c.what + ", later")
		})
	}
}

// TestOwnLines: what is not simply bytes that were sent has a line of its own, and does not
// end the sum.
func TestOwnLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newConnectionLog(t, PerPlayback)
		l.write(0, nil)
		l.write(1, nil)
		l.want("the first", "exchange id-0")
		for what, change := range map[string]func(*Record){
			"refused":      func(r *Record) { r.Status, r.Outcome = 403, outcomeRefused },
			"failed":       func(r *Record) { r.Status, r.Outcome, r.Err = 502, outcomeRefused, errors.New("the origin") },
			"failed later": func(r *Record) { r.Outcome, r.Err = "unavailable", errors.New("the origin") },
			"hung up":      func(r *Record) { r.Outcome = "hangup" },
			"revoked":      func(r *Record) { r.Outcome = "revoked" },
			"not modified": func(r *Record) { r.Status = 304 },
			"refused HEAD": func(r *Record) { r.Method, r.Status, r.Outcome = "HEAD", 403, outcomeRefused },
		} {
			l.write(9, change)
			l.want(what, "exchange id-9")
		}
		l.write(2, nil)
		l.conn.Close()
		l.want("the sum", "playback id-0 2")
	})
}

func TestLinePerRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newConnectionLog(t, PerRequest)
		for i := range 3 {
			l.write(i, nil)
		}
		l.conn.Close()
		l.want("ranges", "exchange id-0", "exchange id-1", "exchange id-2")
	})
}

// TestNothingIsSummedAfterFlush: what ends when the program stops is not lost.
func TestNothingIsSummedAfterFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newConnectionLog(t, PerPlayback)
		l.write(0, nil)
		l.log.Flush()
		l.write(1, nil)
		l.write(2, nil)
		l.want("ranges", "exchange id-0", "exchange id-1", "exchange id-2")
	})
}

func TestRequestIDIsMadeOnce(t *testing.T) {
	rec := Record{}
	if id := rec.ID(); len(id) != 16 || strings.Trim(id, "0123456789abcdef") != "" || rec.ID() != id {
		t.Errorf("%q, then %q", id, rec.ID())
	}
}
