package cache

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"

	"github.com/lectiospace/lectern/internal/media"
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
	fetch     Fetcher
	log       *slog.Logger
	metrics   *metrics
	disk      disk
	lock      *os.File // flocked as long as the cache is open

	base     context.Context // ends at Close
	cancel   context.CancelFunc
	running  sync.WaitGroup // flights, scan, probe
	closing  sync.Once
	closeErr error

	mu       sync.Mutex
	closed   bool
	scanning bool
	objects  map[objectKey]*object
	policy   policy
	budget   budget
	health   health
	idle     int // open descriptors that nobody uses
	blocks   blockPool
}

// object is what is known of one object's chunks; guarded by Cache.mu.
type object struct {
	key     objectKey
	chunks  map[int64]*chunk  // committed
	filling map[int64]*flight // by the flight that covers them
}

// chunk is one committed chunk file; guarded by Cache.mu.
type chunk struct {
	object *object
	index  int64
	length int64 // of the data
	pins   int   // readers that hold a descriptor
	gone   bool  // evicted or corrupt: no longer in the index
	// verified is true once the file's checksums have been compared since the
	// start, or the file was written by us. checking is closed when a comparison
	// under way has ended.
	verified bool
	checking chan struct{}
	idle     []*os.File

	rank rank // the policy's own
}

func (c *chunk) fileSize() int64 { return headerSize + c.length }

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
	c := &Cache{
		cfg: cfg, chunkSize: int64(cfg.ChunkSize), fetch: fetch, log: log, disk: d, lock: lock,
		scanning: true, objects: map[objectKey]*object{}, policy: newPolicy(int64(cfg.Size)),
	}
	if err := c.clearTemporary(); err != nil {
		lock.Close()
		return nil, fmt.Errorf("cache-dir: %w", err)
	}
	if c.metrics, err = newMetrics(reg, c); err != nil {
		lock.Close()
		return nil, err
	}
	c.base, c.cancel = context.WithCancel(context.Background())
	c.running.Go(c.scan)
	return c, nil
}

// lockDirectory keeps two gateways from sharing a directory. The kernel drops
// the lock with the process, however it ends.
func lockDirectory(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cache-dir: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("cache-dir: %s is in use by another gateway", dir)
	}
	return f, nil
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
		var files []*os.File
		for _, o := range c.objects {
			for _, ch := range o.chunks {
				files = append(files, ch.idle...)
				ch.idle = nil
			}
		}
		c.mu.Unlock()
		for _, f := range files {
			f.Close()
		}
		c.closeErr = c.lock.Close()
	})
	return c.closeErr
}

// Stats is a snapshot for people and metrics.
type Stats struct {
	Bytes, Capacity int64 // of files on disk, headers included
	Chunks          int
	State           string
}

// Stats tells how the cache stands.
func (c *Cache) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := Stats{Bytes: c.budget.used, Capacity: int64(c.cfg.Size), State: c.health.state.String()}
	for _, o := range c.objects {
		s.Chunks += len(o.chunks)
	}
	return s
}

// objectFor finds or makes the entry of a key; c.mu is held.
func (c *Cache) objectFor(key objectKey) *object {
	o := c.objects[key]
	if o == nil {
		o = &object{key: key, chunks: map[int64]*chunk{}, filling: map[int64]*flight{}}
		c.objects[key] = o
	}
	return o
}

// tidy forgets an object that has nothing left; c.mu is held.
func (c *Cache) tidy(o *object) {
	if len(o.chunks) == 0 && len(o.filling) == 0 {
		delete(c.objects, o.key)
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
)

var events = []event{eventHit, eventMiss, eventJoined, eventCommit, eventFailed, eventEvict, eventCorrupt, eventFound, eventBypass}

// commit is the one transition to committed; c.mu is held and the chunk's bytes
// are in the budget. It reports false when the chunk is there already.
func (c *Cache) commit(o *object, index, length int64, verified bool, why event) bool {
	if o.chunks[index] != nil {
		return false
	}
	ch := &chunk{object: o, index: index, length: length, verified: verified}
	o.chunks[index] = ch
	c.policy.added(ch)
	c.metrics.event(why)
	return true
}

// drop is the one transition from committed; c.mu is held. The caller removes
// the file, closes the descriptors that are returned, and then calls freed.
func (c *Cache) drop(ch *chunk, why event) []*os.File {
	if ch.gone {
		return nil
	}
	ch.gone = true
	delete(ch.object.chunks, ch.index)
	c.policy.removed(ch)
	c.metrics.event(why)
	files := ch.idle
	c.idle -= len(files)
	ch.idle = nil
	c.tidy(ch.object)
	return files
}

// erase drops a chunk and its file. c.mu is not held.
func (c *Cache) erase(ch *chunk, why event) {
	c.mu.Lock()
	already := ch.gone
	files := c.drop(ch, why)
	c.mu.Unlock()
	if already {
		return
	}
	c.removeFile(ch, files)
	c.mu.Lock()
	c.budget.used -= ch.fileSize()
	c.mu.Unlock()
}

// removeFile takes a dropped chunk off the disk; c.mu is not held.
func (c *Cache) removeFile(ch *chunk, files []*os.File) {
	for _, f := range files {
		f.Close()
	}
	if err := os.Remove(ch.object.key.path(c.cfg.Dir, ch.index)); err != nil && !os.IsNotExist(err) {
		c.diskFault("remove", err)
	}
}

// probeEvery is how often a sick disk is tried.
const probeEvery = 3 * time.Second
