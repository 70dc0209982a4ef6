package local_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/origin/local"
	"github.com/lectiospace/lectern/internal/origin/origintest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func folder(t *testing.T, files map[string][]byte) (*local.Origin, string) {
	t.Helper()
	root := filepath.Join(t.TempDir(), "recordings")
	o, err := local.New(local.Config{Root: root})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.Close() })
	for key, data := range files {
		path := filepath.Join(root, key)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return o, root
}

func TestConformance(t *testing.T) {
	files := map[string][]byte{"a.mp4": bytes.Repeat([]byte("lesson "), 5000), "group/урок 1.MP4": []byte("x"), "empty.mp4": {}}
	o, _ := folder(t, files)
	origintest.Conformance(t, o, media.ProviderLocal, files)
	if obj, _ := o.Stat(t.Context(), media.Location{Provider: media.ProviderLocal, Key: "group/урок 1.MP4"}); obj.ContentType != "video/mp4" {
		t.Errorf("content type %q", obj.ContentType)
	}
}

// TestNothingOutside: no key leads out of the root, and none to what is no file.
func TestNothingOutside(t *testing.T) {
	o, root := folder(t, map[string][]byte{"a.mp4": []byte("inside")})
	secret := filepath.Join(filepath.Dir(root), "secret.mp4")
	if err := os.WriteFile(secret, []byte("outside"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"absolute": secret, "relative": "../secret.mp4", "folder": ".."} {
		if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(root, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"", ".", "..", "../secret.mp4", "x/../../secret.mp4", secret, "absolute", "relative", "folder/secret.mp4", "fifo", "a.mp4/b", "a.mp4\x00", `..\secret.mp4`, "/a.mp4"} {
		if obj, err := o.Stat(t.Context(), media.Location{Provider: media.ProviderLocal, Key: key}); media.KindOf(err) != media.NotFound {
			t.Errorf("%q: %+v, %v", key, obj, err)
		}
	}
}

// TestReaderGivesTheFileInPlace: pieces are the file itself, where sendfile begins.
func TestReaderGivesTheFileInPlace(t *testing.T) {
	o, root := folder(t, map[string][]byte{"a.mp4": []byte("0123456789")})
	obj, err := o.Stat(t.Context(), media.Location{Provider: media.ProviderLocal, Key: "a.mp4"})
	if err != nil {
		t.Fatal(err)
	}
	r, err := o.Reader(t.Context(), obj, media.Span{Off: 2, Len: 6})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var got []byte
	for {
		p, err := r.Next(t.Context(), 4)
		if err == io.EOF {
			break
		}
		if err != nil || p.File == nil || p.Len > 4 {
			t.Fatalf("%+v, %v", p, err)
		}
		part, _ := io.ReadAll(io.NewSectionReader(p.File, p.Off, p.Len))
		got = append(got, part...)
	}
	if string(got) != "234567" || r.Status() != media.CacheBypass {
		t.Errorf("%q, %v", got, r.Status())
	}

	// A file that is rewritten in place is another version, also for a reader that
	// holds it open.
	r, err = o.Reader(t.Context(), obj, obj.Span())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.Next(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "a.mp4"), []byte("abcdefghij"), 0o600); err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(time.Second)
	if err := os.Chtimes(filepath.Join(root, "a.mp4"), later, later); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(t.Context(), 2); media.KindOf(err) != media.Changed {
		t.Errorf("after the change: %v", err)
	}
	if _, err := o.Reader(t.Context(), obj, obj.Span()); media.KindOf(err) != media.Changed {
		t.Errorf("opened after the change: %v", err)
	}
}
