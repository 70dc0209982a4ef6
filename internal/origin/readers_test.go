package origin_test

import (
	"context"
	"errors"
	"testing"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/origin"
)

// TestReaders: objects of direct providers bypass the cache, all others are read
// through it.
func TestReaders(t *testing.T) {
	errLocal, errCached := errors.New("local"), errors.New("cached")
	fails := func(err error) origin.OpenReaderFunc {
		return func(context.Context, media.Object, media.Span) (media.Reader, error) { return nil, err }
	}
	readers := origin.NewReaders(map[string]origin.OpenReaderFunc{media.ProviderLocal: fails(errLocal)}, fails(errCached))
	for provider, want := range map[string]error{media.ProviderLocal: errLocal, media.ProviderDrive: errCached, media.ProviderZoom: errCached, "": errCached} {
		obj := media.Object{Provider: provider, Size: 1}
		if _, err := readers.Open(t.Context(), obj, obj.Span()); err != want {
			t.Errorf("provider %q: opened %v, want %v", provider, err, want)
		}
		if direct := readers.Direct(provider); direct != (want == errLocal) {
			t.Errorf("provider %q: direct %v", provider, direct)
		}
	}
}
