package telemetry

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// countingWriter counts the calls of Write.
type countingWriter struct {
	mu    sync.Mutex
	text  bytes.Buffer
	calls int
}

func (w *countingWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls++
	return w.text.Write(p)
}

func (w *countingWriter) seen() (string, int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String(), w.calls
}

func TestBatchWriterWritesManyLinesAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &countingWriter{}
		g := NewBatchWriter(w)
		var want strings.Builder
		for i := range 100 {
			fmt.Fprintf(&want, "line %d\n", i)
			fmt.Fprintf(g, "line %d\n", i)
		}
		if text, calls := w.seen(); text != "" || calls != 0 {
			t.Errorf("written at once: %d calls", calls)
		}
		time.Sleep(2 * batchDelay)
		if text, calls := w.seen(); text != want.String() || calls != 1 {
			t.Errorf("%d calls, %q", calls, text)
		}
		fmt.Fprintln(g, "last")
		g.Close()
		fmt.Fprintln(g, "after the end")
		g.Close()
		if text, calls := w.seen(); !strings.HasSuffix(text, "last\nafter the end\n") || calls != 3 {
			t.Errorf("%d calls, %q", calls, text)
		}
	})
}

func TestBatchWriterIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &countingWriter{}
		g := NewBatchWriter(w)
		defer g.Close()
		line := bytes.Repeat([]byte{'x'}, 1000)
		for range 1000 {
			g.Write(line)
		}
		if text, _ := w.seen(); 1_000_000-len(text) > batchLimit {
			t.Errorf("%d bytes wait", 1_000_000-len(text))
		}
	})
}
