package origin_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/origin"
	"github.com/lectiospace/lectern/internal/origin/origintest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func content(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * 7)
	}
	return b
}

var files = map[string][]byte{"lesson": content(100_000)}

func open(t *testing.T, o origin.Origin, span media.Span) (io.ReadCloser, error) {
	t.Helper()
	obj, err := o.Stat(t.Context(), media.Location{Provider: origintest.Provider, Key: "lesson"})
	if err != nil {
		t.Fatal(err)
	}
	return o.Open(t.Context(), obj, span)
}

func TestDecoratorsKeepTheContract(t *testing.T) {
	for name, wrap := range map[string]func(origin.Origin) origin.Origin{
		"bare":     func(o origin.Origin) origin.Origin { return o },
		"verify":   origin.Verify,
		"watchdog": func(o origin.Origin) origin.Origin { return origin.Watchdog(o, time.Minute) },
		"limit":    func(o origin.Origin) origin.Origin { return origin.Limit(o, 8) },
		"breaker":  origin.Breaker,
		"retry":    func(o origin.Origin) origin.Origin { return origin.Retry(o, 3) },
		"observe": func(o origin.Origin) origin.Origin {
			return origin.NewObserver(prometheus.NewRegistry()).Observe("test", o)
		},
		"all": func(o origin.Origin) origin.Origin {
			return origin.Harden(o, origin.Options{Provider: "test", Hedge: 2})
		},
		"router": func(o origin.Origin) origin.Origin {
			return origin.NewRouter(map[string]origin.Origin{origintest.Provider: o})
		},
	} {
		t.Run(name, func(t *testing.T) {
			fake := origintest.New(files)
			origintest.Conformance(t, wrap(fake), origintest.Provider, files)
			if n := fake.StillOpen(); n != 0 {
				t.Errorf("%d bodies were not closed", n)
			}
		})
	}
}

// TestRetryResumesBodies: the reader does not see faults that pass.
func TestRetryResumesBodies(t *testing.T) {
	for _, fault := range []origintest.Fault{
		{OpenError: media.Fault(media.Unavailable, "test", nil)},
		{After: 40_000, Error: media.Fault(media.Unavailable, "test", nil)},
		{After: 40_000, Error: io.EOF}, // short
		{After: 40_000, Stall: true},
		{After: 0, Error: media.Fault(media.Timeout, "test", nil)},
	} {
		t.Run(fmt.Sprintf("%+v", fault), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := origintest.New(files)
				fake.Script(fault, fault)
				body, err := open(t, origin.Harden(fake, origin.Options{Stall: time.Second}), media.Span{Off: 10, Len: 90_000})
				if err != nil {
					t.Fatal(err)
				}
				defer body.Close()
				got, err := io.ReadAll(body)
				if err != nil || !bytes.Equal(got, files["lesson"][10:90_010]) {
					t.Errorf("%d bytes, right %v, %v", len(got), bytes.Equal(got, files["lesson"][10:90_010]), err)
				}
				if fake.Opens() != 3 {
					t.Errorf("%d opens, want 3", fake.Opens())
				}
			})
		})
	}
}

// TestRetryAtTheEnd: a body that breaks behind its last byte, before its end is known, is a
// fault that passes like any other. One that goes on beyond the span is final.
func TestRetryAtTheEnd(t *testing.T) {
	span := media.Span{Off: 10, Len: 90_000}
	for _, c := range []struct {
		faults []origintest.Fault
		opens  int64
		want   media.Kind // Other: none
	}{
		{[]origintest.Fault{{After: 90_000, Error: media.Fault(media.Unavailable, "test", nil)}}, 2, media.Other},
		{[]origintest.Fault{{After: 90_000, Stall: true}}, 2, media.Other},
		{[]origintest.Fault{{After: 90_000, Error: media.Fault(media.Corrupt, "test", io.ErrUnexpectedEOF)}, {After: 1, Error: media.Fault(media.Unavailable, "test", nil)}}, 3, media.Other},
		{[]origintest.Fault{{After: 90_000, Error: media.Fault(media.Changed, "test", nil)}}, 1, media.Changed},
		{[]origintest.Fault{{Extra: 1}}, 1, media.Corrupt},
	} {
		t.Run(fmt.Sprintf("%+v", c.faults), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := origintest.New(files)
				fake.Script(c.faults...)
				body, err := open(t, origin.Harden(fake, origin.Options{Stall: time.Second}), span)
				if err != nil {
					t.Fatal(err)
				}
				defer body.Close()
				got, err := io.ReadAll(body)
				if media.KindOf(err) != c.want || err == nil && !bytes.Equal(got, files["lesson"][10:90_010]) {
					t.Errorf("%d bytes, right %v, %v", len(got), bytes.Equal(got, files["lesson"][10:90_010]), err)
				}
				if opens := int64(fake.Opens()); opens != c.opens {
					t.Errorf("%d opens, want %d", opens, c.opens)
				}
			})
		})
	}
}

// TestRetryLeavesFinalFaults: a fault that does not pass is not retried.
func TestRetryLeavesFinalFaults(t *testing.T) {
	for _, kind := range []media.Kind{media.NotFound, media.Denied, media.Quota, media.Changed, media.Invalid, media.Canceled} {
		fake := origintest.New(files)
		fake.Script(origintest.Fault{OpenError: media.Fault(kind, "test", nil)})
		if _, err := open(t, origin.Retry(fake, 5), media.Span{Len: 10}); media.KindOf(err) != kind || fake.Opens() != 1 {
			t.Errorf("%v: %v after %d opens", kind, err, fake.Opens())
		}
	}
}

func TestRetryGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := origintest.New(files)
		for range 10 {
			fake.Script(origintest.Fault{OpenError: media.Fault(media.Unavailable, "test", nil)})
		}
		began := time.Now()
		_, err := open(t, origin.Retry(fake, 4), media.Span{Len: 10})
		if media.KindOf(err) != media.Unavailable || fake.Opens() != 4 {
			t.Errorf("%v after %d opens, want 4", err, fake.Opens())
		}
		if waited := time.Since(began); waited > 8*time.Second {
			t.Errorf("a viewer waited %v for a refusal", waited)
		}
	})
}

func TestWatchdogEndsAStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := origintest.New(files)
		fake.Script(origintest.Fault{After: 100, Stall: true})
		body, err := open(t, origin.Watchdog(fake, 5*time.Second), media.Span{Len: 1000})
		if err != nil {
			t.Fatal(err)
		}
		defer body.Close()
		began := time.Now()
		got, err := io.ReadAll(body)
		if len(got) != 100 || media.KindOf(err) != media.Timeout || time.Since(began) != 5*time.Second {
			t.Errorf("%d bytes, %v after %v", len(got), err, time.Since(began))
		}
	})
}

// silentOnce is an origin whose first description never comes, as on a connection that has died
// unnoticed while nothing used it.
type silentOnce struct {
	origin.Origin
	asked atomic.Int32
}

func (s *silentOnce) Stat(ctx context.Context, loc media.Location) (media.Object, error) {
	if s.asked.Add(1) == 1 {
		<-ctx.Done()
		return media.Object{}, origin.NetworkFault("test: stat", ctx.Err())
	}
	return s.Origin.Stat(ctx, loc)
}

// TestWatchdogEndsASilentStat: it ends while there is time for another one, so that who asks is
// answered. All of a viewer's queries are bounded by the StatCache.
func TestWatchdogEndsASilentStat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		silent := &silentOnce{Origin: origintest.New(files)}
		stats := origin.NewStatCache(origin.Harden(silent, origin.Options{}), time.Minute, time.Now)
		defer stats.Close()
		obj, err := stats.Stat(t.Context(), media.Location{Provider: origintest.Provider, Key: "lesson"})
		if err != nil || obj.Size != int64(len(files["lesson"])) || silent.asked.Load() != 2 {
			t.Errorf("%+v, %v, asked %d times", obj, err, silent.asked.Load())
		}
	})
}

// pooled is an origin with connections of its own.
type pooled struct {
	*silentOnce
	closed atomic.Int32
}

func (p *pooled) CloseIdleConnections() { p.closed.Add(1) }

// TestStallClosesIdleConnections: those are likely to be dead as well. Answers in time close none.
func TestStallClosesIdleConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := origintest.New(files)
		o := &pooled{silentOnce: &silentOnce{Origin: fake}}
		hardened := origin.Harden(o, origin.Options{})
		for i, fault := range []origintest.Fault{{Stall: true}, {After: 100, Stall: true}, {}} {
			fake.Script(fault)
			body, err := open(t, hardened, media.Span{Len: 1000})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadAll(body); err != nil {
				t.Fatal(err)
			}
			body.Close()
			if want := []int32{2, 3, 3}[i]; o.closed.Load() != want { // the first has a silent Stat too
				t.Errorf("read %d: idle connections were closed %d times, not %d", i, o.closed.Load(), want)
			}
		}
	})
}

// TestWatchdogLeavesCancelledStats: only what it has ended itself is a Timeout.
func TestWatchdogLeavesCancelledStats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		silent := &silentOnce{Origin: origintest.New(files)}
		_, err := origin.Watchdog(silent, 5*time.Second).Stat(ctx, media.Location{Provider: origintest.Provider, Key: "lesson"})
		if err == nil || media.KindOf(err) == media.Timeout {
			t.Errorf("%v", err)
		}
	})
}

func TestVerifyRefusesTooFewAndTooMany(t *testing.T) {
	for name, fault := range map[string]origintest.Fault{
		"too few":  {After: 500, Error: io.EOF},
		"too many": {Extra: 1},
	} {
		fake := origintest.New(files)
		fake.Script(fault)
		body, err := open(t, origin.Verify(fake), media.Span{Len: 1000})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(body); media.KindOf(err) != media.Corrupt {
			t.Errorf("%s: %v", name, err)
		}
		body.Close()
	}
}

func TestLimitHoldsSlotsUntilClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := origin.Limit(origintest.New(files), 1)
		first, err := open(t, o, media.Span{Len: 10})
		if err != nil {
			t.Fatal(err)
		}
		obj, _ := o.Stat(t.Context(), media.Location{Provider: origintest.Provider, Key: "lesson"})
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := o.Open(short, obj, media.Span{Len: 10}); media.KindOf(err) != media.Timeout {
			t.Errorf("a second read during the first: %v", err)
		}
		first.Close()
		second, err := open(t, o, media.Span{Len: 10})
		if err != nil {
			t.Fatal(err)
		}
		second.Close()
	})
}

func TestBreakerFailsFast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := origintest.New(files)
		fake.Script(origintest.Fault{OpenError: &media.Error{Kind: media.Quota, Op: "test", RetryAfter: time.Minute}})
		o := origin.Breaker(fake)
		for range 3 {
			if _, err := open(t, o, media.Span{Len: 10}); media.KindOf(err) != media.Quota || media.RetryAfterOf(err) != time.Minute {
				t.Errorf("%v", err)
			}
		}
		if fake.Opens() != 1 {
			t.Errorf("%d opens: the origin was asked again", fake.Opens())
		}
		time.Sleep(time.Minute)
		body, err := open(t, o, media.Span{Len: 10})
		if err != nil {
			t.Fatal(err)
		}
		body.Close()
	})
}

func TestObserveCounts(t *testing.T) {
	reg := prometheus.NewRegistry()
	fake := origintest.New(files)
	fake.Script(origintest.Fault{OpenError: media.Fault(media.Quota, "test", nil)})
	o := origin.NewObserver(reg).Observe("gdrive", fake)
	_, _ = open(t, o, media.Span{Len: 10})
	body, err := open(t, o, media.Span{Len: 1000})
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.ReadAll(body)
	body.Close()
	if err := testutil.GatherAndCompare(reg, bytes.NewReader([]byte(`
# HELP lectern_origin_bytes_total Bytes received from origins.
# TYPE lectern_origin_bytes_total counter
lectern_origin_bytes_total{provider="gdrive"} 1000
`)), "lectern_origin_bytes_total"); err != nil {
		t.Error(err)
	}
	if n, _ := testutil.GatherAndCount(reg, "lectern_origin_requests_total"); n < 8 {
		t.Errorf("%d outcomes, want all of them from the start", n)
	}
}

func TestRouterNamesTheProvider(t *testing.T) {
	_, err := origin.NewRouter(nil).Stat(t.Context(), media.Location{Provider: "s3", Key: "x"})
	if media.KindOf(err) != media.Unavailable || !bytes.Contains([]byte(err.Error()), []byte(`"s3"`)) {
		t.Error(err)
	}
}

// TestStatCache: one query for all callers, the last answer while the origin is
// unreachable, and no failure because another caller left.
func TestStatCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := origintest.New(files)
		r := origin.NewStatCache(fake, time.Minute, time.Now)
		defer r.Close()
		loc := media.Location{Provider: origintest.Provider, Key: "lesson"}
		fake.Delay(time.Second)
		gone, leave := context.WithCancel(t.Context())
		var group sync.WaitGroup
		group.Go(func() {
			if _, err := r.Stat(gone, loc); media.KindOf(err) != media.Canceled {
				t.Errorf("the caller that left: %v", err)
			}
		})
		for range 9 {
			group.Go(func() {
				if obj, err := r.Stat(t.Context(), loc); err != nil || obj.Size != 100_000 {
					t.Errorf("%v, %v", obj, err)
				}
			})
		}
		synctest.Wait()
		leave()
		group.Wait()
		if fake.Stats() != 1 {
			t.Errorf("%d queries, want 1", fake.Stats())
		}
		fake.StatFails(media.Fault(media.Unavailable, "test", nil))
		time.Sleep(2 * time.Minute)
		if obj, err := r.Stat(t.Context(), loc); err != nil || obj.Size != 100_000 {
			t.Errorf("while the origin is unreachable: %v, %v", obj, err)
		}
		asked := fake.Stats()
		if _, err := r.Stat(t.Context(), loc); err != nil || fake.Stats() != asked {
			t.Errorf("an origin that was just unreachable is queried again: %v", err)
		}
		time.Sleep(10 * time.Second)
		fake.StatFails(media.Fault(media.NotFound, "test", nil))
		if _, err := r.Stat(t.Context(), loc); media.KindOf(err) != media.NotFound {
			t.Errorf("a deleted object is still cached: %v", err)
		}
		fake.StatFails(nil)
		r.Invalidate(loc)
		if _, err := r.Stat(t.Context(), loc); err != nil {
			t.Error(err)
		}
		if r.Close() != nil {
			t.Error("closing twice")
		}
		if _, err := r.Stat(t.Context(), loc); err == nil {
			t.Error("an answer after Close")
		}
	})
}

// TestStatCacheJournal: entries of before a restart serve while the origin is unreachable,
// and none outlives the origin's answer.
func TestStatCacheJournal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data", "objects.jsonl")
	loc := media.Location{Provider: origintest.Provider, Key: "lesson"}
	open := func(fake *origintest.Fake) *origin.StatCache {
		r := origin.NewStatCache(fake, time.Minute, time.Now)
		if err := r.OpenJournal(path, slog.New(slog.DiscardHandler)); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Close() })
		return r
	}
	fake := origintest.New(files)
	r := open(fake)
	first, err := r.Stat(t.Context(), loc)
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	// A crash leaves half a line.
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"provider":"fake","key":"les`); err != nil {
		t.Fatal(err)
	}
	f.Close()

	down := origintest.New(files)
	down.StatFails(media.Fault(media.Unavailable, "test", nil))
	r = open(down)
	if obj, err := r.Stat(t.Context(), loc); err != nil || obj != first {
		t.Errorf("after a restart, the origin unreachable: %+v, %v; before %+v", obj, err, first)
	}
	if _, err := r.Stat(t.Context(), media.Location{Provider: origintest.Provider, Key: "empty"}); media.KindOf(err) != media.Unavailable {
		t.Errorf("of an object without an entry: %v", err)
	}
	if down.Stats() != 2 {
		t.Errorf("the origin was asked %d times, want once for each", down.Stats())
	}
	r.Close()

	gone := origintest.New(files)
	gone.StatFails(media.Fault(media.NotFound, "test", nil))
	r = open(gone)
	if _, err := r.Stat(t.Context(), loc); media.KindOf(err) != media.NotFound {
		t.Errorf("a deleted object: %v", err)
	}
	r.Close()
	r = open(down)
	if obj, err := r.Stat(t.Context(), loc); media.KindOf(err) != media.Unavailable {
		t.Errorf("a deleted object is cached after a restart: %+v, %v", obj, err)
	}
}

// TestStatCacheRefreshesAhead: a viewer never waits for the check whether a file is
// still the same, nor long for an origin that does not answer.
func TestStatCacheRefreshesAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := origintest.New(files)
		fake.Delay(time.Second)
		r := origin.NewStatCache(fake, time.Minute, time.Now)
		defer r.Close()
		loc := media.Location{Provider: origintest.Provider, Key: "lesson"}
		took := func() time.Duration {
			began := time.Now()
			if _, err := r.Stat(t.Context(), loc); err != nil {
				t.Error(err)
			}
			return time.Since(began)
		}
		if d := took(); d != time.Second {
			t.Errorf("the first answer took %v", d)
		}
		for range 20 {
			time.Sleep(20 * time.Second)
			if d := took(); d != 0 {
				t.Errorf("a later answer took %v", d)
			}
		}
		time.Sleep(time.Hour)
		fake.Delay(20 * time.Second)
		if d := took(); d != 2*time.Second {
			t.Errorf("an origin that does not answer was waited for %v", d)
		}
	})
}

func response(status int, contentRange, contentType, coding string, length int64) *http.Response {
	h := http.Header{}
	for k, v := range map[string]string{"Content-Range": contentRange, "Content-Type": contentType, "Content-Encoding": coding} {
		if v != "" {
			h.Set(k, v)
		}
	}
	return &http.Response{StatusCode: status, Header: h, ContentLength: length}
}

func TestCheckRangeResponse(t *testing.T) {
	span := media.Span{Off: 10, Len: 20}
	for _, c := range []struct {
		name string
		resp *http.Response
		span media.Span
		good bool
	}{
		{"exact", response(206, "bytes 10-29/100", "video/mp4", "", 20), span, true},
		{"length unknown", response(206, "bytes 10-29/100", "video/mp4", "", -1), span, true},
		{"no type", response(206, "bytes 10-29/100", "", "identity", 20), span, true},
		{"whole for the whole", response(200, "", "video/mp4", "", 100), media.Span{Len: 100}, true},
		{"whole for a part", response(200, "", "video/mp4", "", 100), span, false},
		{"another whole", response(200, "", "video/mp4", "", 99), media.Span{Len: 100}, false},
		{"starts late", response(206, "bytes 11-29/100", "video/mp4", "", 19), span, false},
		{"ends early", response(206, "bytes 10-28/100", "video/mp4", "", 19), span, false},
		{"another total", response(206, "bytes 10-29/101", "video/mp4", "", 20), span, false},
		{"total unknown", response(206, "bytes 10-29/*", "video/mp4", "", 20), span, false},
		{"no Content-Range", response(206, "", "video/mp4", "", 20), span, false},
		{"wrong length", response(206, "bytes 10-29/100", "video/mp4", "", 21), span, false},
		{"a page", response(206, "bytes 10-29/100", "text/html; charset=utf-8", "", 20), span, false},
		{"several parts", response(206, "bytes 10-29/100", "multipart/byteranges; boundary=x", "", 20), span, false},
		{"coded", response(206, "bytes 10-29/100", "video/mp4", "gzip", 20), span, false},
		{"another status", response(204, "", "", "", 0), span, false},
	} {
		err := origin.CheckRangeResponse(c.resp, c.span, 100)
		if (err == nil) != c.good || err != nil && media.KindOf(err) != media.Corrupt {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func FuzzContentRange(f *testing.F) {
	for _, seed := range []string{"bytes 0-0/1", "bytes 10-29/100", "bytes */5", "bytes 5-2/9", "bytes 0-18446744073709551615/1", "bytes -1-2/3", "items 0-1/2", "bytes 0-1/2/3", "bytes 3-6/10", "bytes 3-6/11", "bytes 3-4/5"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, field string) {
		span := media.Span{Off: 3, Len: 4}
		if origin.CheckRangeResponse(response(206, field, "", "", -1), span, 10) == nil && field != "bytes 3-6/10" {
			// Only other spellings of the same numbers may pass.
			var a, b, n int64
			if _, err := fmt.Sscanf(field, "bytes %d-%d/%d", &a, &b, &n); err != nil || a != 3 || b != 6 || n != 10 {
				t.Errorf("%q was taken for bytes 3-6 of 10", field)
			}
		}
		// The size of an object that is read before it is known.
		if size, err := origin.CheckPeekResponse(response(206, field, "", "", -1), span); err == nil {
			var a, b, n int64
			if _, err := fmt.Sscanf(field, "bytes %d-%d/%d", &a, &b, &n); err != nil || a != 3 || b != min(6, n-1) || n != size || size <= 3 {
				t.Errorf("%q was taken for bytes 3-6 of %d", field, size)
			}
		}
	})
}

var errTest = errors.New("test")

func TestErrorsKeepTheirCause(t *testing.T) {
	fake := origintest.New(files)
	fake.Script(origintest.Fault{OpenError: media.Fault(media.Denied, "test", errTest)})
	if _, err := open(t, origin.Harden(fake, origin.Options{}), media.Span{Len: 1}); !errors.Is(err, errTest) {
		t.Error(err)
	}
}

// TestRetryBudgetIsOne: opening and the body draw on one budget, and a trickle of bytes
// does not refill it.
func TestRetryBudgetIsOne(t *testing.T) {
	passing := media.Fault(media.Unavailable, "test", nil)
	refused, empty, trickle := origintest.Fault{OpenError: passing}, origintest.Fault{Error: passing}, origintest.Fault{After: 1, Error: passing}
	for _, c := range []struct {
		name  string
		fault []origintest.Fault // repeated
	}{
		{"refused thrice, then an empty body", []origintest.Fault{refused, refused, refused, empty}},
		{"an empty body, then refused", []origintest.Fault{empty, refused, refused, refused}},
		{"one byte each", []origintest.Fault{trickle}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := origintest.New(files)
				for range 20 {
					fake.Script(c.fault...)
				}
				body, err := open(t, origin.Retry(fake, 4), media.Span{Len: 1000})
				if err == nil {
					_, err = io.ReadAll(body)
					body.Close()
				}
				if media.KindOf(err) != media.Unavailable {
					t.Errorf("ended with %v", err)
				}
				if fake.Opens() != 4 {
					t.Errorf("%d origin requests, want 4", fake.Opens())
				}
			})
		})
	}
}
