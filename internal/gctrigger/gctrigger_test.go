package gctrigger

import (
	"runtime"
	"sync"
	"testing"
)

func TestDue(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		name    string
		samples []sample
		due     bool // at the last sample, and at none before
	}{
		{"nothing has grown", []sample{{1, 20 * mib, 20 * mib, mib}, {1, 20 * mib, 21 * mib, mib}, {1, 20 * mib, 21 * mib, mib}}, false},
		{"the heap has grown and rests", []sample{{1, 20 * mib, 20 * mib, mib}, {1, 20 * mib, 40 * mib, mib}, {1, 20 * mib, 41 * mib, mib}}, true},
		{"the heap was full of garbage when the program came to rest", []sample{{1, 20 * mib, 40 * mib, mib}, {1, 20 * mib, 40 * mib, mib}}, true},
		{"stacks have grown and rest", []sample{{1, 20 * mib, 20 * mib, mib}, {1, 20 * mib, 20 * mib, 17 * mib}, {1, 20 * mib, 20 * mib, 17 * mib}}, true},
		{"the heap still grows", []sample{{1, 20 * mib, 20 * mib, mib}, {1, 20 * mib, 40 * mib, mib}, {1, 20 * mib, 50 * mib, mib}}, false},
		{"it grows slowly", []sample{{1, 20 * mib, 20 * mib, mib}, {1, 20 * mib, 26 * mib, mib}, {1, 20 * mib, 29 * mib, mib}, {1, 20 * mib, 32 * mib, mib}}, true},
		{"a large heap has grown by little", []sample{{1, 400 * mib, 400 * mib, mib}, {1, 400 * mib, 440 * mib, mib}, {1, 400 * mib, 440 * mib, mib}}, false},
		{"a collection has come meanwhile", []sample{{1, 20 * mib, 20 * mib, mib}, {1, 20 * mib, 40 * mib, mib}, {2, 20 * mib, 40 * mib, mib}}, false},
		{"stacks have shrunk", []sample{{1, 20 * mib, 20 * mib, 17 * mib}, {1, 20 * mib, 20 * mib, mib}, {1, 20 * mib, 20 * mib, mib}}, false},
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
