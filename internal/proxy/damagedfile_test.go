package proxy

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/lectiospace/lectern/internal/media"
)

// replaceableReader is a reader of a file whose bytes can be had from elsewhere.
type replaceableReader struct {
	*fileReader
	invalidated *int
}

func (r replaceableReader) InvalidatePiece(error) { *r.invalidated++ }

// TestDamagedFile: a file that turns out shorter than it was is invalidated, and the body goes
// on at the byte where it ended. One that is short again cuts the body.
func TestDamagedFile(t *testing.T) {
	const size, kept = 1000, 700
	for name, c := range map[string]struct {
		byteRange   string
		from        int
		repaired    bool
		sent        int
		invalidated int
	}{
		"repaired":           {"bytes=0-", 0, true, size, 1},
		"repaired, a range":  {"bytes=650-949", 650, true, 300, 1},
		"missing altogether": {"bytes=800-899", 800, true, 100, 1},
		"damaged again":      {"bytes=0-", 0, false, kept, 2},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "chunk")
			var spans []media.Span
			var invalidated int
			h := newFixture(t, size, func(_ *Config, h *fixture) {
				h.open = func(_ context.Context, _ media.Object, span media.Span) (media.Reader, error) {
					spans = append(spans, span)
					if len(spans) > 1 && c.repaired {
						return &memReader{data: h.content[span.Off:span.End()]}, nil
					}
					r, err := openFileReader(path, span, size)
					return replaceableReader{r, &invalidated}, err
				}
			})
			if err := os.WriteFile(path, h.content[:kept], 0o600); err != nil {
				t.Fatal(err)
			}
			a := h.get("Range: " + c.byteRange)
			if whole := a.err == nil; whole != c.repaired || !whole && !errors.Is(a.err, io.ErrUnexpectedEOF) || !bytes.Equal(a.body, h.content[c.from:c.from+c.sent]) {
				t.Errorf("%d bytes, %v", len(a.body), a.err)
			}
			h.line()
			if invalidated != c.invalidated || len(spans) != 2 || spans[1].Off != int64(max(c.from, kept)) {
				t.Errorf("invalidated %d times, opened %v", invalidated, spans)
			}
		})
	}
}
