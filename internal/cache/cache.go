package cache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/lectiospace/lectern/internal/cache/eviction"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/prometheus/client_golang/prometheus"
)

// Fetcher reads a bounded span of exactly one version of an object: span.Len
// bytes and then io.EOF, or an error with a Kind. ctx rules the whole body.
type Fetcher interface {
	Open(ctx context.Context, obj media.Object, span media.Span) (io.ReadCloser, error)
}

// Cache is the disk cache. Safe for concurrent use.
type Cache struct {
	cfg       Config
	chunkSize int64
	origin    Fetcher
	log       *slog.Logger
	metrics   *metrics
	disk      disk
	// probeEvery is how often a sick disk is tried.
	probeEvery time.Duration
	lock       *os.File // flocked as long as the cache is open

	queued   chan struct{}   // as many as chunks that are to be written
	writing  chan struct{}   // as many as those that are being written
	scanDone chan struct{}   // closed when the scan is done
	base     context.Context // ends at Close
	cancel   context.CancelFunc
	running  sync.WaitGroup // flights, scan, probe
	closing  sync.Once
	closeErr error

	mu           sync.Mutex
	closed       bool
	scanning     bool
	index        index
	fds          fdCache
	policy       eviction.Policy
	budget       budget
	health       health
	buffers      bufferPool
	fetchMetrics *fetchMetrics
	emptyFolders []objectKey // whose folders are empty, and still in the budget
}

// New opens the cache: it takes the directory's lock, removes what a crash left
// half written, and starts reading what is there in the background.
func New(cfg Config, fetch Fetcher, log *slog.Logger, reg prometheus.Registerer) (*Cache, error) {
	return newCache(cfg, fetch, log, reg, realDisk{})
}

func newCache(cfg Config, fetch Fetcher, log *slog.Logger, reg prometheus.Registerer, d disk) (*Cache, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(cfg.Dir, "chunks"), 0o700); err != nil {
		return nil, fmt.Errorf("cache-dir: %w", err)
	}
	lock, err := lockDirectory(cfg.Dir)
	if err != nil {
		return nil, err
	}
	_ = lock.Truncate(0) // what an earlier holder has said of itself
	c := &Cache{
		cfg: cfg, chunkSize: int64(cfg.ChunkSize), origin: fetch, log: log, disk: d, lock: lock,
		scanDone: make(chan struct{}), writing: make(chan struct{}, writers), queued: make(chan struct{}, queueFor(int64(cfg.Memory), int64(cfg.ChunkSize))), probeEvery: probeEvery,
		scanning: true, index: newIndex(int64(cfg.ChunkSize)), fds: fdCache{entries: map[chunkID]*fdEntry{}},
		buffers: bufferPool{limit: int64(cfg.Memory)},
	}
	c.policy = eviction.New(int(int64(cfg.Size)/int64(cfg.ChunkSize)), c.index.number)
	if err := c.clearTemporary(); err != nil {
		lock.Close()
		return nil, fmt.Errorf("cache-dir: %w", err)
	}
	if c.metrics, err = newMetrics(reg, c); err != nil {
		lock.Close()
		return nil, err
	}
	if c.fetchMetrics, err = newFetchMetrics(reg, c); err != nil {
		lock.Close()
		return nil, err
	}
	c.base, c.cancel = context.WithCancel(context.Background())
	c.running.Go(c.scan)
	c.running.Go(c.watchMinFree)
	if cfg.ScrubRate > 0 {
		c.running.Go(c.scrub)
	}
	return c, nil
}

func (c *Cache) tmpDir() string { return filepath.Join(c.cfg.Dir, "tmp") }

func (c *Cache) clearTemporary() error {
	if err := os.RemoveAll(c.tmpDir()); err != nil {
		return err
	}
	return os.Mkdir(c.tmpDir(), 0o700)
}

// Close stops all flights, waits for them and gives the directory back. Readers
// still open get errors. It may be called twice.
func (c *Cache) Close() error {
	c.closing.Do(func() {
		c.mu.Lock()
		c.closed = true
		c.mu.Unlock()
		c.cancel()
		c.running.Wait()
		c.mu.Lock()
		var files []*openFile
		for _, h := range c.fds.entries {
			files = append(files, c.fds.discard(h))
		}
		c.mu.Unlock()
		closeFiles(files...)
		c.closeErr = c.lock.Close()
	})
	return c.closeErr
}

// tidy forgets an object that has nothing left; c.mu is held. Its folder goes with
// the next removal, or before the next fill.
func (c *Cache) dropIfEmpty(o *object) {
	if len(o.ids) > 0 || len(o.filling) > 0 || c.index.objects[o.key] != o {
		return
	}
	c.index.forget(o)
	if o.hasFolder {
		c.emptyFolders = append(c.emptyFolders, o.key)
	}
}

// event names a transition of a chunk, or how a look-up went.
type event string

const (
	eventHit     event = "hit"     // found committed
	eventMiss    event = "miss"    // absent, a flight was started
	eventJoined  event = "joined"  // found filling
	eventCommit  event = "commit"  // filling → committed
	eventFailed  event = "failed"  // filling → absent
	eventEvict   event = "evict"   // committed → absent, for room
	eventCorrupt event = "corrupt" // committed → absent, did not hold what it should
	eventFound   event = "found"   // absent → committed, from an earlier run
	eventBypass  event = "bypass"  // filled without being stored
	eventPurge   event = "purge"   // committed → absent, because somebody said so
)

var events = []event{eventHit, eventMiss, eventJoined, eventCommit, eventFailed, eventEvict, eventCorrupt, eventFound, eventBypass, eventPurge}

// commit is the one transition to committed; c.mu is held and the chunk's bytes
// are in the budget. It reports false when the chunk is there already.
func (c *Cache) commit(o *object, index, length int64, verified blockSet, why event, a eviction.Arrival) bool {
	if c.index.find(o, index) != 0 || !c.index.takes(o, index, length) {
		return false
	}
	id := c.index.add(o, index, length, verified)
	a.Edge = a.Edge || index == 0 || length < c.chunkSize
	c.policy.Admit(id, a)
	c.metrics.event(why)
	return true
}

// removal is what is left to do for a chunk that has left the index: its file is
// still on the disk, and in the budget.
type removal struct {
	key   objectKey
	index int64
	file  *openFile // nil when there is none to close
	bytes int64
}

// drop is the one transition from committed; c.mu is held. The caller hands what
// comes out to remove.
func (c *Cache) drop(id chunkID, why event) removal {
	o := c.index.objectOf(id)
	gone := removal{key: o.key, index: c.index.at(id), bytes: footprint(c.index.length(id)), file: c.fds.remove(id)}
	c.policy.Remove(id) // asks the index for the chunk's object
	c.index.remove(id)
	c.metrics.event(why)
	c.dropIfEmpty(o)
	return gone
}

// remove takes dropped chunks off the disk; c.mu is not held. What cannot be
// removed stays in the budget, because it stays on the disk.
func (c *Cache) remove(gone ...removal) {
	freed := int64(0)
	for _, r := range gone {
		closeFiles(r.file)
		if err := os.Remove(r.key.path(c.cfg.Dir, r.index)); err != nil && !errors.Is(err, os.ErrNotExist) {
			c.diskFault("remove", err)
			continue
		}
		freed += r.bytes
	}
	c.mu.Lock()
	c.budget.used -= freed
	c.mu.Unlock()
	c.removeFolders()
}

// removeFolders takes the folders off the disk that have become empty; c.mu is
// not held.
func (c *Cache) removeFolders() {
	c.mu.Lock()
	emptied := c.emptyFolders
	c.emptyFolders = nil
	c.mu.Unlock()
	if len(emptied) == 0 {
		return
	}
	for _, key := range emptied {
		_ = os.Remove(key.folder(c.cfg.Dir)) // unless a new chunk is in it, which pays for it
	}
	c.mu.Lock()
	c.budget.used -= int64(len(emptied)) * folderFootprint
	c.mu.Unlock()
}

// closeFiles closes those that are there.
func closeFiles(files ...*openFile) {
	for _, f := range files {
		if f != nil {
			f.file.Close()
		}
	}
}

// erase drops the chunk of a handle and its file. c.mu is not held.
func (c *Cache) removeChunk(g *fdEntry, why event) {
	c.mu.Lock()
	if g.removed {
		c.mu.Unlock()
		return
	}
	gone := c.drop(g.id, why)
	c.mu.Unlock()
	c.remove(gone)
}
