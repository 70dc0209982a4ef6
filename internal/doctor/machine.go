package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lectiospace/lectern/internal/media"
)

// DataDir checks the data directory.
func (r *Report) DataDir(dir string) { r.WritableDir(nameDataDir, "data-dir", dir) }

// WritableDir checks that files can be made in dir, or that dir can be made: it
// tries with a file that is removed again, because modes alone do not show
// read-only file systems, quotas and containers. A directory that is not there
// yet is not created.
func (r *Report) WritableDir(check, setting, dir string) bool {
	there, err := nearest(dir)
	if err == nil {
		err = tryFile(there)
	}
	switch {
	case err != nil:
		r.fail(check, fmt.Sprintf("give the user this runs as (uid %d) the right to write there, or set %s to another directory", os.Getuid(), setting), "%s cannot be written: %v", dir, reason(err))
		return false
	case there != filepath.Clean(dir):
		r.pass(check, "%s is not there yet and can be made", dir)
	default:
		r.pass(check, "%s can be written", dir)
	}
	return true
}

// nearest is dir itself or the closest directory above it that exists.
func nearest(dir string) (string, error) {
	dir = filepath.Clean(dir)
	for {
		info, err := os.Stat(dir)
		switch {
		case err == nil && info.IsDir():
			return dir, nil
		case err == nil:
			return "", &fs.PathError{Op: "stat", Path: dir, Err: syscall.ENOTDIR}
		case !errors.Is(err, fs.ErrNotExist) || filepath.Dir(dir) == dir:
			return "", err
		}
		dir = filepath.Dir(dir)
	}
}

func tryFile(dir string) error {
	f, err := os.CreateTemp(dir, ".lectern-doctor-")
	if err != nil {
		return err
	}
	_, err = f.Write([]byte("lectern"))
	return errors.Join(err, f.Close(), os.Remove(f.Name()))
}

// reason is an error without the name of a temporary file in it.
func reason(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// usageTimeout bounds how long the files of a directory are counted.
const usageTimeout = 5 * time.Second

// Space compares the free space below dir with what is wanted of it. used returns what of it is
// taken already by the one who wants it, and is called only where that matters: a large
// directory is not counted within the time of a check. keep is to stay free.
func (r *Report) Space(ctx context.Context, check, fix, dir string, want media.Size, used func() media.Size, keep media.Size) {
	there, err := nearest(dir)
	var st unix.Statfs_t
	if err == nil {
		err = unix.Statfs(there, &st)
	}
	if err != nil {
		r.fail(check, fix, "the free space of %s cannot be measured: %v", dir, reason(err))
		return
	}
	free := media.Size(int64(st.Bavail) * st.Bsize)
	if free <= keep {
		r.fail(check, "free some space, or lower the floor: nothing can be stored", "%s has %s free, and %s are to stay free", dir, rough(free), rough(keep))
		return
	}
	missing := want
	if missing > free-keep {
		counted := make(chan media.Size, 1)
		go func() { counted <- used() }()
		select {
		case n := <-counted:
			missing -= n
		case <-ctx.Done():
			missing = 0
		case <-time.After(usageTimeout):
			missing = 0
		}
	}
	switch {
	case missing > free-keep:
		r.warn(check, fix, "%s has %s free; up to %s more are wanted, and %s are to stay free", dir, rough(free), rough(missing), rough(keep))
	default:
		r.pass(check, "%s has %s free", dir, rough(free))
	}
}

// rough writes a size for people.
func rough(s media.Size) string {
	switch {
	case s >= 10<<30:
		return fmt.Sprintf("%d GiB", s>>30)
	case s >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(s)/(1<<30))
	case s >= 1<<20:
		return fmt.Sprintf("%d MiB", s>>20)
	default:
		return fmt.Sprintf("%d bytes", s)
	}
}

// OpenFiles compares the limit of open files with what is needed at most.
func (r *Report) OpenFiles(need int, forWhat string) {
	const check = nameOpenFiles
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		r.warn(check, "", "the limit cannot be read: %v", err)
		return
	}
	// Go raises the soft limit to the hard one at start.
	if limit.Max < uint64(need) {
		r.warn(check, fmt.Sprintf("raise it: LimitNOFILE=%d in the unit, or ulimit -Hn", need), "the limit is %d; %s may need %d", limit.Max, forWhat, need)
		return
	}
	r.pass(check, "the limit of %d is enough for %s", limit.Max, forWhat)
}

// Listeners checks that both addresses can be listened on. One that is taken is well when
// running says that the program itself answers there.
func (r *Report) Listeners(listen, adminListen string, running func() bool) {
	r.listener(nameListen, "listen", listen, running)
	r.listener(nameAdminListen, "admin-listen", adminListen, running)
}

func (r *Report) listener(check, setting, address string, running func() bool) {
	ln, err := net.Listen("tcp", address)
	switch {
	case err == nil:
		ln.Close()
		r.pass(check, "%s is free", address)
	case errors.Is(err, syscall.EADDRINUSE) && running():
		r.pass(check, "%s is in use, and the program runs", address)
	case errors.Is(err, syscall.EADDRINUSE):
		r.fail(check, "stop what listens there, or set "+setting+" to another address", "%s is in use by another program", address)
	default:
		var op *net.OpError
		if errors.As(err, &op) {
			err = op.Err
		}
		r.fail(check, "set "+setting+" to an address of this machine and a port this user may open", "%s cannot be listened on: %v", address, err)
	}
}

// clockTolerance is the clock difference that tokens and signed timestamps allow.
const clockTolerance = 30 * time.Second

// clockTimeout bounds a request for a server's date.
const clockTimeout = 8 * time.Second

// Clock compares our clock with a server's Date header, which has whole seconds.
// asked is when the request was sent. Beyond limit the check fails: webhooks are refused
// as too old, or as of the future.
func (r *Report) Clock(server string, date, asked, answered time.Time, limit time.Duration) {
	const check = nameClock
	if date.IsZero() {
		return
	}
	var off time.Duration
	switch {
	case date.Add(time.Second).Before(asked):
		off = asked.Sub(date.Add(time.Second))
	case date.After(answered):
		off = date.Sub(answered)
	}
	if off > limit {
		r.fail(check, "set the clock by NTP: webhooks are accepted within zoom-webhook-tolerance only, sign-ins within 60 s, and tokens expire by it", "this machine and %s differ by %s, more than %s", server, off.Round(time.Second), limit)
		return
	}
	if off > clockTolerance {
		r.warn(check, "set the clock by NTP: tokens expire by it", "this machine and %s differ by %s", server, off.Round(time.Second))
		return
	}
	r.pass(check, "agrees with %s", server)
}

// serverClock compares our clock with that of the server of a URL. It returns the error of a
// server that cannot be reached.
func (r *Report) serverClock(ctx context.Context, url string, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, clockTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, url, nil)
	if err != nil {
		return nil // the check of the configuration reports it
	}
	asked := time.Now()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	res.Body.Close()
	if date, err := http.ParseTime(res.Header.Get("Date")); err == nil {
		r.Clock(req.URL.Host, date, asked, time.Now(), limit)
	}
	return nil
}
