package local_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/lectiospace/lectern/internal/archive"
	"github.com/lectiospace/lectern/internal/archive/archivetest"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/origin/local"
)

func TestArchive(t *testing.T) {
	archivetest.Conformance(t, func(t *testing.T) (archive.Archive, func(string) []byte) {
		root := filepath.Join(t.TempDir(), "recordings")
		a, err := local.NewArchive(local.Config{Root: root})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := a.Close(); err != nil {
				t.Error(err)
			}
		})
		return a, func(key string) []byte {
			data, err := os.ReadFile(filepath.Join(root, key))
			if err != nil {
				t.Fatal(err)
			}
			return data
		}
	})
}

// TestArchiveKeepsBelowItsRoot: a key cannot lead out, and what an operator put
// into the folder is not listed as a syncer's.
func TestArchiveKeepsBelowItsRoot(t *testing.T) {
	dir := t.TempDir()
	root := filepath.Join(dir, "recordings")
	a, err := local.NewArchive(local.Config{Root: root})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	for _, key := range []string{"../escaped.mp4", "/escaped.mp4", "lessons/../../escaped.mp4"} {
		if _, err := a.Put(t.Context(), archivetest.Item(t, key, 10, 1)); err == nil {
			t.Errorf("%s was taken", key)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "mine.mp4"), []byte("an operator's"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := a.List(t.Context(), func(s archive.Stored) error { t.Errorf("listed: %s", s.Key); return nil }); err != nil {
		t.Error(err)
	}
	if _, err := a.Stat(t.Context(), "lessons"); media.KindOf(err) != media.NotFound {
		t.Errorf("a folder that is not there: %v", err)
	}
}

// TestAnArchivedVersionIsTheOrigins: what is recorded of archived bytes is looked up by the
// version that the origin states when they are played.
func TestAnArchivedVersionIsTheOrigins(t *testing.T) {
	cfg := local.Config{Root: filepath.Join(t.TempDir(), "recordings")}
	a, err := local.NewArchive(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	o, err := local.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	for seed := range byte(2) {
		item := archivetest.Item(t, "lessons/2026/1-a.mp4", 1000, seed)
		item.Replace = seed > 0
		stored, err := a.Put(t.Context(), item)
		if err != nil {
			t.Fatal(err)
		}
		obj, err := o.Stat(t.Context(), media.Location{Provider: media.ProviderLocal, Key: stored.Key})
		if err != nil || obj.Version != stored.Version {
			t.Errorf("the archive says version %q, the origin %q, %v", stored.Version, obj.Version, err)
		}
	}
}

// TestRemoveAfterAKill: what a process that was killed has left of an upload goes with the key
// that is given up, although no file has that name yet.
func TestRemoveAfterAKill(t *testing.T) {
	root := filepath.Join(t.TempDir(), "recordings")
	a, err := local.NewArchive(local.Config{Root: root})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	key, err := a.NewKey(t.Context(), "1.mp4")
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(root, filepath.Dir(key))
	if err := os.MkdirAll(folder, 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "."+filepath.Base(key)+".partial"), []byte("half of it"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := a.Remove(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
		t.Errorf("left in the folder: %v, %v", left, err)
	}
}
