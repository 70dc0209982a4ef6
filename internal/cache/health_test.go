package cache

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// TestDiskErrors: which errors the next write would get as well.
func TestDiskErrors(t *testing.T) {
	for _, e := range []syscall.Errno{
		syscall.ENOSPC, syscall.EDQUOT, syscall.EIO, syscall.EROFS, syscall.EACCES, syscall.EPERM, syscall.EMFILE, syscall.ENFILE,
	} {
		if got := diskEventOf(fmt.Errorf("write: %w", &os.PathError{Op: "write", Path: "x", Err: e})); got != writeFault {
			t.Errorf("%v is no fault", e)
		}
	}
	for _, err := range []error{errSlow, syscall.EINTR, syscall.ENOENT, errors.New("odd")} {
		if got := diskEventOf(err); got != writeSlip {
			t.Errorf("%v: event %d, want a slip", err, got)
		}
	}
}

func TestDiskStateNames(t *testing.T) {
	for _, c := range []struct {
		state    diskState
		name     string
		writable bool
	}{{diskOK, "ok", true}, {diskSuspect, "suspect", true}, {diskBypass, "bypass", false}, {diskProbing, "probing", false}} {
		if c.state.String() != c.name || c.state.writable() != c.writable {
			t.Errorf("%s, writable %v; want %s, %v", c.state, c.state.writable(), c.name, c.writable)
		}
	}
}

// probedDisk makes temporary files by a function that tests replace, and counts them.
type probedDisk struct {
	realDisk
	make  atomic.Pointer[func(dir string) (*os.File, error)]
	asked atomic.Int64
}

func (d *probedDisk) CreateTemp(dir string) (*os.File, error) {
	d.asked.Add(1)
	if create := d.make.Load(); create != nil {
		return (*create)(dir)
	}
	return d.realDisk.CreateTemp(dir)
}

// TestProbe: a disk in bypass is used again after a probe that has written and synced a file in
// a healthy time, and after no other. A probe leaves no file, and none follows a good one.
func TestProbe(t *testing.T) {
	within := func(d time.Duration) func(string) (*os.File, error) {
		return func(dir string) (*os.File, error) {
			time.Sleep(d) // of the bubble's clock
			return realDisk{}.CreateTemp(dir)
		}
	}
	for _, c := range []struct {
		name string
		make func(dir string) (*os.File, error)
		good bool
	}{
		{"healthy", within(0), true},
		{"as slow as a healthy disk may be", within(slowWrite), true},
		{"slower than a healthy disk may be", within(slowWrite + 1), false},
		{"no file is made", func(string) (*os.File, error) { return nil, syscall.EROFS }, false},
		{"no byte is written", func(dir string) (*os.File, error) {
			f, err := realDisk{}.CreateTemp(dir)
			if err != nil {
				return nil, err
			}
			defer f.Close()
			return os.Open(f.Name())
		}, false},
		{"what is written cannot be synced", func(string) (*os.File, error) {
			r, w, err := os.Pipe() // takes bytes, and has nothing to sync them to
			if err == nil {
				t.Cleanup(func() { r.Close() })
			}
			return w, err
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, dir := &probedDisk{}, t.TempDir()
				cache := openCache(t, dir, 100<<20, newFakeOrigin(), d)
				scanned(t, cache)
				d.make.Store(&c.make)
				cache.diskFault("write", syscall.ENOSPC)
				if state := cache.Stats().State; state != "bypass" {
					t.Fatalf("%s after a fault", state)
				}
				time.Sleep(2 * slowWrite) // of the bubble's clock, for a probe at the least
				if state := cache.Stats().State; c.good != (state == "ok") || d.asked.Load() == 0 {
					t.Errorf("%s after %d probes", state, d.asked.Load())
				}
				d.make.Store(nil)
				time.Sleep(2 * slowWrite)
				if state := cache.Stats().State; state != "ok" {
					t.Errorf("%s after a good probe", state)
				}
				probes := d.asked.Load()
				time.Sleep(2 * slowWrite)
				if n := d.asked.Load() - probes; n != 0 {
					t.Errorf("%d probes of a healthy disk", n)
				}
				if left, err := os.ReadDir(filepath.Join(dir, "tmp")); err != nil || len(left) > 0 {
					t.Errorf("probes have left %v, %v", left, err)
				}
				cache.diskFault("write", syscall.ENOSPC)
				time.Sleep(2 * slowWrite)
				if state := cache.Stats().State; state != "ok" {
					t.Errorf("%s after another fault and a good probe", state)
				}
			})
		})
	}
}

// TestFaultsInBypass: however many writes fail, the disk is probed at one pace, and a change of
// its state is logged once. A disk that is suspect is not probed: its next write says more.
func TestFaultsInBypass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines bytes.Buffer
		d := &probedDisk{}
		cfg := Config{Dir: t.TempDir(), Size: 100 << 20, ChunkSize: testChunk, Streams: 4, Memory: 16 << 20}
		c, err := newCache(cfg, newFakeOrigin(), slog.New(slog.NewTextHandler(&lines, nil)), prometheus.NewRegistry(), d)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		scanned(t, c)
		logged := func() int {
			synctest.Wait()
			return strings.Count(lines.String(), "disk fault")
		}
		c.diskFault("write", errSlow)
		time.Sleep(10 * probeEvery) // of the bubble's clock
		if state := c.Stats().State; state != "suspect" || d.asked.Load() != 0 {
			t.Errorf("%s after a slip, probed %d times", state, d.asked.Load())
		}
		refuse := func(string) (*os.File, error) { return nil, syscall.ENOSPC }
		d.make.Store(&refuse)
		for range 5 {
			c.diskFault("write", syscall.ENOSPC)
		}
		time.Sleep(10*probeEvery + probeEvery/2)
		if n := d.asked.Load(); n != 10 {
			t.Errorf("%d probes in ten times the time between two", n)
		}
		if n := logged(); n != 2 {
			t.Errorf("%d lines of two changes:\n%s", n, lines.String())
		}
	})
}

// TestFaultDropsWrites: chunks that wait for a disk which has become faulty give their memory
// back at once.
func TestFaultDropsWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, d := newFakeOrigin(), &stuckDisk{free: make(chan struct{})}
		c := openCache(t, t.TempDir(), 100<<20, s, d)
		scanned(t, c)
		d.stuck.Store(true)
		defer close(d.free)
		obj := s.put("a", "1", 40*testChunk)
		if _, _, err := read(t.Context(), c, obj, obj.Span(), 1<<20); err != nil {
			t.Fatal(err)
		}
		waiting := func() int {
			c.mu.Lock()
			defer c.mu.Unlock()
			return len(c.writes.waiting)
		}
		if waiting() == 0 {
			t.Fatal("no chunk waits for a disk that is stuck")
		}
		c.diskFault("write", syscall.EIO)
		if n := waiting(); n != 0 {
			t.Errorf("%d chunks wait for a faulty disk", n)
		}
	})
}

// TestLateWrite: a write that has begun before a bypass and succeeds ends neither the bypass nor
// the probe; it ends a suspicion.
func TestLateWrite(t *testing.T) {
	c := openCache(t, t.TempDir(), 100<<20, newFakeOrigin(), realDisk{})
	scanned(t, c)
	c.mu.Lock()
	defer c.mu.Unlock()
	for before, after := range map[diskState]diskState{diskOK: diskOK, diskSuspect: diskOK, diskBypass: diskBypass, diskProbing: diskProbing} {
		c.health.state = before
		if c.writeSucceeded(); c.health.state != after {
			t.Errorf("%s becomes %s, want %s", before, c.health.state, after)
		}
	}
	c.health.state = diskOK
}
