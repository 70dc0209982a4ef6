package syncer

import (
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
)

// space is the folder of temporary files: bounded, checked for room before anything
// is written, and cleaned. Safe for concurrent use.
type space struct {
	dir            string
	limit, minFree int64

	mu       sync.Mutex
	promised map[int64]int64 // by ingest; guarded by mu
}

func newSpace(dir string, limit, minFree int64) *space {
	return &space{dir: dir, limit: limit, minFree: minFree, promised: map[int64]int64{}}
}

func (s *space) prepare() error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return fmt.Errorf("sync-work-dir: %w", err)
	}
	return nil
}

// folder is where an ingest works.
func (s *space) folder(ingest int64) string {
	return filepath.Join(s.dir, "ingest-"+strconv.FormatInt(ingest, 10))
}

// take promises room for an ingest that may need so many bytes, whose folder is
// held. An ingest larger than the bound may work alone. The promise ends with give.
func (s *space) take(ingest, bytes int64) error {
	const op = "syncer: temporary files"
	s.mu.Lock()
	defer s.mu.Unlock()
	var others int64
	for id, n := range s.promised {
		if id != ingest {
			others += n
		}
	}
	if others > 0 && others+bytes > s.limit {
		return &media.Error{Kind: media.Unavailable, Op: op, Reason: "work_dir_full", RetryAfter: time.Minute, Err: errors.New("other ingests fill the bound of sync-work-size")}
	}
	var fs syscall.Statfs_t
	if err := syscall.Statfs(s.dir, &fs); err == nil {
		// What is there already needs no new room.
		free := int64(fs.Bavail)*fs.Bsize + s.used(ingest)
		if free-others-bytes < s.minFree {
			return &media.Error{Kind: media.Unavailable, Op: op, Reason: "disk_full", RetryAfter: 5 * time.Minute,
				Err: fmt.Errorf("%s are free, %s are needed and %s must stay free", media.Size(free), media.Size(bytes), media.Size(s.minFree))}
		}
	}
	s.promised[ingest] = bytes
	return nil
}

func (s *space) used(ingest int64) (n int64) {
	entries, _ := os.ReadDir(s.folder(ingest))
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			n += info.Size()
		}
	}
	return n
}

// give ends a promise; the files stay for the next try.
func (s *space) give(ingest int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.promised, ingest)
}

// errBusy says that somebody on this machine is at an ingest's files.
var errBusy = errors.New("its files are in use")

// hold is an ingest's folder in the hands of one worker, among all processes of this
// machine: nobody else writes, sweeps or clears it meanwhile.
type hold struct {
	dir  *os.File
	path string
}

// hold takes an ingest's folder, made when it is not there, or gives errBusy.
func (s *space) hold(ingest int64) (*hold, error) {
	const op = "syncer: temporary files"
	path := s.folder(ingest)
	for {
		if err := os.MkdirAll(path, 0o700); err != nil {
			return nil, media.Fault(media.Unavailable, op, err)
		}
		h, err := holdFolder(path)
		if errors.Is(err, os.ErrNotExist) {
			continue // cleared between the two steps
		}
		return h, err
	}
}

func holdFolder(path string) (*hold, error) {
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
	// Whoever held it before may have cleared it: then this is a folder without a name.
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
	return &hold{dir, path}, nil
}

// clear removes the files and the folder, which stays held.
func (h *hold) clear() error { return os.RemoveAll(h.path) }

// release ends the hold; the files stay for the next try.
func (h *hold) release() { h.dir.Close() }

// sweep removes the files of ingests that nobody works on. keep says whether an
// ingest's files may still serve; it is asked while the folder is held, so that
// nobody can begin with them after its answer.
func (s *space) sweep(keep func(ingest int64) (bool, error)) error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		number, ok := strings.CutPrefix(e.Name(), "ingest-")
		id, err := strconv.ParseInt(number, 10, 64)
		if !ok || err != nil {
			continue
		}
		h, err := holdFolder(s.folder(id))
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

// lockFile shows other processes on this machine that this one lives: whoever can
// lock it knows that it does not.
type lockFile struct {
	f    *os.File
	path string
}

func newLockFile(dir, id string) (*lockFile, error) {
	path := filepath.Join(dir, id+".alive")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("sync-work-dir: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("sync-work-dir: %w", err)
	}
	return &lockFile{f, path}, nil
}

// Close ends the sign of life.
func (l *lockFile) Close() {
	_ = os.Remove(l.path)
	l.f.Close()
}

// certainlyDead reports whether a syncer of this machine has ended: its file is here
// and nobody holds it. The file is removed.
func certainlyDead(dir, id string) bool {
	path := filepath.Join(dir, filepath.Base(id)+".alive")
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		return false
	}
	_ = os.Remove(path)
	return true
}
