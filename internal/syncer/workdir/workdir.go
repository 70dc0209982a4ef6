// Package workdir is the directory of temporary files that the syncer's jobs share.
package workdir

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

	"github.com/lectiospace/lectern/internal/failpoint"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/queue"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// Dir is the directory of temporary files. Each job has a directory of its own below it, by
// the kind of the job and an id. The size is bounded, room is reserved before anything is
// written, and what no job needs any more is swept. Safe for concurrent use.
type Dir struct {
	dir            string
	limit, minFree int64

	mu       sync.Mutex
	reserved map[Job]int64 // guarded by mu
}

// Job names a job's own directory.
type Job struct {
	Kind string // letters only
	ID   int64
}

// New makes a Dir of at most limit bytes that leaves minFree bytes of the disk free.
func New(dir string, limit, minFree int64) *Dir {
	return &Dir{dir: dir, limit: limit, minFree: minFree, reserved: map[Job]int64{}}
}

// Prepare creates the directory.
func (d *Dir) Prepare() error {
	if err := os.MkdirAll(d.dir, 0o700); err != nil {
		return fmt.Errorf("sync-work-dir: %w", err)
	}
	return nil
}

// Path is a job's directory.
func (d *Dir) Path(job Job) string {
	return filepath.Join(d.dir, job.Kind+"-"+strconv.FormatInt(job.ID, 10))
}

// Responsive returns when the lock of the reservations can be taken, or an error when it
// cannot before ctx ends.
func (d *Dir) Responsive(ctx context.Context) error {
	return queue.LockWithin(ctx, &d.mu, "work directory")
}

// Reserve reserves room for a job that may need so many bytes, whose directory the
// caller has locked. A job larger than the bound may work alone. The reservation
// ends with Unreserve.
func (d *Dir) Reserve(job Job, bytes int64) error {
	const op = "syncer: temporary files"
	d.mu.Lock()
	defer d.mu.Unlock()
	var others int64
	for other, n := range d.reserved {
		if other != job {
			others += n
		}
	}
	if others > 0 && others+bytes > d.limit {
		return &media.Error{Kind: media.Unavailable, Op: op, Reason: store.ReasonWorkDirFull, RetryAfter: time.Minute, Err: errors.New("other jobs fill the bound of sync-work-size")}
	}
	var fs syscall.Statfs_t
	if err := syscall.Statfs(d.dir, &fs); err == nil {
		// What is there already needs no new room.
		free := int64(fs.Bavail)*fs.Bsize + d.used(job)
		if free-others-bytes < d.minFree {
			return &media.Error{Kind: media.Unavailable, Op: op, Reason: store.ReasonDiskFull, RetryAfter: 5 * time.Minute,
				Err: fmt.Errorf("%s are free, %s are needed and %s must stay free", media.Size(free), media.Size(bytes), media.Size(d.minFree))}
		}
	}
	d.reserved[job] = bytes
	return nil
}

func (d *Dir) used(job Job) (n int64) {
	entries, _ := os.ReadDir(d.Path(job))
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			n += info.Size()
		}
	}
	return n
}

// Used is what the directories of a kind hold together, in bytes.
func (d *Dir) Used(kind string) (n int64, err error) {
	entries, err := os.ReadDir(d.dir)
	for _, e := range entries {
		number, ok := strings.CutPrefix(e.Name(), kind+"-")
		if id, err := strconv.ParseInt(number, 10, 64); ok && err == nil {
			n += d.used(Job{kind, id})
		}
	}
	return n, err
}

// LastUsed is when something was last written into a job's directory.
func (d *Dir) LastUsed(job Job) (at time.Time, err error) {
	info, err := os.Stat(d.Path(job))
	if err != nil {
		return at, err
	}
	at = info.ModTime()
	entries, err := os.ReadDir(d.Path(job))
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.ModTime().After(at) {
			at = info.ModTime()
		}
	}
	return at, err
}

// Unreserve ends a reservation; the files stay for the next run.
func (d *Dir) Unreserve(job Job) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.reserved, job)
}

// ErrBusy says that another run on this machine has locked a job's directory.
var ErrBusy = errors.New("its files are in use")

// Lock is the lock on a job's directory, among all processes of this machine: nobody
// else writes, sweeps or clears it meanwhile. The process that has taken it releases it.
type Lock struct {
	dir  *os.File
	path string
}

// Lock locks a job's directory, which is created when it is not there. ErrBusy: another
// run has it.
func (d *Dir) Lock(job Job) (*Lock, error) {
	const op = "syncer: temporary files"
	path := d.Path(job)
	for {
		if err := failpoint.Err("work.make-directory"); err != nil {
			return nil, media.Fault(media.Unavailable, op, err)
		}
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

func lockDir(path string) (*Lock, error) {
	const op = "syncer: temporary files"
	dir, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(dir.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		dir.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, ErrBusy
		}
		return nil, media.Fault(media.Unavailable, op, err)
	}
	// The process that held it before may have cleared it: then this directory has no name.
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
	return &Lock{dir, path}, nil
}

// Clear removes the files and the directory; the lock stays.
func (l *Lock) Clear() error {
	if err := failpoint.Err("work.clear"); err != nil {
		return err
	}
	return os.RemoveAll(l.path)
}

// Release releases the lock; the files stay for the next run.
func (l *Lock) Release() { l.dir.Close() }

// Sweep removes the files of the jobs of a kind that nobody works on. keep says whether a
// job's files may still serve; it is called with the directory locked, so that nobody can
// begin with them after its answer. unused is called with the lock before files are removed.
func (d *Dir) Sweep(kind string, keep func(id int64) (bool, error), unused func(*Lock)) error {
	entries, err := os.ReadDir(d.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		number, ok := strings.CutPrefix(e.Name(), kind+"-")
		id, err := strconv.ParseInt(number, 10, 64)
		if !ok || err != nil {
			continue
		}
		h, err := lockDir(d.Path(Job{kind, id}))
		if errors.Is(err, ErrBusy) || errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		serves, err := keep(id)
		if err == nil && !serves {
			unused(h)
			failpoint.Here("work.sweep")
			err = h.Clear()
		}
		h.Release()
		if err != nil {
			return err
		}
	}
	return nil
}
