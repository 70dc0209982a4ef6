package simulation

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/lectiospace/lectern/internal/archive"
	"github.com/lectiospace/lectern/internal/media"
)

// objects are what the archive holds. It outlives every process.
type objects struct {
	mu       sync.Mutex
	bytes    map[string][]byte // by key; guarded by mu
	number   int               // of keys given out, and of versions; guarded by mu
	versions map[string]int    // guarded by mu
}

func newObjects() *objects { return &objects{bytes: map[string][]byte{}, versions: map[string]int{}} }

// get is the content of a key, nil for none.
func (o *objects) get(key string) []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.bytes[key]
}

// keys are all keys, in order.
func (o *objects) keys() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Sorted(maps.Keys(o.bytes))
}

func (o *objects) put(key string, data []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.number++
	o.bytes[key], o.versions[key] = data, o.number
}

func (o *objects) remove(key string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.bytes, key)
}

// memoryArchive is the archive as one process sees it.
type memoryArchive struct {
	*objects
	p *process
}

// Provider implements archive.Archive.
func (a memoryArchive) Provider() string { return media.ProviderLocal }

// NewKey implements archive.Archive.
func (a memoryArchive) NewKey(_ context.Context, hint string) (string, error) {
	if err := a.p.step("archive key", hint); err != nil {
		return "", err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.number++
	return fmt.Sprintf("lessons/%s-%d", hint, a.number), nil
}

// Put implements archive.Archive.
func (a memoryArchive) Put(ctx context.Context, item archive.Item) (archive.Stored, error) {
	if err := a.p.step("archive put", item.Key); err != nil {
		return archive.Stored{}, err
	}
	data, err := os.ReadFile(item.Path)
	if err != nil {
		return archive.Stored{}, media.Fault(media.Unavailable, "simulated: put", err)
	}
	if a.get(item.Key) == nil || item.Replace {
		a.put(item.Key, a.p.w.faults.stored(item.Key, data))
	}
	// The bytes are there; a crash now loses the answer.
	a.p.w.faults.aim("put " + item.Key)
	if err := a.p.step("archive put answered", item.Key); err != nil {
		return archive.Stored{}, err
	}
	return a.stored(item.Key)
}

func (a memoryArchive) stored(key string) (archive.Stored, error) {
	data := a.get(key)
	if data == nil {
		return archive.Stored{}, media.Fault(media.NotFound, "simulated: stat", nil)
	}
	sum := md5.Sum(data)
	a.mu.Lock()
	defer a.mu.Unlock()
	return archive.Stored{Key: key, Size: int64(len(data)), MD5: hex.EncodeToString(sum[:]), Version: fmt.Sprint(a.versions[key])}, nil
}

// Stat implements archive.Archive.
func (a memoryArchive) Stat(_ context.Context, key string) (archive.Stored, error) {
	if err := a.p.step("archive stat", key); err != nil {
		return archive.Stored{}, err
	}
	return a.stored(key)
}

// Open implements archive.Archive.
func (a memoryArchive) Open(_ context.Context, key string) (io.ReadCloser, error) {
	if err := a.p.step("archive open", key); err != nil {
		return nil, err
	}
	data := a.get(key)
	if data == nil {
		return nil, media.Fault(media.NotFound, "simulated: open", nil)
	}
	return io.NopCloser(bytes.NewReader(data)), nil
}

// Remove implements archive.Archive.
func (a memoryArchive) Remove(_ context.Context, key string) error {
	if err := a.p.step("archive remove", key); err != nil {
		return err
	}
	a.p.w.noteRemoval(key)
	a.remove(key)
	return a.p.step("archive remove answered", key)
}

// List implements archive.Archive.
func (a memoryArchive) List(ctx context.Context, each func(archive.Stored) error) error {
	if err := a.p.step("archive list", ""); err != nil {
		return err
	}
	for _, key := range a.keys() {
		if data := a.get(key); data != nil && strings.HasPrefix(key, "lessons/") {
			if err := each(archive.Stored{Key: key, Size: int64(len(data))}); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}
