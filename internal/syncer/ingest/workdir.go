package ingest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/queue"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// workDir is the directory of temporary files: its size is bounded, room is reserved
// before anything is written, and what no ingest needs any more is swept. Safe for concurrent use.
type workDir struct {
	dir            string
	limit, minFree int64

	mu       sync.Mutex
	reserved map[int64]int64 // by ingest; guarded by mu
}

func newWorkDir(dir string, limit, minFree int64) *workDir {
	return &workDir{dir: dir, limit: limit, minFree: minFree, reserved: map[int64]int64{}}
}

func (d *workDir) prepare() error {
	if err := os.MkdirAll(d.dir, 0o700); err != nil {
		return fmt.Errorf("sync-work-dir: %w", err)
	}
	return nil
}

// path is an ingest's directory.
func (d *workDir) path(ingest int64) string {
	return filepath.Join(d.dir, "ingest-"+strconv.FormatInt(ingest, 10))
}

// reserve reserves room for an ingest that may need so many bytes, whose directory the
// caller has locked. An ingest larger than the bound may work alone. The reservation
// ends with unreserve.
func (d *workDir) reserve(ingest, bytes int64) error {
	const op = "syncer: temporary files"
	d.mu.Lock()
	defer d.mu.Unlock()
	var others int64
	for id, n := range d.reserved {
		if id != ingest {
			others += n
		}
	}
	if others > 0 && others+bytes > d.limit {
		return &media.Error{Kind: media.Unavailable, Op: op, Reason: store.ReasonWorkDirFull, RetryAfter: time.Minute, Err: errors.New("other ingests fill the bound of sync-work-size")}
	}
	var fs syscall.Statfs_t
	if err := syscall.Statfs(d.dir, &fs); err == nil {
		// What is there already needs no new room.
		free := int64(fs.Bavail)*fs.Bsize + d.used(ingest)
		if free-others-bytes < d.minFree {
			return &media.Error{Kind: media.Unavailable, Op: op, Reason: store.ReasonDiskFull, RetryAfter: 5 * time.Minute,
				Err: fmt.Errorf("%s are free, %s are needed and %s must stay free", media.Size(free), media.Size(bytes), media.Size(d.minFree))}
		}
	}
	d.reserved[ingest] = bytes
	return nil
}

func (d *workDir) used(ingest int64) (n int64) {
	entries, _ := os.ReadDir(d.path(ingest))
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			n += info.Size()
		}
	}
	return n
}

// unreserve ends a reservation; the files stay for the next run.
func (d *workDir) unreserve(ingest int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.reserved, ingest)
}

// errBusy says that another run on this machine has locked an ingest's directory.
var errBusy = errors.New("its files are in use")

// workDirLock is the lock on an ingest's directory, among all processes of this
// machine: nobody else writes, sweeps or clears it meanwhile. Whoever has taken it
// releases it.
type workDirLock struct {
	dir  *os.File
	path string
}

// lock locks an ingest's directory, which is created when it is not there. errBusy:
// another run has it.
func (d *workDir) lock(ingest int64) (*workDirLock, error) {
	const op = "syncer: temporary files"
	path := d.path(ingest)
	for {
		if err := os.MkdirAll(path, 0o700); err != nil {
			return nil, media.Fault(media.Unavailable, op, err)
		}
		h, err := lockDir(path)
		if errors.Is(err, os.ErrNotExist) {
			continue // cleared between the two steps
		}
		return h, err
	}
}

func lockDir(path string) (*workDirLock, error) {
	const op = "syncer: temporary files"
	dir, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(dir.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		dir.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errBusy
		}
		return nil, media.Fault(media.Unavailable, op, err)
	}
	// Whoever held it before may have cleared it: then this directory has no name.
	mine, err := dir.Stat()
	if err == nil {
		var named os.FileInfo
		if named, err = os.Stat(path); err == nil && !os.SameFile(mine, named) {
			err = os.ErrNotExist
		}
	}
	if err != nil {
		dir.Close()
		return nil, err
	}
	return &workDirLock{dir, path}, nil
}

// clear removes the files and the directory; the lock stays.
func (l *workDirLock) clear() error { return os.RemoveAll(l.path) }

// release releases the lock; the files stay for the next run.
func (l *workDirLock) release() { l.dir.Close() }

// sweep removes the files of ingests that nobody works on. keep says whether an
// ingest's files may still serve; it is called with the directory locked, so that
// nobody can begin with them after its answer.
func (d *workDir) sweep(keep func(ingest int64) (bool, error)) error {
	entries, err := os.ReadDir(d.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		number, ok := strings.CutPrefix(e.Name(), "ingest-")
		id, err := strconv.ParseInt(number, 10, 64)
		if !ok || err != nil {
			continue
		}
		h, err := lockDir(d.path(id))
		if errors.Is(err, errBusy) || errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		serves, err := keep(id)
		if err == nil && !serves {
			err = h.clear()
		}
		h.release()
		if err != nil {
			return err
		}
	}
	return nil
}

// Sweep removes temporary files that no ingest needs any more: those of ingests that
// nobody works on and no job is queued for. One that is archived already may have a
// job too, since a segment came later.
func (s *Ingester) Sweep(ctx context.Context) error {
	return s.work.sweep(func(id int64) (serves bool, err error) {
		err = s.deps.Store.View(ctx, "syncer: sweep", func(x store.Session) error {
			i, err := store.LoadIngest(ctx, x, id, false)
			if err != nil {
				return ignoreNotFound(err)
			}
			if serves = i.Lease != ""; !serves {
				serves, err = store.JobQueued(ctx, x, queue.IngestArgs{}.Kind(), "ingest_id", id)
			}
			return err
		})
		return serves, err
	})
}
