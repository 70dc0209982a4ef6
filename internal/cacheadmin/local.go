package cacheadmin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/lectiospace/lectern/internal/cache"
	"github.com/lectiospace/lectern/internal/media"
)

// Recordings looks recordings up in the catalog.
type Recordings interface {
	Recording(ctx context.Context, id int64) (media.Recording, error)
}

// Origin describes an object as it is now.
type Origin interface {
	Stat(ctx context.Context, loc media.Location) (media.Object, error)
}

// Local implements Operations on a cache of this process. Stats and Verify need
// neither Recordings nor Origin. Safe for concurrent use.
type Local struct {
	Cache      *cache.Cache
	Recordings Recordings
	Origin     Origin
}

// Stats implements Operations.
func (l Local) Stats(context.Context) (cache.Stats, error) { return l.Cache.Stats(), nil }

// Warm implements Operations.
func (l Local) Warm(ctx context.Context, ids []int64, report func(Event)) error {
	recordings, err := l.lookUp(ctx, ids)
	if err != nil {
		return err
	}
	if err := l.Cache.Ready(ctx); err != nil {
		return err
	}
	for _, rec := range recordings {
		if err := l.warmOne(ctx, rec, report); err != nil {
			return err
		}
	}
	return nil
}

func (l Local) warmOne(ctx context.Context, rec media.Recording, report func(Event)) error {
	if rec.Location.Provider == media.ProviderLocal {
		report(Event{Event: EventDone, Recording: rec.ID, Text: "is a local file and never cached"})
		return nil
	}
	obj, err := l.Origin.Stat(ctx, rec.Location)
	if err != nil {
		return fmt.Errorf("recording %d: %w", rec.ID, err)
	}
	obj = rec.Copy.Identify(obj)
	before := l.Cache.CachedBytes(obj)
	if err := l.readThrough(ctx, rec.ID, obj, throttle(report)); err != nil {
		return fmt.Errorf("recording %d: %w", rec.ID, err)
	}
	cached, err := l.awaitWrites(ctx, obj)
	if err != nil {
		return err
	}
	done := Event{Event: EventDone, Recording: rec.ID, Done: cached, Total: obj.Size, Text: bytesText(cached) + " on disk, " + bytesText(cached-before) + " of it new"}
	if cached < obj.Size {
		st := l.Cache.Stats()
		done.Failed = true
		done.Text += fmt.Sprintf("; the rest of %s found no room (capacity %s, disk %s)", bytesText(obj.Size), bytesText(st.Capacity), st.State)
	}
	report(done)
	return nil
}

// lookUp returns all recordings, or an error before anything is done with the first.
func (l Local) lookUp(ctx context.Context, ids []int64) ([]media.Recording, error) {
	if len(ids) == 0 {
		return nil, errors.New("name at least one recording, by its id")
	}
	var found []media.Recording
	for _, id := range ids {
		rec, err := l.Recordings.Recording(ctx, id)
		switch {
		case media.KindOf(err) == media.NotFound:
			return nil, fmt.Errorf("recording %d is not in the catalog", id)
		case err != nil:
			return nil, fmt.Errorf("recording %d: %w", id, err)
		case rec.Location.Key == "":
			return nil, fmt.Errorf("recording %d (%s) has no file in the archive", id, rec.Status)
		}
		found = append(found, rec)
	}
	return found, nil
}

// readThrough reads an object into the cache and discards it.
func (l Local) readThrough(ctx context.Context, id int64, obj media.Object, report func(Event)) error {
	r, err := l.Cache.OpenToStore(ctx, obj, obj.Span())
	if err != nil {
		return err
	}
	defer r.Close()
	for done := int64(0); ; {
		p, err := r.Next(ctx, 1<<20)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		done += p.Len
		report(Event{Event: EventProgress, Recording: id, Done: done, Total: obj.Size})
	}
}

// writeTimeout is how long the last chunks may take to reach the disk.
const writeTimeout = 3 * time.Second

// awaitWrites waits until the whole object is on the disk, at most writeTimeout, and
// returns how many of its bytes are. Chunks are written behind their readers.
func (l Local) awaitWrites(ctx context.Context, obj media.Object) (cached int64, err error) {
	for end := time.Now().Add(writeTimeout); ; {
		cached = l.Cache.CachedBytes(obj)
		if cached >= obj.Size || time.Now().After(end) {
			return cached, nil
		}
		select {
		case <-ctx.Done():
			return cached, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Purge implements Operations.
func (l Local) Purge(ctx context.Context, ids []int64, report func(Event)) error {
	recordings, err := l.lookUp(ctx, ids)
	if err != nil {
		return err
	}
	for _, rec := range recordings {
		purged, err := l.Cache.Purge(ctx, rec.Location)
		if err != nil {
			return err
		}
		// A recording that was moved keeps the chunks that were cached before.
		if rec.Copy.Original != (media.Identity{}) {
			before, err := l.Cache.Purge(ctx, rec.Copy.Original.Location())
			if err != nil {
				return err
			}
			purged.Chunks, purged.Bytes = purged.Chunks+before.Chunks, purged.Bytes+before.Bytes
		}
		report(Event{Event: EventDone, Recording: rec.ID, Text: fmt.Sprintf("%d chunks dropped, %s", purged.Chunks, bytesText(purged.Bytes))})
	}
	return nil
}

// Verify implements Operations.
func (l Local) Verify(ctx context.Context, report func(Event)) error {
	progress := throttle(report)
	out, err := l.Cache.Verify(ctx, func(o cache.VerifyOutcome) {
		progress(Event{Event: EventProgress, Done: int64(o.Checked), Total: int64(o.Total)})
	})
	if err != nil {
		return err
	}
	e := Event{Event: EventOutcome, Done: int64(out.Checked), Total: int64(out.Total), Failed: out.Corrupt > 0}
	e.Text = fmt.Sprintf("%d chunks, %s: ", out.Checked, bytesText(out.Bytes))
	if out.Corrupt > 0 {
		e.Text += fmt.Sprintf("%d corrupt and dropped; they are fetched again when they are watched", out.Corrupt)
	} else {
		e.Text += "all sound"
	}
	report(e)
	return nil
}

// progressInterval is the least time between two events of progress.
const progressInterval = 100 * time.Millisecond

// throttle drops events that come within progressInterval of the last one passed on.
func throttle(report func(Event)) func(Event) {
	var last time.Time
	return func(e Event) {
		if now := time.Now(); now.Sub(last) >= progressInterval {
			last = now
			report(e)
		}
	}
}
