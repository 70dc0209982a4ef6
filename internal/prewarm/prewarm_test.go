package prewarm

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

// fixture is a catalog, an origin and a cache.
type fixture struct {
	mu       sync.Mutex // guards the rest
	arrivals []Arrival
	listErr  error
	broken   string   // the key whose Stat fails
	read     []string // keys that were read into the cache
}

func (f *fixture) list(_ context.Context, after time.Time) (found []Arrival, _ error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range f.arrivals {
		if a.At.After(after) {
			found = append(found, a)
		}
	}
	return found, f.listErr
}

func (f *fixture) Stat(_ context.Context, loc media.Location) (media.Object, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if loc.Key == f.broken {
		return media.Object{}, errors.New("origin unavailable")
	}
	return media.Object{Provider: loc.Provider, ID: loc.Key}, nil
}

func (f *fixture) Warm(_ context.Context, obj media.Object) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.read = append(f.read, obj.ID)
	return nil
}

func (f *fixture) keys() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.read)
}

func (f *fixture) archived(id int64, provider, key string, at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.arrivals = append(f.arrivals, Arrival{Recording: id, Location: media.Location{Provider: provider, Key: key}, At: at})
}

func (f *fixture) setListError(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.listErr = err
}

// TestPrewarmReadsEachArrivalOnce: also the one that becomes visible late, behind a
// newer one, and not the one that needs no cache. Failures do not stop the others.
func TestPrewarmReadsEachArrivalOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fixture{broken: "broken"}
		f.archived(1, media.ProviderDrive, "long before", time.Now().Add(-time.Hour))
		p := New(Deps{List: f.list, Origin: f, Cache: f, Log: slog.New(slog.DiscardHandler), Now: time.Now,
			Uncached: func(provider string) bool { return provider == media.ProviderLocal }})
		p.Start(t.Context())
		step := func() {
			time.Sleep(2 * pollInterval)
			synctest.Wait()
		}
		step()
		f.archived(2, media.ProviderDrive, "new", time.Now())
		f.archived(3, media.ProviderDrive, "broken", time.Now())
		f.archived(4, media.ProviderLocal, "local", time.Now())
		f.archived(5, media.ProviderDrive, "new too", time.Now())
		step()
		f.setListError(errors.New("database unavailable"))
		step()
		f.setListError(nil)
		f.archived(6, media.ProviderDrive, "late", time.Now().Add(-time.Minute))
		step()
		time.Sleep(2 * overlap)
		f.archived(7, media.ProviderDrive, "last", time.Now())
		step()
		p.Stop()
		p.Stop()
		if want := []string{"new", "new too", "late", "last"}; !slices.Equal(f.read, want) {
			t.Errorf("read %q, want %q", f.read, want)
		}
		if len(p.seen) > 1 {
			t.Errorf("%d arrivals are kept beyond the overlap", len(p.seen))
		}
	})
}

// TestPrewarmIsForOneGateway: in a fleet nothing is read, then or when the others are gone:
// viewers have read it by then. A count that fails is taken again.
func TestPrewarmIsForOneGateway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fixture{}
		var others atomic.Int64
		var failing atomic.Bool
		others.Store(2)
		p := New(Deps{List: f.list, Origin: f, Cache: f, Log: slog.New(slog.DiscardHandler), Now: time.Now,
			Others: func(context.Context) (int, error) {
				if failing.Load() {
					return 0, errors.New("database unavailable")
				}
				return int(others.Load()), nil
			}})
		p.Start(t.Context())
		step := func() {
			time.Sleep(2 * pollInterval)
			synctest.Wait()
		}
		f.archived(1, media.ProviderDrive, "in a fleet", time.Now())
		step()
		others.Store(0)
		failing.Store(true)
		f.archived(2, media.ProviderDrive, "alone", time.Now())
		step()
		if read := f.keys(); len(read) != 0 {
			t.Errorf("read %q", read)
		}
		failing.Store(false)
		step()
		p.Stop()
		if want := []string{"alone"}; !slices.Equal(f.read, want) {
			t.Errorf("read %q, want %q", f.read, want)
		}
	})
}

func TestStopWithoutStart(*testing.T) {
	New(Deps{Now: time.Now}).Stop()
}
