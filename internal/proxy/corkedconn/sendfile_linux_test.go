package corkedconn

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestResident looks at a file of which nothing was read yet, and again when it was. A
// kernel before 6.5 does not know, and nothing may count as resident.
func TestResident(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "content"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	const size = 1<<20 + 1
	if err := file.Truncate(size); err != nil {
		t.Fatal(err)
	}
	fd := int(file.Fd())
	if err := unix.Fadvise(fd, 0, 0, unix.FADV_RANDOM); err != nil { // no read-ahead
		t.Fatal(err)
	}
	if yes, _ := resident(fd, 0, size); yes {
		t.Error("bytes that were never read are resident")
	}
	const half = size / 2
	if _, err := io.CopyN(io.Discard, file, half); err != nil {
		t.Fatal(err)
	}
	supported := unix.Cachestat(uint(fd), &unix.CachestatRange{Len: 1}, &unix.Cachestat_t{}, 0) == nil
	for _, span := range []struct {
		off, n int64
		want   bool
	}{
		{0, 1, true}, {0, half, true}, {5000, 10, true}, {half - 1, 1, true}, {4095, 2, true},
		{size - 1, 1, false}, {half - 1, half, false},
	} {
		yes, known := resident(fd, span.off, span.n)
		if known != supported || yes != (span.want && supported) {
			t.Errorf("%d bytes from %d on are resident: %t, known: %t; want %t", span.n, span.off, yes, known, span.want)
		}
	}
}
