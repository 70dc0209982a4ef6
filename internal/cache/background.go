package cache

import (
	"fmt"
	"log/slog"
	"runtime"

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

// runIO runs a function that does I/O and takes no lock, and waits for its end.
type runIO func(io func())

// here runs a function in the caller's goroutine.
func here(io func()) { io() }

// background runs functions, one after the other, on a thread of low priority. They do
// I/O and take no lock: a thread of low priority that holds one would make viewers wait
// until it gets a processor.
type background struct {
	work chan func()
	done chan struct{}
}

// startBackground starts the thread; stop ends it. Where the priority cannot be lowered the
// thread has the usual one.
func (c *Cache) startBackground() background {
	b := background{work: make(chan func()), done: make(chan struct{})}
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		if err := c.disk.LowerPriority(); err != nil {
			c.usualPriority.Do(func() {
				c.log.Warn("cache: chunks are written at the usual priority", slog.Any("error", err))
			})
		}
		for f := range b.work {
			f()
			b.done <- struct{}{}
		}
		close(b.done)
	}()
	return b
}

// run runs f and waits for its end.
func (b background) run(f func()) {
	b.work <- f
	<-b.done
}

// stop waits for the thread's end.
func (b background) stop() {
	close(b.work)
	<-b.done
}
