package cache

import (
	"io"
	"log/slog"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lectiospace/lectern/internal/media"
)

// BenchmarkCold reads a recording that is not cached from an origin that costs
// nothing: what remains is the cache, a copy, checksums, a file written.
func BenchmarkCold(b *testing.B) {
	const size = 64 * mib
	s := newFakeOrigin()
	whole := s.put("a", "1", size)
	c, err := newCache(Config{Dir: b.TempDir(), Size: 1 << 30, ChunkSize: mib, Streams: 4, Memory: 256 << 20}, s, slog.New(slog.DiscardHandler), prometheus.NewRegistry(), realDisk{})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	scanned(b, c)
	b.SetBytes(size)
	for b.Loop() {
		r, err := c.Open(b.Context(), whole, whole.Span())
		if err != nil {
			b.Fatal(err)
		}
		for {
			if _, err := r.Next(b.Context(), 512<<10); err == io.EOF {
				break
			} else if err != nil {
				b.Fatal(err)
			}
		}
		r.Close()
		b.StopTimer()
		waitForFills(b, c)
		c.purgeAll(b)
		b.StartTimer()
	}
}

// purgeAll makes the next read a cold one.
func (c *Cache) purgeAll(tb testing.TB) {
	tb.Helper()
	if _, err := c.Purge(tb.Context(), media.Location{Provider: "test", Key: "a"}); err != nil {
		tb.Fatal(err)
	}
}

// BenchmarkHit reads a recording that is on the disk, in pieces of 512 KiB, without
// touching their bytes: what remains is the lock, the look-up and the fd cache.
func BenchmarkHit(b *testing.B) {
	const size = 64 * mib
	s := newFakeOrigin()
	obj := s.put("a", "1", size)
	c, err := newCache(Config{Dir: b.TempDir(), Size: 1 << 30, ChunkSize: mib, Streams: 4, Memory: 256 << 20}, s, slog.New(slog.DiscardHandler), prometheus.NewRegistry(), realDisk{})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	scanned(b, c)
	if _, _, err := read(b.Context(), c, obj, obj.Span(), mib); err != nil {
		b.Fatal(err)
	}
	waitForFills(b, c)
	for b.Loop() {
		r, err := c.Open(b.Context(), obj, obj.Span())
		if err != nil {
			b.Fatal(err)
		}
		for {
			if p, err := r.Next(b.Context(), 512<<10); err == io.EOF {
				break
			} else if err != nil || p.File == nil {
				b.Fatal(p, err)
			}
		}
		r.Close()
	}
}
