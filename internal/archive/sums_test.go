package archive

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestFileSums: a file is read for its size and checksums, and no longer than is wanted.
func TestFileSums(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("abc"), 0o600); err != nil {
		t.Fatal(err)
	}
	want := Sums{3, "900150983cd24fb0d6963f7d28e17f72", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}
	if got, err := FileSums(t.Context(), path); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := FileSums(ended, path); !errors.Is(err, context.Canceled) || got.Size != 0 {
		t.Errorf("after the end: %+v, %v", got, err)
	}
}

// TestContextReader: a reader keeps to its rate and ends with its context.
func TestContextReader(t *testing.T) {
	const rate, size = 64 << 10, 512 << 10
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		read := func() (Sums, error) {
			return CopySums(io.Discard, ContextReader{Ctx: ctx, Reader: strings.NewReader(strings.Repeat("x", size)), Limit: NewLimiter(rate)})
		}
		// The burst is a second's bytes.
		if got, err := read(); err != nil || got.Size != size || time.Since(began) != (size-rate)/rate*time.Second {
			t.Errorf("%d bytes in %s, %v", got.Size, time.Since(began), err)
		}
		cancel()
		if got, err := read(); !errors.Is(err, context.Canceled) || got.Size != 0 {
			t.Errorf("after the end: %d bytes, %v", got.Size, err)
		}
	})
	if NewLimiter(0) != nil {
		t.Error("a rate of 0 is bounded")
	}
}
