package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/lectiospace/lectern/internal/cache"
	"github.com/lectiospace/lectern/internal/media"
)

// cacheKeeper does what operators ask of the cache: in the running gateway, which
// holds the directory, or in a command when none runs.
type cacheKeeper struct {
	chunks     *cache.Cache
	recordings interface {
		Recording(ctx context.Context, id int64) (media.Recording, error)
	}
	origins interface {
		Stat(ctx context.Context, loc media.Location) (media.Object, error)
	}
}

// cacheEvent is one line of what a command is told while it works.
type cacheEvent struct {
	// Event is progress, done (with one recording), outcome (of everything), or
	// error, which is the last.
	Event     string `json:"event"`
	Recording int64  `json:"recording,omitempty"`
	Done      int64  `json:"done"`
	Total     int64  `json:"total"`
	Text      string `json:"text,omitempty"`
	// Failed says that the command has to end with 1.
	Failed bool `json:"failed,omitempty"`
}

// progressEvery is how often progress is told.
const progressEvery = 100 * time.Millisecond

// paced lets through what comes progressEvery apart.
func paced(tell func(cacheEvent)) func(cacheEvent) {
	var last time.Time
	return func(e cacheEvent) {
		if now := time.Now(); now.Sub(last) >= progressEvery {
			last = now
			tell(e)
		}
	}
}

// find looks all recordings up before anything is done with the first.
func (k cacheKeeper) find(ctx context.Context, ids []int64) ([]media.Recording, error) {
	if len(ids) == 0 {
		return nil, errors.New("name at least one recording, by its id")
	}
	var found []media.Recording
	for _, id := range ids {
		rec, err := k.recordings.Recording(ctx, id)
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

// warm fetches what is missing of recordings.
func (k cacheKeeper) warm(ctx context.Context, ids []int64, tell func(cacheEvent)) error {
	recordings, err := k.find(ctx, ids)
	if err != nil {
		return err
	}
	if err := k.chunks.Ready(ctx); err != nil {
		return err
	}
	for _, rec := range recordings {
		if rec.Location.Provider == media.ProviderLocal {
			tell(cacheEvent{Event: "done", Recording: rec.ID, Text: "lies on this machine's disk and is never cached"})
			continue
		}
		obj, err := k.origins.Stat(ctx, rec.Location)
		if err != nil {
			return fmt.Errorf("recording %d: %w", rec.ID, err)
		}
		before := k.chunks.CachedBytes(obj)
		if err := k.readThrough(ctx, rec.ID, obj, paced(tell)); err != nil {
			return fmt.Errorf("recording %d: %w", rec.ID, err)
		}
		held, err := k.settled(ctx, obj)
		if err != nil {
			return err
		}
		done := cacheEvent{Event: "done", Recording: rec.ID, Done: held, Total: obj.Size, Text: bytesText(held) + " on disk, " + bytesText(held-before) + " of it new"}
		if held < obj.Size {
			st := k.chunks.Stats()
			done.Failed = true
			done.Text += fmt.Sprintf("; the rest of %s found no room (capacity %s, disk %s)", bytesText(obj.Size), bytesText(st.Capacity), st.State)
		}
		tell(done)
	}
	return nil
}

// readThrough reads an object as a viewer would, to nowhere.
func (k cacheKeeper) readThrough(ctx context.Context, id int64, obj media.Object, tell func(cacheEvent)) error {
	r, err := k.chunks.Open(ctx, obj, obj.Span())
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
		tell(cacheEvent{Event: "progress", Recording: id, Done: done, Total: obj.Size})
	}
}

// settleFor is how long the last chunks may take to the disk.
const settleFor = 3 * time.Second

// settled waits until what was fetched is stored, as far as it will be.
func (k cacheKeeper) settled(ctx context.Context, obj media.Object) (held int64, err error) {
	for end := time.Now().Add(settleFor); ; {
		held = k.chunks.CachedBytes(obj)
		if held >= obj.Size || time.Now().After(end) {
			return held, nil
		}
		select {
		case <-ctx.Done():
			return held, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// purge drops recordings, every version of them.
func (k cacheKeeper) purge(ctx context.Context, ids []int64, tell func(cacheEvent)) error {
	recordings, err := k.find(ctx, ids)
	if err != nil {
		return err
	}
	for _, rec := range recordings {
		gone, err := k.chunks.Purge(ctx, rec.Location)
		if err != nil {
			return err
		}
		tell(cacheEvent{Event: "done", Recording: rec.ID, Text: fmt.Sprintf("%d chunks dropped, %s", gone.Chunks, bytesText(gone.Bytes))})
	}
	return nil
}

// verify compares every checksum.
func (k cacheKeeper) verify(ctx context.Context, tell func(cacheEvent)) error {
	progress := paced(tell)
	out, err := k.chunks.Verify(ctx, func(o cache.VerifyOutcome) {
		progress(cacheEvent{Event: "progress", Done: int64(o.Checked), Total: int64(o.Total)})
	})
	if err != nil {
		return err
	}
	e := cacheEvent{Event: "outcome", Done: int64(out.Checked), Total: int64(out.Total), Failed: out.Corrupt > 0}
	e.Text = fmt.Sprintf("%d chunks, %s: ", out.Checked, bytesText(out.Bytes))
	if out.Corrupt > 0 {
		e.Text += fmt.Sprintf("%d corrupt, thrown away; they are fetched again when somebody watches", out.Corrupt)
	} else {
		e.Text += "all sound"
	}
	tell(e)
	return nil
}

// bytesText writes a number of bytes for people.
func bytesText(n int64) string {
	f, unit := float64(n), "B"
	for _, u := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if f < 1024 {
			break
		}
		f, unit = f/1024, u
	}
	if unit == "B" {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", f, unit)
}
