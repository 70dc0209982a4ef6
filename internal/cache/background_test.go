package cache

import (
	"context"
	"log/slog"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"

	"github.com/lectiospace/lectern/internal/media"
)

// priorityDisk records the nice value of threads that write, and may refuse to raise it.
type priorityDisk struct {
	realDisk
	refused error
	nice    atomic.Int64
}

func (d *priorityDisk) LowerPriority() error {
	if d.refused != nil {
		return d.refused
	}
	return d.realDisk.LowerPriority()
}

func (d *priorityDisk) Rename(from, to string) error {
	raw, err := unix.Getpriority(unix.PRIO_PROCESS, 0) // 20 minus the nice value: the system call has no negative results
	d.nice.Store(int64(20 - raw))
	if err != nil {
		return err
	}
	return d.realDisk.Rename(from, to)
}

// warnings counts those that are logged.
type warnings struct {
	slog.Handler
	n atomic.Int64
}

func (w *warnings) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelWarn }

func (w *warnings) Handle(context.Context, slog.Record) error {
	w.n.Add(1)
	return nil
}

// TestWritersHaveLowPriority: chunks are written at a low priority. Where the system
// refuses that they are written all the same, and the log says so once, at the start.
func TestWritersHaveLowPriority(t *testing.T) {
	usual, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		refused error
		nice    int64
		logged  int64
	}{
		{nil, backgroundNice, 0},
		{syscall.EPERM, int64(20 - usual), 1},
	} {
		s, d, log := newFakeOrigin(), &priorityDisk{refused: test.refused}, &warnings{}
		c, err := newCache(Config{Dir: t.TempDir(), Size: 10 << 20, ChunkSize: testChunk, Memory: 8 << 20, Streams: 4}, s,
			slog.New(log), prometheus.NewRegistry(), d)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if n := log.n.Load(); n != test.logged {
			t.Errorf("refused %v: logged %d times at the start, want %d", test.refused, n, test.logged)
		}
		scanned(t, c)
		for _, id := range []string{"a", "b"} { // each by a writer of its own, or two
			obj := s.put(id, "1", 3*testChunk)
			check(t, c, s, obj, obj.Span(), media.CacheMiss)
			if n := c.CachedBytes(obj); n != obj.Size {
				t.Errorf("refused %v: %d of %d bytes are stored", test.refused, n, obj.Size)
			}
		}
		if nice := d.nice.Load(); nice != test.nice {
			t.Errorf("refused %v: written at a nice value of %d, want %d", test.refused, nice, test.nice)
		}
		c.Close()
		if n := log.n.Load(); n != test.logged {
			t.Errorf("refused %v: logged %d times, want %d", test.refused, n, test.logged)
		}
	}
}
