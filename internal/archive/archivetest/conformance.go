// Package archivetest holds what every archive.Archive must do.
package archivetest

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/lectiospace/lectern/internal/archive"
	"github.com/lectiospace/lectern/internal/media"
)

// Item writes size bytes of a seed to a file and makes an item of it.
func Item(t *testing.T, key string, size int, seed byte) archive.Item {
	t.Helper()
	data := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(data)
	path := filepath.Join(t.TempDir(), "item.mp4")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	sum := md5.Sum(data)
	return archive.Item{
		Key: key, Path: path, Size: int64(size), MD5: hex.EncodeToString(sum[:]), Name: "a lesson.mp4",
		SaveSession: func(string) error { return nil },
	}
}

// opened reads an object back.
func opened(t *testing.T, a archive.Archive, key string) []byte {
	t.Helper()
	r, err := a.Open(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		t.Fatal(err)
	}
	return data
}

// Conformance runs the suite; open gives an archive of its own, and read the bytes
// that lie under a key.
func Conformance(t *testing.T, open func(t *testing.T) (a archive.Archive, read func(key string) []byte)) {
	put := func(t *testing.T, a archive.Archive, item archive.Item) archive.Stored {
		t.Helper()
		stored, err := a.Put(t.Context(), item)
		if err != nil {
			t.Fatal(err)
		}
		return stored
	}
	key := func(t *testing.T, a archive.Archive) string {
		t.Helper()
		k, err := a.NewKey(t.Context(), "7")
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	list := func(t *testing.T, a archive.Archive) (keys []string) {
		t.Helper()
		if err := a.List(t.Context(), func(s archive.Stored) error { keys = append(keys, s.Key); return nil }); err != nil {
			t.Fatal(err)
		}
		return keys
	}

	t.Run("what is put is there", func(t *testing.T) {
		a, read := open(t)
		for _, size := range []int{1, 300_000, 3 << 20} {
			item := Item(t, key(t, a), size, byte(size))
			stored := put(t, a, item)
			want, _ := os.ReadFile(item.Path)
			if !stored.Same(item.Size, item.MD5) || !bytes.Equal(read(item.Key), want) {
				t.Errorf("%d bytes: stored %+v", size, stored)
			}
			if got := opened(t, a, item.Key); !bytes.Equal(got, want) {
				t.Errorf("%d bytes: %d other bytes are read back", size, len(got))
			}
			if again, err := a.Stat(t.Context(), item.Key); err != nil || again.Key != item.Key || !again.Same(item.Size, item.MD5) {
				t.Errorf("%d bytes: stat %+v, %v", size, again, err)
			}
			obj, err := a.(archive.Identifier).Identify(t.Context(), item.Key)
			if err != nil || obj.Version != stored.Version || obj.Size != item.Size || obj.ModTime.IsZero() || obj.Location() != (media.Location{Provider: a.Provider(), Key: item.Key}) {
				t.Errorf("%d bytes: identified as %+v, %v", size, obj, err)
			}
		}
		if n := len(list(t, a)); n != 3 {
			t.Errorf("%d objects are listed", n)
		}
	})
	t.Run("twice is once", func(t *testing.T) {
		a, _ := open(t)
		item := Item(t, key(t, a), 400_000, 1)
		first := put(t, a, item)
		if second := put(t, a, item); second.Version != first.Version {
			t.Errorf("the same bytes made version %q of %q", second.Version, first.Version)
		}
		if keys := list(t, a); len(keys) != 1 {
			t.Errorf("listed: %v", keys)
		}
	})
	t.Run("a new version under the same key", func(t *testing.T) {
		a, read := open(t)
		item := Item(t, key(t, a), 400_000, 1)
		first := put(t, a, item)
		next := Item(t, item.Key, 500_000, 2)
		next.Replace = true
		second := put(t, a, next)
		want, _ := os.ReadFile(next.Path)
		if second.Key != first.Key || second.Version == first.Version || !bytes.Equal(read(item.Key), want) {
			t.Errorf("%+v became %+v", first, second)
		}
		if keys := list(t, a); len(keys) != 1 {
			t.Errorf("listed: %v", keys)
		}
	})
	t.Run("what is removed is gone", func(t *testing.T) {
		a, _ := open(t)
		item := Item(t, key(t, a), 1000, 1)
		put(t, a, item)
		for range 2 {
			if err := a.Remove(t.Context(), item.Key); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := a.Stat(t.Context(), item.Key); media.KindOf(err) != media.NotFound {
			t.Errorf("stat: %v", err)
		}
		if keys := list(t, a); len(keys) != 0 {
			t.Errorf("listed: %v", keys)
		}
	})
	t.Run("nothing is there at first", func(t *testing.T) {
		a, _ := open(t)
		if _, err := a.Stat(t.Context(), key(t, a)); media.KindOf(err) != media.NotFound {
			t.Errorf("stat: %v", err)
		}
		if keys := list(t, a); len(keys) != 0 {
			t.Errorf("listed: %v", keys)
		}
	})
}
