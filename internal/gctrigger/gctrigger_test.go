package gctrigger

import (
	"runtime"
	"runtime/debug"
	"sync"
	"testing"
	"time"
)

func TestDue(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		name    string
		samples []sample
		due     bool // at the last sample, and at none before
	}{
		{"nothing has grown", []sample{{1, 20 * mib, 20 * mib, mib, 100}, {1, 20 * mib, 21 * mib, mib, 100}, {1, 20 * mib, 21 * mib, mib, 100}}, false},
		{"the heap has grown and rests", []sample{{1, 20 * mib, 20 * mib, mib, 100}, {1, 20 * mib, 40 * mib, mib, 100}, {1, 20 * mib, 41 * mib, mib, 100}}, true},
		{"the heap was full of garbage when the program came to rest", []sample{{1, 20 * mib, 40 * mib, mib, 100}, {1, 20 * mib, 40 * mib, mib, 100}}, true},
		{"stacks have grown and rest", []sample{{1, 20 * mib, 20 * mib, mib, 100}, {1, 20 * mib, 20 * mib, 17 * mib, 100}, {1, 20 * mib, 20 * mib, 17 * mib, 100}}, true},
		{"the heap still grows", []sample{{1, 20 * mib, 20 * mib, mib, 100}, {1, 20 * mib, 40 * mib, mib, 100}, {1, 20 * mib, 50 * mib, mib, 100}}, false},
		{"it grows slowly", []sample{{1, 20 * mib, 20 * mib, mib, 100}, {1, 20 * mib, 26 * mib, mib, 100}, {1, 20 * mib, 29 * mib, mib, 100}, {1, 20 * mib, 32 * mib, mib, 100}}, true},
		{"a large heap has grown by little", []sample{{1, 400 * mib, 400 * mib, mib, 100}, {1, 400 * mib, 440 * mib, mib, 100}, {1, 400 * mib, 440 * mib, mib, 100}}, false},
		{"a collection has come meanwhile", []sample{{1, 20 * mib, 20 * mib, mib, 100}, {1, 20 * mib, 40 * mib, mib, 100}, {2, 20 * mib, 40 * mib, mib, 100}}, false},
		{"stacks have shrunk", []sample{{1, 20 * mib, 20 * mib, 17 * mib, 100}, {1, 20 * mib, 20 * mib, mib, 100}, {1, 20 * mib, 20 * mib, mib, 100}}, false},
	} {
		var h history
		for i, s := range c.samples {
			if got, want := h.due(s), c.due && i == len(c.samples)-1; got != want {
				t.Errorf("%s: at sample %d due is %v", c.name, i, got)
			}
		}
	}
}

// TestStacksOfWaitingGoroutinesShrink: what the package does for the memory of connections.
func TestStacksOfWaitingGoroutinesShrink(t *testing.T) {
	read := newReader()
	runtime.GC()
	var h history
	h.due(read())
	release := make(chan struct{})
	var deep, done sync.WaitGroup
	const goroutines = 1000
	for range goroutines {
		deep.Add(1)
		done.Go(func() {
			useStack(64)
			deep.Done()
			<-release
		})
	}
	deep.Wait()
	large := read()
	if h.due(large) { // all of the growth has just come
		t.Error("a collection is due while the stacks grow")
	}
	if !h.due(read()) {
		t.Errorf("%d bytes of stacks, at first %d, and no collection is due", large.stacks, h.first.stacks)
	}
	runtime.GC()
	if small := read(); small.stacks > large.stacks/2+h.first.stacks {
		t.Errorf("stacks take %d bytes after a collection, %d before", small.stacks, large.stacks)
	}
	close(release)
	done.Wait()
}

// useStack takes some 256 bytes of stack for each call.
//
//go:noinline
func useStack(depth int) byte {
	var b [200]byte
	if depth > 0 {
		b[depth] = useStack(depth - 1)
	}
	return b[depth]
}

func TestStartAndStop(t *testing.T) {
	var never Trigger
	never.Stop()
	var tr Trigger
	tr.Start()
	tr.Stop()
	tr.Stop()
}

func TestPercent(t *testing.T) {
	const mib = 1 << 20
	for live, want := range map[uint64]int{0: 300, mib: 300, 16 * mib: 300, 24 * mib: 250, 32 * mib: 175, 63 * mib: 100, 64 * mib: 100, 1 << 40: 100} {
		got := percentFor(live)
		if got != want {
			t.Errorf("a live heap of %d MiB may grow by %d %%, want %d", live/mib, got, want)
		}
		if room := live / 100 * uint64(got); room > headroom && got > leastPercent {
			t.Errorf("a live heap of %d MiB may grow by %d bytes", live/mib, room)
		}
	}
}

// TestPercentIsSetAndGivenBack: but not where GOGC says another one.
func TestPercentIsSetAndGivenBack(t *testing.T) {
	for before, set := range map[int]bool{leastPercent: true, 250: false} {
		initial := debug.SetGCPercent(before)
		runtime.GC()
		var tr Trigger
		tr.Start()
		read := newReader()
		for deadline := time.Now().Add(30 * time.Second); set && read().percent == uint64(before); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("the percentage is not set")
			}
		}
		if !set {
			time.Sleep(interval + interval/2)
			if p := read().percent; p != uint64(before) {
				t.Errorf("GOGC=%d became %d", before, p)
			}
		}
		tr.Stop()
		if p := debug.SetGCPercent(initial); p != before {
			t.Errorf("the percentage is %d after Stop, %d before Start", p, before)
		}
	}
}
