package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/term"

	"github.com/lectiospace/lectern/internal/cache"
	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/telemetry"
)

type cacheCommand struct {
	Stats  cacheStats  `cmd:"" help:"Tell how the cache stands: room, chunks, hits, health of the disk."`
	Warm   cacheWarm   `cmd:"" help:"Fetch recordings ahead, so that the first viewer finds them on the disk; exit 1 when they did not fit."`
	Purge  cachePurge  `cmd:"" help:"Drop recordings from the cache, every version of them. Viewers go on; what they still need is fetched again."`
	Verify cacheVerify `cmd:"" help:"Compare every chunk's checksums and throw away what does not hold; exit 1 when something did not."`
}

type cacheStats struct {
	JSON bool `name:"json" help:"Print one JSON object."`
}

type cacheWarm struct {
	Recordings []int64 `arg:"" name:"recording" help:"Ids of recordings."`
}

type cachePurge struct {
	Recordings []int64 `arg:"" name:"recording" help:"Ids of recordings."`
}

type cacheVerify struct{}

// errUnsound is what a command ends with that has said already what is wrong.
var errUnsound = errors.New("not everything is as it should be, see above")

// Run prints the numbers.
func (c *cacheStats) Run(ctx context.Context, cli *CLI, out terminal) error {
	stats, err := statsOf(ctx, cli, out)
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(out.out).Encode(stats)
	}
	return printStats(out.out, stats)
}

func statsOf(ctx context.Context, cli *CLI, out terminal) (cache.Stats, error) {
	holder, err := holderOf(cli)
	if err != nil {
		return cache.Stats{}, err
	}
	if holder != nil {
		return remoteCache{*holder}.stats(ctx)
	}
	if _, err := os.Stat(cli.Cache.Dir); errors.Is(err, os.ErrNotExist) {
		return cache.Stats{Dir: cli.Cache.Dir, Capacity: int64(cli.Cache.Size), MinFree: int64(cli.Cache.MinFree), ChunkSize: int64(cli.Cache.ChunkSize), State: "ok"}, nil
	}
	var stats cache.Stats
	err = withOwnCache(ctx, cli, out, false, func(k cacheKeeper) error {
		err := k.chunks.Ready(ctx)
		stats = k.chunks.Stats()
		return err
	})
	return stats, err
}

func printStats(w io.Writer, s cache.Stats) error {
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
		{"commit", "stored"}, {"evict", "evicted"}, {"purge", "purged"}, {"bypass", "passed through unstored"}, {"failed", "fetches failed"}, {"corrupt", "corrupt, thrown away"},
	} {
		if n := s.Events[e.event]; n > 0 {
			line(e.text, "%d", n)
		}
	}
	return t.Flush()
}

// Run fetches them.
func (c *cacheWarm) Run(ctx context.Context, cli *CLI, out terminal) error {
	return giveOrder(ctx, cli, out, "warm", c.Recordings, cacheKeeper.warm)
}

// Run drops them.
func (c *cachePurge) Run(ctx context.Context, cli *CLI, out terminal) error {
	return giveOrder(ctx, cli, out, "purge", c.Recordings, cacheKeeper.purge)
}

// Run reads everything.
func (*cacheVerify) Run(ctx context.Context, cli *CLI, out terminal) error {
	return giveOrder(ctx, cli, out, "verify", nil, func(k cacheKeeper, ctx context.Context, _ []int64, tell func(cacheEvent)) error {
		return k.verify(ctx, tell)
	})
}

// giveOrder has the running gateway do it, which holds the cache's directory, or
// does it itself when none runs.
func giveOrder(ctx context.Context, cli *CLI, out terminal, what string, ids []int64, do func(cacheKeeper, context.Context, []int64, func(cacheEvent)) error) error {
	bar, failed := newBar(out.err), false
	defer bar.clear()
	tell := func(e cacheEvent) {
		failed = failed || e.Failed
		if e.Event == "progress" {
			bar.show(e)
			return
		}
		bar.clear()
		if e.Recording != 0 {
			fmt.Fprintf(out.out, "recording %d: %s\n", e.Recording, e.Text)
		} else {
			fmt.Fprintln(out.out, e.Text)
		}
	}
	holder, err := holderOf(cli)
	switch {
	case err != nil:
	case holder != nil:
		err = remoteCache{*holder}.order(ctx, what, ids, tell)
	default:
		err = withOwnCache(ctx, cli, out, what != "verify", func(k cacheKeeper) error { return do(k, ctx, ids, tell) })
	}
	bar.clear()
	if err == nil && failed {
		return errUnsound
	}
	return err
}

// holderOf is the running gateway that holds the cache, or nil.
func holderOf(cli *CLI) (*cache.Owner, error) {
	holder, err := cache.OwnerOf(cli.Cache.Dir)
	if err == nil && holder != nil && holder.Admin == "" {
		return nil, fmt.Errorf("cache-dir: %s is in use by a process that takes no orders: a gateway that is just starting, or another `gateway cache`; try again in a moment", cli.Cache.Dir)
	}
	return holder, err
}

// withOwnCache opens the cache in this process; with the catalog and the origins
// where they are needed.
func withOwnCache(ctx context.Context, cli *CLI, out terminal, fetching bool, do func(cacheKeeper) error) error {
	if err := cli.Cache.Check(); err != nil {
		return err
	}
	logging := cli.Log
	if logging.Level == "info" {
		logging.Level = "warn" // who gave the command is told its outcome
	}
	s := &service{settings: &cli.Settings, log: telemetry.NewLogger(logging, out.err)}
	defer s.close()
	metrics := telemetry.NewRegistry("", "")
	k := cacheKeeper{}
	var fetch cache.Fetcher
	if fetching {
		store, err := catalog.Open(ctx, cli.DatabaseURL, s.log)
		if err != nil {
			return err
		}
		s.onClose(store.Close)
		if err := store.SchemaReady(ctx); err != nil {
			return err
		}
		origins, _, err := s.openOrigins(ctx, store, metrics)
		if err != nil {
			return err
		}
		k.recordings, k.origins, fetch = store, origins, origins
	}
	cfg := cli.Cache
	cfg.ScrubRate = 0
	chunks, err := cache.New(cfg, fetch, s.log, metrics)
	if err != nil {
		return err
	}
	s.onClose(chunks.Close)
	k.chunks = chunks
	return do(k)
}

// bar is a line of progress, on a terminal only.
type bar struct {
	w       *os.File
	shown   bool
	what    int64
	began   time.Time
	already int64
}

func newBar(w io.Writer) *bar {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return &bar{}
	}
	return &bar{w: f}
}

const barWidth = 30

func (b *bar) show(e cacheEvent) {
	if b.w == nil || e.Total <= 0 {
		return
	}
	if b.began.IsZero() || b.what != e.Recording {
		b.began, b.what, b.already = time.Now(), e.Recording, e.Done
	}
	filled := int(barWidth * min(e.Done, e.Total) / e.Total)
	line := fmt.Sprintf("[%s%s] %3d %%", strings.Repeat("#", filled), strings.Repeat(".", barWidth-filled), 100*min(e.Done, e.Total)/e.Total)
	if e.Recording != 0 {
		rate := float64(e.Done-b.already) / max(0.1, time.Since(b.began).Seconds())
		line = fmt.Sprintf("recording %d %s  %s of %s, %v/s", e.Recording, line, bytesText(e.Done), bytesText(e.Total), bytesText(int64(rate)))
	} else {
		line = fmt.Sprintf("%s  %d of %d chunks", line, e.Done, e.Total)
	}
	fmt.Fprintf(b.w, "\r\x1b[K%s", line)
	b.shown = true
}

func (b *bar) clear() {
	if b.shown {
		fmt.Fprint(b.w, "\r\x1b[K")
		b.shown = false
	}
}
