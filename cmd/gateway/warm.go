package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
)

const (
	// warmEvery is how often the catalog is asked for new recordings.
	warmEvery = 5 * time.Second
	// warmOverlap is how much of the past is asked for again: two syncers' transactions
	// may become visible in another order than their moments have.
	warmOverlap = 2 * time.Minute
	// warmWithin bounds the reading of one recording's two ends.
	warmWithin = 2 * time.Minute
)

// arrivals knows what has just been archived.
type arrivals interface {
	Arrivals(ctx context.Context, after time.Time) ([]catalog.Arrival, error)
}

// stater tells of an object as it is now.
type stater interface {
	Stat(ctx context.Context, loc media.Location) (media.Object, error)
}

// shelf keeps what players ask of an object before they show a first frame.
type shelf interface {
	Warm(ctx context.Context, obj media.Object) error
}

// warmer has the ends and the index of each new recording read into the cache: they
// are what every player asks for first, and a class opens a new lesson at once.
type warmer struct {
	news    arrivals
	origins stater
	shelf   shelf
	direct  map[string]opener // what needs no cache
	log     *slog.Logger

	last time.Time                // the newest arrival seen
	done map[catalog.Arrival]bool // those within the overlap
}

// run warms until ctx ends. What fails is not tried again: the first player fetches
// it, as it would have without this.
func (w *warmer) run(ctx context.Context) {
	tick := time.NewTicker(warmEvery)
	defer tick.Stop()
	for {
		if err := w.round(ctx); err != nil && ctx.Err() == nil {
			w.log.Debug("new recordings are not warmed now", slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (w *warmer) round(ctx context.Context) error {
	found, err := w.news.Arrivals(ctx, w.last.Add(-warmOverlap))
	if err != nil {
		return err
	}
	for _, a := range found {
		if w.done[a] {
			continue
		}
		w.done[a] = true
		if a.At.After(w.last) {
			w.last = a.At
		}
		if w.direct[a.Location.Provider] != nil {
			continue
		}
		if err := w.warm(ctx, a); err != nil {
			if ctx.Err() != nil {
				return err
			}
			w.log.Warn("a new recording was not warmed", slog.Int64("recording", a.Recording), slog.Any("error", err))
			continue
		}
		w.log.Info("a new recording is warm", slog.Int64("recording", a.Recording))
	}
	for a := range w.done {
		if a.At.Before(w.last.Add(-warmOverlap)) {
			delete(w.done, a)
		}
	}
	return nil
}

// warm reads what players ask for first.
func (w *warmer) warm(ctx context.Context, a catalog.Arrival) error {
	ctx, cancel := context.WithTimeout(ctx, warmWithin)
	defer cancel()
	obj, err := w.origins.Stat(ctx, a.Location)
	if err != nil {
		return err
	}
	return w.shelf.Warm(ctx, obj)
}
