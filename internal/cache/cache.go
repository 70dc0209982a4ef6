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

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lectiospace/lectern/internal/cache/eviction"
	"github.com/lectiospace/lectern/internal/failpoint"
	"github.com/lectiospace/lectern/internal/media"
)

// Fetcher reads a bounded span of exactly one version of an object: span.Len
// bytes and then io.EOF, or an error with a Kind. ctx governs the whole body.
type Fetcher interface {
	Open(ctx context.Context, obj media.Object, span media.Span) (io.ReadCloser, error)
}

// Cache is the disk cache. It is safe for concurrent use.
type Cache struct {
	cfg       Config
	chunkSize int64
	origin    Fetcher
	log       *slog.Logger
	metrics   *metrics
	disk      disk
	// probeEvery is how often the disk is probed in bypass.
	probeEvery time.Duration
	lock       *os.File // the directory lock, held as long as the cache is open
	lockProbe  lockProbe

	scanDone chan struct{}   // closed at the end of the start-up scan
	base     context.Context // ends at Close
	cancel   context.CancelFunc
	running  sync.WaitGroup // fetches, writes, scan, scrub, probe
	closing  sync.Once
	// usualPriority is done once a writer's priority could not be lowered.
	usualPriority sync.Once
	closeErr      error

	// mu guards what follows, and what the comments of other types say.
	mu           sync.Mutex
	closed       bool
	scanning     scanState
	index        index
	fds          fdCache
	keys         knownKeys
	policy       eviction.Policy
	budget       budget
	health       health
	buffers      bufferPool
	gapped       gapped
	writes       writeQueue
	emptyFolders []objectKey               // of forgotten objects; they exist, and count against the budget
	removing     map[chunkAddress]struct{} // chunks that have left the index, and whose files are being removed
}

// New opens the cache: it takes the directory lock, deletes temporary files, and
// starts the scan of what an earlier run has left. Close must be called. Errors name
// the setting that is wrong.
func New(cfg Config, origin Fetcher, log *slog.Logger, reg prometheus.Registerer) (*Cache, error) {
	return newCache(cfg, origin, log, reg, realDisk{})
}

func newCache(cfg Config, origin Fetcher, log *slog.Logger, reg prometheus.Registerer, d disk) (*Cache, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	if err := failpoint.Err("cache.make-directory"); err != nil {
		return nil, fmt.Errorf("cache-dir: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(cfg.Dir, "chunks"), 0o700); err != nil {
		return nil, fmt.Errorf("cache-dir: %w", err)
	}
	lock, err := lockDirectory(cfg.Dir)
	if err != nil {
		return nil, err
	}
	_ = lock.Truncate(0) // the record of an earlier owner
	size, chunkSize, memory := int64(cfg.Size), int64(cfg.ChunkSize), int64(cfg.Memory)
	c := &Cache{
		cfg: cfg, chunkSize: chunkSize, origin: origin, log: log, disk: d, lock: lock, probeEvery: probeEvery,
		scanDone: make(chan struct{}), scanning: scanState{running: true}, index: newIndex(chunkSize), fds: fdCache{entries: map[chunkID]*fdEntry{}}, keys: knownKeys{},
		removing: map[chunkAddress]struct{}{},
		buffers:  bufferPool{limit: memory}, writes: newWriteQueue(memory, chunkSize),
	}
	c.policy = eviction.New(int(size/chunkSize), c.index.number)
	if err := c.clearTemporary(); err != nil {
		lock.Close()
		return nil, fmt.Errorf("cache-dir: %w", err)
	}
	if c.metrics, err = newMetrics(reg, c); err != nil {
		lock.Close()
		return nil, err
	}
	c.base, c.cancel = context.WithCancel(context.Background())
	c.measureFree(here)                    // from now on the writers do
	c.startBackground(new(ioClock)).stop() // what the system refuses is in the log of the start
	c.running.Go(c.scan)
	c.running.Go(c.watchMinFree)
	c.running.Go(c.trimBuffers)
	if cfg.ScrubRate > 0 {
		c.running.Go(c.scrub)
	}
	return c, nil
}

func (c *Cache) tmpDir() string { return filepath.Join(c.cfg.Dir, "tmp") }

func (c *Cache) clearTemporary() error {
	if err := failpoint.Err("cache.clear-temp"); err != nil {
		return err
	}
	if err := os.RemoveAll(c.tmpDir()); err != nil {
		return err
	}
	if err := failpoint.Err("cache.make-temp"); err != nil {
		return err
	}
	return os.Mkdir(c.tmpDir(), 0o700)
}

const (
	// closeGrace is how long Close writes chunks that wait for a writer. The others are
	// dropped: a cache loses nothing that is not fetched again.
	closeGrace = 3 * time.Second
	// hungGrace is how long Close waits for I/O that is under way after that.
	hungGrace = 5 * time.Second
)

// errHung is why Close has not closed the cache.
var errHung = errors.New("cache: the disk does not answer; the directory stays locked until the process ends")

// Close stops all fetches, waits for them, and releases the directory lock. Readers
// that are still open get errors. It takes closeGrace and hungGrace at most: an error
// means that the disk hangs, and that what hangs may still write to the directory, which
// stays locked. It may be called twice.
func (c *Cache) Close() error {
	c.closing.Do(func() {
		c.mu.Lock()
		c.closed = true
		c.mu.Unlock()
		c.cancel()
		if !c.waitForEnd() {
			c.closeErr = errHung
			return
		}
		closeFiles(c.discardFiles()...)
		c.closeBuffers()
		c.closeErr = c.lock.Close()
	})
	return c.closeErr
}

// waitForEnd reports whether all goroutines have ended.
func (c *Cache) waitForEnd() bool {
	ended := make(chan struct{})
	go func() {
		c.running.Wait()
		close(ended)
	}()
	for _, step := range []struct {
		grace time.Duration
		then  func()
	}{{closeGrace, c.closeWrites}, {hungGrace, func() {}}} {
		timer := time.NewTimer(step.grace)
		select {
		case <-ended:
			timer.Stop()
			return true
		case <-timer.C:
			step.then()
		}
	}
	return false
}

// closeWrites ends the writing of chunks that wait for a writer.
func (c *Cache) closeWrites() {
	c.mu.Lock()
	c.writes.closed = true
	c.mu.Unlock()
	if n := c.dropWrites(); n > 0 {
		c.log.Warn("cache: closed before all chunks were written", slog.Int("chunks", n))
	}
}

// discardFiles empties the fd cache, and returns the files to close.
func (c *Cache) discardFiles() (files []*openFile) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.fds.entries {
		files = append(files, c.fds.discard(e))
	}
	return files
}
