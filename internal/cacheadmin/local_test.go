package cacheadmin_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lectiospace/lectern/internal/cache"
	"github.com/lectiospace/lectern/internal/cacheadmin"
	"github.com/lectiospace/lectern/internal/media"
)

const (
	chunkSize  = 64 << 10
	objectSize = 5*chunkSize + 123
)

// archive is an origin and a catalog of recordings with equal content.
type archive struct {
	recordings map[int64]media.Recording
	content    []byte
	err        error // of Stat
}

func newArchive() *archive {
	a := &archive{content: bytes.Repeat([]byte("0123456789abcdef"), objectSize/16+1)[:objectSize]}
	a.recordings = map[int64]media.Recording{
		1: {ID: 1, Status: media.StatusReady, Location: media.Location{Provider: media.ProviderDrive, Key: "one"}},
		2: {ID: 2, Status: media.StatusReady, Location: media.Location{Provider: media.ProviderDrive, Key: "two"}},
		3: {ID: 3, Status: media.StatusReady, Location: media.Location{Provider: media.ProviderLocal, Key: "three.mp4"}},
		4: {ID: 4, Status: media.StatusFailed},
	}
	return a
}

func (a *archive) Recording(_ context.Context, id int64) (media.Recording, error) {
	rec, ok := a.recordings[id]
	if !ok {
		return rec, media.Faultf(media.NotFound, "test", "no recording %d", id)
	}
	return rec, nil
}

func (a *archive) Stat(_ context.Context, loc media.Location) (media.Object, error) {
	return media.Object{Provider: loc.Provider, ID: loc.Key, Version: "v1", Size: objectSize}, a.err
}

func (a *archive) Open(_ context.Context, _ media.Object, span media.Span) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(a.content[span.Off:span.End()])), nil
}

// openLocal opens a cache of the given capacity in front of an archive.
func openLocal(t *testing.T, dir string, capacity media.Size) (cacheadmin.Local, *archive) {
	t.Helper()
	a := newArchive()
	c, err := cache.New(cache.Config{Dir: dir, Size: capacity, ChunkSize: chunkSize, Streams: 1, Memory: 16 * chunkSize}, a, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return cacheadmin.Local{Cache: c, Recordings: a, Origin: a}, a
}

// run runs an operation and returns its events other than progress, each of which has to
// stay within its total.
func run(t *testing.T, operation func(report func(cacheadmin.Event)) error) ([]cacheadmin.Event, error) {
	t.Helper()
	var out []cacheadmin.Event
	err := operation(func(e cacheadmin.Event) {
		if e.Done > e.Total && e.Event == cacheadmin.EventProgress {
			t.Errorf("progress beyond the total: %+v", e)
		}
		if e.Event != cacheadmin.EventProgress {
			out = append(out, e)
		}
	})
	return out, err
}

// TestLocalOperations warms, verifies and purges a cache, with a chunk that is corrupted
// meanwhile.
func TestLocalOperations(t *testing.T) {
	dir, ctx := t.TempDir(), t.Context()
	ops, _ := openLocal(t, dir, 10<<20)
	events, err := run(t, func(report func(cacheadmin.Event)) error { return ops.Warm(ctx, []int64{1, 3}, report) })
	if err != nil || len(events) != 2 || events[0].Recording != 1 || events[0].Done != objectSize || events[0].Failed || events[1].Recording != 3 || !strings.Contains(events[1].Text, "never cached") {
		t.Fatalf("warm: %+v, %v", events, err)
	}
	stats, err := ops.Stats(ctx)
	if err != nil || stats.Chunks != 6 || stats.Objects != 1 {
		t.Errorf("stats: %+v, %v", stats, err)
	}
	events, err = run(t, func(report func(cacheadmin.Event)) error { return ops.Warm(ctx, []int64{1}, report) })
	if err != nil || len(events) != 1 || !strings.Contains(events[0].Text, "0 B of it new") {
		t.Errorf("warm again: %+v, %v", events, err)
	}
	verify := func(report func(cacheadmin.Event)) error { return ops.Verify(ctx, report) }
	events, err = run(t, verify)
	if err != nil || len(events) != 1 || events[0].Failed || events[0].Done != 6 || events[0].Total != 6 {
		t.Errorf("verify: %+v, %v", events, err)
	}
	corruptOneChunk(t, dir)
	events, err = run(t, verify)
	if err != nil || len(events) != 1 || !events[0].Failed || !strings.Contains(events[0].Text, "1 corrupt") {
		t.Errorf("verify with a corrupt chunk: %+v, %v", events, err)
	}
	events, err = run(t, func(report func(cacheadmin.Event)) error { return ops.Purge(ctx, []int64{1, 2}, report) })
	if err != nil || len(events) != 2 || !strings.HasPrefix(events[0].Text, "5 chunks dropped") || !strings.HasPrefix(events[1].Text, "0 chunks dropped") {
		t.Errorf("purge: %+v, %v", events, err)
	}
	if stats, _ := ops.Stats(ctx); stats.Chunks != 0 {
		t.Errorf("%d chunks after the purge", stats.Chunks)
	}
}

// TestMovedRecording: a recording that was moved is warm with what was cached before, and is
// purged with it.
func TestMovedRecording(t *testing.T) {
	ctx := t.Context()
	ops, a := openLocal(t, t.TempDir(), 10<<20)
	if _, err := run(t, func(report func(cacheadmin.Event)) error { return ops.Warm(ctx, []int64{1}, report) }); err != nil {
		t.Fatal(err)
	}
	moved := a.recordings[1]
	moved.Location = media.Location{Provider: media.ProviderS3, Key: "moved"}
	moved.Copy = media.Copy{Version: "v1", Size: objectSize, Original: media.Identity{Provider: media.ProviderDrive, ID: "one", Version: "v1"}}
	a.recordings[1] = moved
	events, err := run(t, func(report func(cacheadmin.Event)) error { return ops.Warm(ctx, []int64{1}, report) })
	if err != nil || len(events) != 1 || !strings.Contains(events[0].Text, "0 B of it new") {
		t.Errorf("warm: %+v, %v", events, err)
	}
	events, err = run(t, func(report func(cacheadmin.Event)) error { return ops.Purge(ctx, []int64{1}, report) })
	if err != nil || len(events) != 1 || !strings.HasPrefix(events[0].Text, "6 chunks dropped") {
		t.Errorf("purge: %+v, %v", events, err)
	}
}

// corruptOneChunk changes a byte in the middle of one chunk file.
func corruptOneChunk(t *testing.T, dir string) {
	t.Helper()
	var chunk string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if info, err := d.Info(); err == nil && info.Size() > chunkSize {
				chunk = path
			}
		}
		return err
	})
	if err != nil || chunk == "" {
		t.Fatalf("no chunk file: %v", err)
	}
	f, err := os.OpenFile(chunk, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte{0xff}, chunkSize/2); err != nil {
		t.Fatal(err)
	}
}

// TestWarmWithoutRoom: what the cache has no room for is a failed event and not an error.
func TestWarmWithoutRoom(t *testing.T) {
	ops, _ := openLocal(t, t.TempDir(), 2*chunkSize)
	events, err := run(t, func(report func(cacheadmin.Event)) error { return ops.Warm(t.Context(), []int64{1}, report) })
	if err != nil || len(events) != 1 || !events[0].Failed || events[0].Done >= objectSize || !strings.Contains(events[0].Text, "found no room") {
		t.Errorf("%+v, %v", events, err)
	}
}

// TestUnknownRecordings: nothing is done for the first when a later one is wrong.
func TestUnknownRecordings(t *testing.T) {
	ops, a := openLocal(t, t.TempDir(), 10<<20)
	for _, c := range []struct {
		ids  []int64
		says string
	}{
		{nil, "at least one"},
		{[]int64{1, 9}, "recording 9 is not in the catalog"},
		{[]int64{1, 4}, "recording 4 (failed) has no file"},
	} {
		for name, call := range map[string]func(context.Context, []int64, func(cacheadmin.Event)) error{"warm": ops.Warm, "purge": ops.Purge} {
			events, err := run(t, func(report func(cacheadmin.Event)) error { return call(t.Context(), c.ids, report) })
			if err == nil || !strings.Contains(err.Error(), c.says) || len(events) != 0 {
				t.Errorf("%s %v: %+v, %v", name, c.ids, events, err)
			}
		}
	}
	a.err = errors.New("the origin is away")
	if _, err := run(t, func(report func(cacheadmin.Event)) error { return ops.Warm(t.Context(), []int64{2}, report) }); !errors.Is(err, a.err) || !strings.Contains(err.Error(), "recording 2") {
		t.Errorf("%v", err)
	}
	if stats, _ := ops.Stats(t.Context()); stats.Chunks != 0 {
		t.Errorf("%d chunks were fetched", stats.Chunks)
	}
}

// TestConnect: the owner of a directory is found once it has recorded its listener.
func TestConnect(t *testing.T) {
	dir := t.TempDir()
	if client, err := cacheadmin.Connect(dir); client != nil || err != nil {
		t.Errorf("without an owner: %v, %v", client, err)
	}
	ops, _ := openLocal(t, dir, 10<<20)
	if _, err := cacheadmin.Connect(dir); err == nil || !strings.HasPrefix(err.Error(), "cache-dir: ") {
		t.Errorf("an owner without a listener: %v", err)
	}
	server, _ := serve(t, ops)
	if err := ops.Cache.RecordOwner(server.Listener.Addr().String()); err != nil {
		t.Fatal(err)
	}
	client, err := cacheadmin.Connect(dir)
	if err != nil {
		t.Fatal(err)
	}
	if stats, err := client.Stats(t.Context()); err != nil || stats.Dir != dir {
		t.Errorf("%+v, %v", stats, err)
	}
	ops.Cache.Close()
	if client, err := cacheadmin.Connect(dir); client != nil || err != nil {
		t.Errorf("after the owner's end: %v, %v", client, err)
	}
}

// TestPrinter: outcomes are lines, progress is none where there is no terminal, and a
// failed event is remembered.
func TestPrinter(t *testing.T) {
	var out, terminal bytes.Buffer
	p := cacheadmin.NewPrinter(&out, &terminal)
	p.Report(cacheadmin.Event{Event: cacheadmin.EventProgress, Recording: 7, Done: 1, Total: 2})
	p.Report(cacheadmin.Event{Event: cacheadmin.EventDone, Recording: 7, Text: "done"})
	if p.Failed() {
		t.Error("failed without a failed event")
	}
	p.Report(cacheadmin.Event{Event: cacheadmin.EventOutcome, Text: "one corrupt", Failed: true})
	p.Report(cacheadmin.Event{Event: cacheadmin.EventDone, Recording: 8, Text: "done"})
	p.Close()
	if want := "recording 7: done\none corrupt\nrecording 8: done\n"; out.String() != want || terminal.Len() != 0 || !p.Failed() {
		t.Errorf("%q, on the terminal %q, failed %v", &out, &terminal, p.Failed())
	}
}

func TestPrintStats(t *testing.T) {
	var out bytes.Buffer
	err := cacheadmin.PrintStats(&out, cache.Stats{Dir: "/c", Bytes: 3 << 20, Capacity: 12 << 20, Chunks: 3, ChunkSize: 1 << 20, Objects: 2, State: "ok", Scanning: true,
		Events: map[string]int64{"hit": 3, "miss": 1, "evict": 9}})
	for _, want := range []string{"3.0 MiB of 12.0 MiB (25.0 %)", "3 of 1.0 MiB each, of 2 files", "75.0 % of 4 look-ups", "still being rebuilt", "evicted    9"} {
		if !strings.Contains(strings.Join(strings.Fields(out.String()), " "), strings.Join(strings.Fields(want), " ")) {
			t.Errorf("%q is missing in\n%s", want, &out)
		}
	}
	if err != nil || strings.Contains(out.String(), "free on its disk") {
		t.Errorf("%v\n%s", err, &out)
	}
}
