package catalog

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/lectiospace/lectern/internal/media"
)

// fakeSource answers from fields that a test changes.
type fakeSource struct {
	mu    sync.Mutex
	role  media.Role
	fault error
	asked atomic.Int64
	pings atomic.Int64
	hold  func(ctx context.Context) // runs between reading the role and answering
}

func (f *fakeSource) set(role media.Role, fault error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.role, f.fault = role, fault
}

func (f *fakeSource) User(ctx context.Context, id int64) (media.User, error) {
	f.asked.Add(1)
	f.mu.Lock()
	role, fault, hold := f.role, f.fault, f.hold
	f.mu.Unlock()
	if hold != nil {
		hold(ctx)
	}
	if ctx.Err() != nil {
		fault = media.Fault(media.Canceled, "fake", ctx.Err())
	}
	if fault == nil && id > 100 {
		fault = media.Fault(media.NotFound, "fake", nil)
	}
	if fault != nil {
		return media.User{}, fault
	}
	return media.User{ID: id, Role: role, Active: true}, nil
}

func (f *fakeSource) Recording(ctx context.Context, id int64) (media.Recording, error) {
	_, err := f.User(ctx, id)
	return media.Recording{ID: id, OwnerID: 3}, err
}

func (f *fakeSource) Companion(context.Context, int64) (media.Companion, error) {
	return media.Companion{}, nil
}

func (f *fakeSource) Membership(ctx context.Context, userID int64, rec media.Recording) (media.Membership, error) {
	_, err := f.User(ctx, userID)
	return media.Membership{InTeachersGroup: rec.OwnerID == 3, ListedStudent: rec.ID == userID}, err
}

func (f *fakeSource) Ping(context.Context) error {
	f.pings.Add(1)
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fault
}

var errGone = media.Fault(media.Unavailable, "fake", errors.New("connection refused"))

// bubble runs a test of Cache on synctest's clock.
func bubble(t *testing.T, cfg CacheConfig, test func(t *testing.T, c *Cache, f *fakeSource)) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeSource{role: media.RoleStudent}
		c := newTestCache(t, f, cfg, nil)
		defer c.Stop()
		test(t, c, f)
	})
}

func newTestCache(t testing.TB, src Source, cfg CacheConfig, reg prometheus.Registerer) *Cache {
	t.Helper()
	c, err := NewCache(src, cfg, slog.New(slog.DiscardHandler), reg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// ask looks a user up and lets ristretto take in what was set.
func ask(t *testing.T, c *Cache, id int64) (media.Role, media.Kind) {
	t.Helper()
	u, err := c.User(t.Context(), id)
	c.users.entries.Wait()
	if err == nil {
		return u.Role, 0
	}
	return "", media.KindOf(err)
}

func wantAsk(t *testing.T, c *Cache, f *fakeSource, why string, id int64, role media.Role, kind media.Kind, asked int64) {
	t.Helper()
	before := f.asked.Load()
	gotRole, gotKind := ask(t, c, id)
	if gotRole != role || gotKind != kind || f.asked.Load()-before != asked {
		t.Errorf("%s: %q, %v, asked %d times; want %q, %v, %d times", why, gotRole, gotKind, f.asked.Load()-before, role, kind, asked)
	}
}

func TestCacheStaleness(t *testing.T) {
	bubble(t, CacheConfig{MaxStaleness: 30 * time.Second, OutageGrace: time.Minute}, func(t *testing.T, c *Cache, f *fakeSource) {
		wantAsk(t, c, f, "new", 5, "student", 0, 1)
		f.set("teacher", nil)
		wantAsk(t, c, f, "at once", 5, "student", 0, 0)
		time.Sleep(30*time.Second - time.Nanosecond)
		wantAsk(t, c, f, "just before it is stale", 5, "student", 0, 0)
		time.Sleep(time.Nanosecond)
		wantAsk(t, c, f, "stale", 5, "teacher", 0, 1)
		wantAsk(t, c, f, "fresh again", 5, "teacher", 0, 0)
		wantAsk(t, c, f, "another", 6, "teacher", 0, 1)
		f.set("admin", nil)
		c.InvalidateAll()
		wantAsk(t, c, f, "dropped", 5, "admin", 0, 1)
		wantAsk(t, c, f, "dropped too", 6, "admin", 0, 1)
		wantAsk(t, c, f, "kept again", 6, "admin", 0, 0)
	})
}

// TestLateAnswerReplacesNoNewer: an answer that was long on its way, for somebody who has
// hung up, does not replace one that was asked for later. In an outage it would give back what
// was taken away.
func TestLateAnswerReplacesNoNewer(t *testing.T) {
	bubble(t, CacheConfig{MaxStaleness: 30 * time.Second, OutageGrace: time.Minute}, func(t *testing.T, c *Cache, f *fakeSource) {
		late := make(chan struct{})
		f.hold = func(context.Context) { <-late }
		ctx, hangUp := context.WithCancel(t.Context())
		var first sync.WaitGroup
		first.Go(func() { _, _ = c.User(ctx, 5) })
		synctest.Wait()
		hangUp()
		first.Wait()
		c.reloadAll() // the connection to the database is back
		f.mu.Lock()
		f.role, f.hold = "teacher", nil
		f.mu.Unlock()
		time.Sleep(time.Second)
		wantAsk(t, c, f, "asked for later", 5, "teacher", 0, 1)
		close(late)
		synctest.Wait()
		c.users.entries.Wait()
		f.set("", errGone)
		c.observe(errGone)
		wantAsk(t, c, f, "in an outage", 5, "teacher", 0, 0)
	})
}

func TestCacheAbsence(t *testing.T) {
	bubble(t, CacheConfig{MaxStaleness: 30 * time.Second, OutageGrace: time.Minute}, func(t *testing.T, c *Cache, f *fakeSource) {
		wantAsk(t, c, f, "new", 500, "", media.NotFound, 1)
		time.Sleep(2*time.Second - 1)
		wantAsk(t, c, f, "believed", 500, "", media.NotFound, 0)
		time.Sleep(1)
		wantAsk(t, c, f, "asked again", 500, "", media.NotFound, 1)
		f.set("", errGone)
		wantAsk(t, c, f, "believed still", 500, "", media.NotFound, 0)
		time.Sleep(2 * time.Second)
		wantAsk(t, c, f, "not in an outage", 500, "", media.Unavailable, 1)
	})
	bubble(t, CacheConfig{MaxStaleness: time.Second}, func(t *testing.T, c *Cache, f *fakeSource) {
		wantAsk(t, c, f, "new", 500, "", media.NotFound, 1)
		time.Sleep(time.Second)
		wantAsk(t, c, f, "no longer than anything else", 500, "", media.NotFound, 1)
	})
}

func TestCacheNeverStale(t *testing.T) {
	bubble(t, CacheConfig{OutageGrace: time.Minute}, func(t *testing.T, c *Cache, f *fakeSource) {
		for range 3 {
			wantAsk(t, c, f, "always asks", 5, "student", 0, 1)
		}
		f.set("", errGone)
		wantAsk(t, c, f, "and yet remembers for an outage", 5, "student", 0, 1)
	})
}

func TestCacheOutage(t *testing.T) {
	bubble(t, CacheConfig{MaxStaleness: 30 * time.Second, OutageGrace: 10 * time.Minute}, func(t *testing.T, c *Cache, f *fakeSource) {
		c.Start(t.Context())
		synctest.Wait() // the first ping has found the database there
		wantAsk(t, c, f, "before", 5, "student", 0, 1)
		f.set("", errGone)
		time.Sleep(1500 * time.Millisecond) // the next ping sees it: the outage began a second in
		wantAsk(t, c, f, "known", 5, "student", 0, 0)
		wantAsk(t, c, f, "everybody new, without waiting", 6, "", media.Unavailable, 0)
		time.Sleep(5 * time.Minute)
		wantAsk(t, c, f, "within the grace", 5, "student", 0, 0)
		time.Sleep(5*time.Minute - 600*time.Millisecond)
		wantAsk(t, c, f, "at the end of the grace", 5, "student", 0, 0)
		time.Sleep(200 * time.Millisecond)
		wantAsk(t, c, f, "after the grace", 5, "", media.Unavailable, 0)
		f.set("teacher", nil)
		time.Sleep(time.Second)
		wantAsk(t, c, f, "back", 5, "teacher", 0, 1)
		wantAsk(t, c, f, "back for everybody", 6, "teacher", 0, 1)
	})
}

func TestCacheOutageIsSeenByLookups(t *testing.T) {
	bubble(t, CacheConfig{MaxStaleness: time.Second, OutageGrace: time.Minute}, func(t *testing.T, c *Cache, f *fakeSource) {
		wantAsk(t, c, f, "before", 5, "student", 0, 1)
		time.Sleep(50 * time.Second)
		f.set("", errGone)
		wantAsk(t, c, f, "stale, asked, held", 5, "student", 0, 1)
		time.Sleep(59 * time.Second)
		wantAsk(t, c, f, "held", 5, "student", 0, 0)
		f.set("teacher", nil)
		time.Sleep(2 * time.Second)
		wantAsk(t, c, f, "past the grace: without a pinger a look-up tries", 5, "teacher", 0, 1)
		f.set("", errGone)
		time.Sleep(61 * time.Second)
		wantAsk(t, c, f, "older than the grace when the outage was first seen", 5, "", media.Unavailable, 1)
	})
}

// TestCacheShortGrace: the grace's end is an end, however young the facts.
func TestCacheShortGrace(t *testing.T) {
	bubble(t, CacheConfig{MaxStaleness: 30 * time.Second, OutageGrace: 2 * time.Second}, func(t *testing.T, c *Cache, f *fakeSource) {
		c.Start(t.Context())
		synctest.Wait() // the first ping has found the database there
		wantAsk(t, c, f, "before", 5, "student", 0, 1)
		f.set("", errGone)
		time.Sleep(2500 * time.Millisecond)
		wantAsk(t, c, f, "within", 5, "student", 0, 0)
		time.Sleep(time.Second)
		wantAsk(t, c, f, "after", 5, "", media.Unavailable, 0)
	})
}

func TestCacheDropInOutage(t *testing.T) {
	bubble(t, CacheConfig{MaxStaleness: 30 * time.Second, OutageGrace: time.Minute}, func(t *testing.T, c *Cache, f *fakeSource) {
		wantAsk(t, c, f, "before", 5, "student", 0, 1)
		f.set("", errGone)
		c.InvalidateAll()
		wantAsk(t, c, f, "what was dropped is not known any more", 5, "", media.Unavailable, 1)
	})
}

// TestCacheOtherFaults: what is neither an answer nor an outage is passed on,
// not kept, and starts no outage.
func TestCacheOtherFaults(t *testing.T) {
	bubble(t, CacheConfig{MaxStaleness: time.Second, OutageGrace: time.Minute}, func(t *testing.T, c *Cache, f *fakeSource) {
		wantAsk(t, c, f, "before", 5, "student", 0, 1)
		time.Sleep(time.Second)
		f.set("", media.Fault(media.Other, "fake", nil))
		wantAsk(t, c, f, "not held", 5, "", media.Other, 1)
		wantAsk(t, c, f, "asked again", 5, "", media.Other, 1)
	})
}

// TestCacheDropDuringFlight: who asked before the change gets the new answer,
// and the old one is not kept.
func TestCacheDropDuringFlight(t *testing.T) {
	bubble(t, CacheConfig{MaxStaleness: time.Minute}, func(t *testing.T, c *Cache, f *fakeSource) {
		release := make(chan struct{})
		f.hold = func(context.Context) { <-release }
		got := make(chan media.Role)
		go func() {
			role, _ := ask(t, c, 5)
			got <- role
		}()
		synctest.Wait() // it has read "student" and not yet answered
		f.mu.Lock()
		f.role, f.hold = "teacher", nil
		f.mu.Unlock()
		c.InvalidateAll()
		wantAsk(t, c, f, "who asks after the change does not join the old question", 5, "teacher", 0, 1)
		close(release)
		if role := <-got; role != "teacher" {
			t.Errorf("the answer of before the change was given: %q", role)
		}
		wantAsk(t, c, f, "and was not kept", 5, "teacher", 0, 0)
	})
}

func TestCacheDropForEver(t *testing.T) {
	bubble(t, CacheConfig{MaxStaleness: time.Minute}, func(t *testing.T, c *Cache, f *fakeSource) {
		f.hold = func(context.Context) { c.InvalidateAll() }
		if role, kind := ask(t, c, 5); role != "student" || kind != 0 || f.asked.Load() != 1+maxReloads {
			t.Errorf("%q, %v after %d questions", role, kind, f.asked.Load())
		}
	})
}

func TestCacheOneQuestionForAll(t *testing.T) {
	bubble(t, CacheConfig{MaxStaleness: time.Minute}, func(t *testing.T, c *Cache, f *fakeSource) {
		release := make(chan struct{})
		f.hold = func(context.Context) { <-release }
		impatient, leave := context.WithCancel(t.Context())
		kinds := make(chan media.Kind, 11)
		look := func(ctx context.Context) {
			_, err := c.User(ctx, 5)
			kinds <- media.KindOf(err)
		}
		go look(impatient) // this one asks, and goes before the answer
		synctest.Wait()
		for range 10 {
			go look(t.Context())
		}
		synctest.Wait()
		leave()
		if kind := <-kinds; kind != media.Canceled {
			t.Errorf("the one who left got %v", kind)
		}
		close(release)
		for range 10 {
			if kind := <-kinds; kind != 0 {
				t.Errorf("one who stayed got %v", kind)
			}
		}
		if f.asked.Load() != 1 {
			t.Errorf("asked %d times", f.asked.Load())
		}
	})
}

func TestCacheStopEndsQuestions(t *testing.T) {
	bubble(t, CacheConfig{MaxStaleness: time.Minute}, func(t *testing.T, c *Cache, f *fakeSource) {
		f.hold = func(ctx context.Context) { <-ctx.Done() }
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			if _, err := c.User(t.Context(), 5); media.KindOf(err) != media.Unavailable {
				t.Errorf("the question that Stop ended: %v", err)
			}
		}()
		c.Start(t.Context())
		synctest.Wait()
		c.Stop()
		<-ended
		c.Stop()
		c.Start(t.Context())
		wantAsk(t, c, f, "after Stop", 6, "", media.Unavailable, 0)
	})
}

// TestCacheStopUnderLoad: readers that come until the end, and after it.
func TestCacheStopUnderLoad(t *testing.T) {
	for range 20 {
		c := newTestCache(t, &fakeSource{role: media.RoleStudent}, CacheConfig{MaxStaleness: time.Hour}, nil)
		c.Start(t.Context())
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for i := range int64(1000) {
					if _, err := c.User(t.Context(), i%50); err != nil && media.KindOf(err) == media.Other {
						t.Error(err)
					}
				}
			})
		}
		c.Stop()
		wg.Wait()
	}
}

func TestCacheMembership(t *testing.T) {
	bubble(t, CacheConfig{MaxStaleness: time.Minute}, func(t *testing.T, c *Cache, f *fakeSource) {
		cases := []struct {
			user int64
			rec  media.Recording
			want media.Membership
		}{
			{5, media.Recording{ID: 1, OwnerID: 3}, media.Membership{InTeachersGroup: true}},
			{5, media.Recording{ID: 1, OwnerID: 4}, media.Membership{}},
			{1, media.Recording{ID: 5, OwnerID: 3}, media.Membership{InTeachersGroup: true}},
			{5, media.Recording{ID: 5, OwnerID: 3, Title: "x"}, media.Membership{InTeachersGroup: true, ListedStudent: true}},
		}
		for range 2 {
			for _, k := range cases {
				got, err := c.Membership(t.Context(), k.user, k.rec)
				c.memberships.entries.Wait()
				if got != k.want || err != nil {
					t.Errorf("%d, %+v: %+v, %v", k.user, k.rec, got, err)
				}
			}
		}
		if f.asked.Load() != int64(len(cases)) {
			t.Errorf("asked %d times", f.asked.Load())
		}
		if rec, err := c.Recording(t.Context(), 7); err != nil || rec.ID != 7 {
			t.Errorf("%+v, %v", rec, err)
		}
	})
}

// TestCacheCollision: two keys of one hash are never taken for each other.
func TestCacheCollision(t *testing.T) {
	bubble(t, CacheConfig{MaxStaleness: time.Minute}, func(t *testing.T, c *Cache, f *fakeSource) {
		c.users.hash = func(int64) uint64 { return 1 }
		for range 3 {
			for _, id := range []int64{5, 6} {
				if u, err := c.User(t.Context(), id); u.ID != id || err != nil {
					t.Errorf("asked for %d: %+v, %v", id, u, err)
				}
				c.users.entries.Wait()
			}
		}
	})
}

func TestCacheMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	f := &fakeSource{role: media.RoleStudent}
	c := newTestCache(t, f, CacheConfig{MaxStaleness: time.Hour, OutageGrace: time.Hour}, reg)
	defer c.Stop()
	ask(t, c, 5)
	ask(t, c, 5)
	f.set("", errGone)
	ask(t, c, 6)
	ask(t, c, 5)
	for result, want := range map[string]prometheus.Counter{"hit": c.hit, "miss": c.miss, "stale": c.stale, "error": c.failed} {
		if got := testutil.ToFloat64(want); got != 1 {
			t.Errorf("%s: %v", result, got)
		}
	}
	if n, err := testutil.GatherAndCount(reg, "lectern_catalog_lookups_total"); n != 4 || err != nil {
		t.Errorf("%d series, %v", n, err)
	}
	if _, err := NewCache(f, CacheConfig{}, slog.New(slog.DiscardHandler), reg); err == nil {
		t.Error("registered twice")
	}
	if _, err := NewCache(f, CacheConfig{MaxStaleness: -1}, slog.New(slog.DiscardHandler), nil); media.KindOf(err) != media.Invalid {
		t.Errorf("a negative staleness: %v", err)
	}
}

func TestCacheHitAllocatesNothing(t *testing.T) {
	c := newTestCache(t, &fakeSource{role: media.RoleStudent}, CacheConfig{MaxStaleness: time.Hour}, nil)
	defer c.Stop()
	rec := media.Recording{ID: 7, OwnerID: 3}
	look := func() {
		if _, err := c.User(t.Context(), 5); err != nil {
			t.Error(err)
		}
		if _, err := c.Membership(t.Context(), 5, rec); err != nil {
			t.Error(err)
		}
	}
	look()
	c.users.entries.Wait()
	c.memberships.entries.Wait()
	// ristretto hands its read statistics on every 64 reads, in a new slice; under
	// the race detector its sync.Pool forgets on purpose, which costs about one here.
	if n := testing.AllocsPerRun(1000, look); n > 1 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkCacheHit(b *testing.B) {
	c := newTestCache(b, &fakeSource{role: media.RoleStudent}, CacheConfig{MaxStaleness: time.Hour}, nil)
	defer c.Stop()
	ctx := b.Context()
	if _, err := c.User(ctx, 5); err != nil {
		b.Fatal(err)
	}
	c.users.entries.Wait()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.User(ctx, 5); err != nil {
			b.Fatal(err)
		}
	}
}

func (*fakeSource) DerivedFile(context.Context, int64, string) (media.Companion, error) {
	return media.Companion{}, media.Fault(media.NotFound, "test", nil)
}
