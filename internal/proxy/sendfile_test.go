package proxy

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/lectiospace/lectern/internal/media"
)

// TestSendfile asks the kernel: it runs the test below under strace and counts.
// Where strace may not trace there is nothing to see.
func TestSendfile(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Log("no strace here")
		return
	}
	trace := filepath.Join(t.TempDir(), "trace")
	cmd := exec.Command(strace, "-f", "-qq", "-e", "trace=sendfile", "-o", trace, os.Args[0], "-test.run=^TestOneLargeRange$")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Logf("strace cannot trace here: %v\n%s", err, out)
		return
	}
	text, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	var sum int64
	for _, m := range regexp.MustCompile(`sendfile(?:64)?.*= (\d+)`).FindAllStringSubmatch(string(text), -1) {
		n, _ := strconv.ParseInt(m[1], 10, 64)
		sum += n
	}
	if sum < largeRange {
		t.Errorf("sendfile carried %d of %d bytes:\n%s", sum, largeRange, text)
	}
}

const (
	largeRange = 8 << 20
	pieceSize  = 512 << 10 // the largest piece that a stream writes at once
)

func TestOneLargeRange(t *testing.T) {
	h := newFixture(t, largeRange, func(_ *Config, h *fixture) { h.onDisk(pieceSize) })
	if a := h.get("Range: bytes=0-"); a.err != nil || !bytes.Equal(a.body, h.content) {
		t.Errorf("%d bytes, %v", len(a.body), a.err)
	}
}

func BenchmarkRange(b *testing.B) {
	for _, size := range []int64{64 << 10, 1 << 20, 8 << 20} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) { benchmarkRange(b, size) })
	}
}

func benchmarkRange(b *testing.B, size int64) {
	path := filepath.Join(b.TempDir(), "content")
	if err := os.WriteFile(path, pattern(int(size)), 0o600); err != nil {
		b.Fatal(err)
	}
	h := &fixture{}
	h.authenticate = func(context.Context, media.Token) (media.Viewer, error) {
		return media.Viewer{User: media.User{ID: 42}}, nil
	}
	h.authorize = func(context.Context, media.Viewer, int64) (media.Recording, error) {
		return media.Recording{ID: 7, Title: "Lesson", Location: media.Location{Provider: "local", Key: "k"}}, nil
	}
	h.recheck = func(context.Context, media.Viewer, int64) error { return nil }
	h.stat = func(context.Context, media.Location) (media.Object, error) {
		return media.Object{Provider: "local", ID: "k", Version: "1", Size: size, ModTime: testModified}, nil
	}
	h.open = func(_ context.Context, _ media.Object, span media.Span) (media.Reader, error) {
		return openFileReader(path, span, pieceSize)
	}
	s, err := New(DefaultConfig(), Deps{Access: h, Origins: h, Store: h})
	if err != nil {
		b.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	go s.Serve(ln)
	defer s.Shutdown(context.Background())
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	request := []byte("GET " + streamPath + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer t\r\nRange: bytes=0-\r\n\r\n")
	buf := make([]byte, 256<<10)
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := conn.Write(request); err != nil {
			b.Fatal(err)
		}
		for got, headers := int64(0), int64(-1); headers < 0 || got < headers+size; {
			n, err := conn.Read(buf)
			if err != nil {
				b.Fatal(err)
			}
			if headers < 0 {
				headers = int64(bytes.Index(buf[:n], []byte("\r\n\r\n"))) + 4
			}
			got += int64(n)
		}
	}
}
