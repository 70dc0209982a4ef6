package cacheadmin

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/lectiospace/lectern/internal/cache"
	"github.com/lectiospace/lectern/internal/printable"
)

// PrintStats writes the statistics as a table.
func PrintStats(w io.Writer, s cache.Stats) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, format string, args ...any) { fmt.Fprintf(t, name+"\t"+format+"\n", args...) }
	line("directory", "%s", s.Dir)
	line("used", "%s of %s (%.1f %%)", bytesText(s.Bytes), bytesText(s.Capacity), 100*float64(s.Bytes)/float64(max(1, s.Capacity)))
	if s.Free > 0 {
		line("free on its disk", "%s, %s of it left alone", bytesText(s.Free), bytesText(s.MinFree))
	}
	line("chunks", "%d of %s each, of %d files", s.Chunks, bytesText(s.ChunkSize), s.Objects)
	line("verified", "%d chunks since the start", s.Verified)
	line("disk", "%s", s.State)
	if s.Scanning {
		line("index", "is still being rebuilt: the numbers grow")
	}
	if ratio, ok := s.HitRatio(); ok {
		line("hit ratio", "%.1f %% of %d look-ups", 100*ratio, s.Events["hit"]+s.Events["miss"]+s.Events["joined"])
	}
	for _, e := range []struct{ event, text string }{
		{"commit", "stored"}, {"evict", "evicted"}, {"purge", "purged"}, {"bypass", "passed through"}, {"failed", "fetches failed"}, {"corrupt", "corrupt, dropped"},
	} {
		if n := s.Events[e.event]; n > 0 {
			line(e.text, "%d", n)
		}
	}
	return t.Flush()
}

// Printer writes an operation's events as text: outcomes as lines, progress as a bar where
// the second writer is a terminal. It is for one goroutine.
type Printer struct {
	out    io.Writer
	bar    progressBar
	failed bool
}

// NewPrinter prepares a printer; the progress bar goes to progress.
func NewPrinter(out, progress io.Writer) *Printer {
	p := &Printer{out: out}
	if f, ok := printable.Terminal(progress); ok {
		p.bar.w = f
	}
	return p
}

// Report writes one event.
func (p *Printer) Report(e Event) {
	p.failed = p.failed || e.Failed
	if e.Event == EventProgress {
		p.bar.show(e)
		return
	}
	p.bar.clear()
	if e.Recording != 0 {
		fmt.Fprintf(p.out, "recording %d: %s\n", e.Recording, e.Text)
	} else {
		fmt.Fprintln(p.out, e.Text)
	}
}

// Close removes the progress bar.
func (p *Printer) Close() { p.bar.clear() }

// Failed reports whether an event was Failed.
func (p *Printer) Failed() bool { return p.failed }

// progressBar is a line that is overwritten; without a writer it prints nothing.
type progressBar struct {
	w         io.Writer
	shown     bool
	recording int64
	began     time.Time // of this recording
	first     int64     // Done of its first event: those bytes were cached already
}

const barWidth = 30

func (b *progressBar) show(e Event) {
	if b.w == nil || e.Total <= 0 {
		return
	}
	if b.began.IsZero() || b.recording != e.Recording {
		b.began, b.recording, b.first = time.Now(), e.Recording, e.Done
	}
	filled := int(barWidth * min(e.Done, e.Total) / e.Total)
	line := fmt.Sprintf("[%s%s] %3d %%", strings.Repeat("#", filled), strings.Repeat(".", barWidth-filled), 100*min(e.Done, e.Total)/e.Total)
	if e.Recording != 0 {
		rate := float64(e.Done-b.first) / max(0.1, time.Since(b.began).Seconds())
		line = fmt.Sprintf("recording %d %s  %s of %s, %v/s", e.Recording, line, bytesText(e.Done), bytesText(e.Total), bytesText(int64(rate)))
	} else {
		line = fmt.Sprintf("%s  %d of %d chunks", line, e.Done, e.Total)
	}
	fmt.Fprintf(b.w, "\r\x1b[K%s", line)
	b.shown = true
}

func (b *progressBar) clear() {
	if b.shown {
		fmt.Fprint(b.w, "\r\x1b[K")
		b.shown = false
	}
}
