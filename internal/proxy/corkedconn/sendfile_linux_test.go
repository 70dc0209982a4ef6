package corkedconn

import (
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lectiospace/lectern/internal/media"
)

// newUnreadFile is a file of which nothing was read, and nothing is read ahead.
func newUnreadFile(t *testing.T, size int64) *os.File {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "content"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	if err := file.Truncate(size); err != nil {
		t.Fatal(err)
	}
	if err := unix.Fadvise(int(file.Fd()), 0, 0, unix.FADV_RANDOM); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestResident looks at a file of which nothing was read yet, and again when it was. A
// kernel before 6.5 does not know, and nothing may count as resident.
func TestResident(t *testing.T) {
	const size = 1<<20 + 1
	file := newUnreadFile(t, size)
	fd := int(file.Fd())
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

// TestWholeResident: what was found holds for trustFor, whatever becomes of the file meanwhile, and is looked for
// again after that.
func TestWholeResident(t *testing.T) {
	const size = 1<<20 + 1
	file := newUnreadFile(t, size)
	fd := int(file.Fd())
	read := func(n int64) {
		t.Helper()
		if _, err := io.Copy(io.Discard, io.NewSectionReader(file, 0, n)); err != nil {
			t.Fatal(err)
		}
	}
	supported := unix.Cachestat(uint(fd), &unix.CachestatRange{Len: 1}, &unix.Cachestat_t{}, 0) == nil
	var whole media.Residency
	now := time.Now()
	for _, step := range []struct {
		name  string
		after time.Duration
		do    func()
		want  bool
	}{
		{"nothing was read", 0, func() {}, false},
		{"all but the last byte was read", trustFor, func() { read(size - 5000) }, false},
		{"all was read, and it is not looked for yet", trustFor - 1, func() { read(size) }, false},
		{"all was read", 1, func() {}, true},
		{"evicted, and it is not looked for yet", trustFor - 1, func() {
			if err := unix.Fadvise(fd, 0, 0, unix.FADV_DONTNEED); err != nil {
				t.Fatal(err)
			}
		}, true},
		{"evicted", 1, func() {}, false},
	} {
		now = now.Add(step.after)
		step.do()
		if got := wholeResident(fd, &whole, now); got != (step.want && supported) {
			t.Errorf("%s: %t", step.name, got)
		}
	}
	if err := file.Truncate(0); err != nil {
		t.Fatal(err)
	}
	if wholeResident(fd, &whole, now.Add(trustFor)) {
		t.Error("a file without bytes is resident")
	}
}

// TestSlowSendsEndTheTrust: only those that take as long as from a disk.
func TestSlowSendsEndTheTrust(t *testing.T) {
	var whole media.Residency
	for took, trusted := range map[time.Duration]bool{0: true, refutedBy: true, refutedBy + 1: false} {
		whole.Set(time.Now(), true)
		s := sending{send: send{residency: &whole, residentUntil: 100}}
		s.judge(took)
		if yes, _ := whole.Found(time.Now(), trustFor); yes != trusted || (s.residentUntil == 100) != trusted {
			t.Errorf("after a send of %v its file is trusted: %t, up to %d", took, yes, s.residentUntil)
		}
	}
	s := sending{send: send{residentUntil: 100}}
	if s.judge(time.Minute); s.residentUntil != 0 {
		t.Error("a file of which nothing is remembered is trusted after a slow send")
	}
}
