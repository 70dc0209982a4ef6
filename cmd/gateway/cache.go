package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"

	"github.com/lectiospace/lectern/internal/cache"
	"github.com/lectiospace/lectern/internal/cacheadmin"
	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/catalog/schema"
	"github.com/lectiospace/lectern/internal/telemetry"
)

type cacheCommand struct {
	Stats  cacheStats  `cmd:"" help:"Show size, chunks, hit ratio and health of the disk cache."`
	Warm   cacheWarm   `cmd:"" help:"Fetch recordings ahead, so that the first viewer is served from the disk; exit 1 when they did not fit."`
	Purge  cachePurge  `cmd:"" help:"Drop recordings from the cache, every version of them. Viewers go on; what they still need is fetched again."`
	Verify cacheVerify `cmd:"" help:"Compare every chunk's checksums and drop corrupt chunks; exit 1 when there were any."`
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

// errIncomplete is the error of a command whose output names the failed parts already.
var errIncomplete = errors.New("not everything succeeded, see above")

// Run prints the statistics.
func (c *cacheStats) Run(ctx context.Context, cli *CLI, term terminal) error {
	stats, err := statsOf(ctx, cli, term)
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(term.Out).Encode(stats)
	}
	return cacheadmin.PrintStats(term.Out, stats)
}

// statsOf does not create a cache directory that does not exist.
func statsOf(ctx context.Context, cli *CLI, term terminal) (stats cache.Stats, err error) {
	cfg := cli.Cache
	if _, err := os.Stat(cfg.Dir); errors.Is(err, os.ErrNotExist) {
		return cache.Stats{Dir: cfg.Dir, Capacity: int64(cfg.Size), MinFree: int64(cfg.MinFree), ChunkSize: int64(cfg.ChunkSize), State: "ok"}, nil
	}
	err = withCache(ctx, cli, term, false, func(ops cacheadmin.Operations) (err error) {
		stats, err = ops.Stats(ctx)
		return err
	})
	return stats, err
}

// Run fetches the recordings.
func (c *cacheWarm) Run(ctx context.Context, cli *CLI, term terminal) error {
	return printing(ctx, cli, term, true, func(ops cacheadmin.Operations, report func(cacheadmin.Event)) error {
		return ops.Warm(ctx, c.Recordings, report)
	})
}

// Run drops the recordings.
func (c *cachePurge) Run(ctx context.Context, cli *CLI, term terminal) error {
	return printing(ctx, cli, term, true, func(ops cacheadmin.Operations, report func(cacheadmin.Event)) error {
		return ops.Purge(ctx, c.Recordings, report)
	})
}

// Run reads every chunk.
func (*cacheVerify) Run(ctx context.Context, cli *CLI, term terminal) error {
	return printing(ctx, cli, term, false, func(ops cacheadmin.Operations, report func(cacheadmin.Event)) error {
		return ops.Verify(ctx, report)
	})
}

// printing runs an operation and prints its events.
func printing(ctx context.Context, cli *CLI, term terminal, withCatalog bool, run func(cacheadmin.Operations, func(cacheadmin.Event)) error) error {
	printer := cacheadmin.NewPrinter(term.Out, term.Err)
	defer printer.Close()
	err := withCache(ctx, cli, term, withCatalog, func(ops cacheadmin.Operations) error { return run(ops, printer.Report) })
	if err == nil && printer.Failed() {
		return errIncomplete
	}
	return err
}

// withCache runs do on the running gateway's cache or, when none owns the directory,
// on one that is opened here; that one knows recordings and origins only withCatalog.
func withCache(ctx context.Context, cli *CLI, term terminal, withCatalog bool, do func(cacheadmin.Operations) error) error {
	running, err := cacheadmin.Connect(cli.Cache.Dir)
	if err != nil {
		return err
	}
	if running != nil {
		return do(running)
	}
	if err := cli.Cache.Check(); err != nil {
		return cli.WithSource(err)
	}
	if cli.Log.Level == "info" {
		cli.Log.Level = "warn" // the operation prints its own results
	}
	s := &service{settings: &cli.Settings, log: telemetry.NewLogger(cli.Log, term.Err)}
	defer s.close()
	metrics := telemetry.NewRegistry("", "")
	var local cacheadmin.Local
	var fetch cache.Fetcher
	if withCatalog {
		store, err := catalog.Open(ctx, cli.DatabaseURL, s.log)
		if err != nil {
			return err
		}
		s.onClose(store.Close)
		if err := schema.Ready(ctx, store); err != nil {
			return err
		}
		origins, _, err := s.openOrigins(ctx, store, metrics)
		if err != nil {
			return err
		}
		local.Recordings, local.Origin, fetch = store, origins, origins
	}
	cfg := cli.Cache
	cfg.ScrubRate = 0
	if local.Cache, err = cache.New(cfg, fetch, s.log, metrics); err != nil {
		return err
	}
	s.onClose(local.Cache.Close)
	if err := local.Cache.Ready(ctx); err != nil {
		return err
	}
	return do(local)
}
