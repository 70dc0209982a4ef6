package cache

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// backgroundNice is the nice value of the threads that write chunks: beside viewers, whose
// bytes the kernel copies as well, they get a tenth of a processor, and all of an idle one.
// A filter of system calls may refuse it; the threads then compete with viewers.
const backgroundNice = 10

// lowerPriority gives the calling thread, which is locked to its goroutine, the nice value
// backgroundNice. On Linux a thread has a priority of its own, sched(7).
func lowerPriority() error {
	if err := unix.Setpriority(unix.PRIO_PROCESS, 0, backgroundNice); err != nil {
		return fmt.Errorf("setpriority: %w", err)
	}
	return nil
}

// runIO runs a function that does I/O and takes no lock, waits for its end, and returns
// how long it took.
type runIO func(io func()) time.Duration

// here runs a function in the caller's goroutine.
func here(io func()) time.Duration {
	began := time.Now()
	io()
	return time.Since(began)
}

// background runs functions, one after the other, on a thread of low priority. They do
// I/O and take no lock: a thread of low priority that holds one would make viewers wait
// until it gets a processor.
type background struct {
	work chan func()
	done chan time.Duration
}

// startBackground starts the thread; stop ends it. clock shows what it runs. Where the
// priority cannot be lowered the thread has the usual one.
func (c *Cache) startBackground(clock *ioClock) background {
	b := background{work: make(chan func()), done: make(chan time.Duration)}
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		if err := c.disk.LowerPriority(); err != nil {
			c.usualPriority.Do(func() {
				c.log.Warn("cache: chunks are written at the usual priority", slog.Any("error", err))
			})
		}
		waits := c.disk.ThreadWaits()
		defer waits.Close()
		for f := range b.work {
			clock.start(waits)
			f()
			b.done <- clock.stop()
		}
		close(b.done)
	}()
	return b
}

// run implements runIO. What it returns is the disk's time: the thread's waits for a
// processor, which are long at a low priority, do not count.
func (b background) run(f func()) time.Duration {
	b.work <- f
	return <-b.done
}

// stop waits for the thread's end.
func (b background) stop() {
	close(b.work)
	<-b.done
}

// ioClock shows how long what a thread runs has been under way. It is safe for concurrent
// use.
type ioClock struct{ current atomic.Pointer[ioStart] } // nil while nothing runs

type ioStart struct {
	at     time.Time
	waits  threadWaits
	waited time.Duration // for a processor, before
}

func (k *ioClock) start(w threadWaits) {
	k.current.Store(&ioStart{at: time.Now(), waits: w, waited: w.Waited()})
}

func (k *ioClock) stop() time.Duration { return k.current.Swap(nil).took() }

func (s *ioStart) took() time.Duration {
	return time.Since(s.at) - (s.waits.Waited() - s.waited)
}

// longer reports whether what runs has been under way for longer than limit.
func (k *ioClock) longer(limit time.Duration) bool {
	s := k.current.Load()
	return s != nil && time.Since(s.at) > limit && s.took() > limit
}

// threadWaits says how long a thread has waited for a processor. It is safe for
// concurrent use.
type threadWaits interface {
	Waited() time.Duration
	Close() error
}

// schedstat is the thread's file of that name, proc(5): nanoseconds on a processor,
// nanoseconds that the thread was ready and waited, times that it ran.
type schedstat struct{ file *os.File }

// ownWaits are those of the calling thread, which is locked to its goroutine. Where the
// kernel does not count them they are 0.
func ownWaits() threadWaits {
	f, err := os.Open("/proc/thread-self/schedstat")
	if err != nil {
		return schedstat{}
	}
	return schedstat{f}
}

// Waited implements threadWaits.
func (s schedstat) Waited() time.Duration {
	var text [64]byte
	n, _ := s.file.ReadAt(text[:], 0) // of a nil file, too: 0 bytes
	fields := bytes.Fields(text[:n])
	if len(fields) < 2 {
		return 0
	}
	ns, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return 0
	}
	return time.Duration(ns)
}

// Close implements threadWaits.
func (s schedstat) Close() error { return s.file.Close() } // of a nil file, too: an error
