//go:build failpoint

package failpoint

import (
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"github.com/lectiospace/lectern/internal/failpoint/points"
	"github.com/lectiospace/lectern/internal/failpoint/rules"
)

// Enabled says whether points have an effect in this build.
const Enabled = true

// Here is a point at which nothing can fail: the process may be delayed or die there.
func Here(name string) { _ = ErrOf(name, "") }

// HereOf is Here for a point of several operations, which are told apart by of.
func HereOf(name, of string) { _ = ErrOf(name, of) }

// Err is a point in front of an operation that may fail: an error stands for the
// operation's, which is left out.
func Err(name string) error { return ErrOf(name, "") }

// ErrOf is Err for a point in front of several operations, which are told apart by of.
func ErrOf(name, of string) error { return pass(name, of).Err }

// Write writes b to w. It is a point, at which a part may be written only, or nothing.
func Write(name string, w io.Writer, b []byte) (int, error) {
	e := pass(name, "")
	if e.Err != nil && !e.Partial {
		return 0, e.Err
	}
	if !e.Partial || e.Bytes >= len(b) {
		return w.Write(b)
	}
	if e.Err != nil {
		n, err := w.Write(b[:e.Bytes])
		if err == nil {
			err = e.Err
		}
		return n, err
	}
	torn := make([]byte, len(b))
	copy(torn, b[:e.Bytes])
	return w.Write(torn)
}

// pass passes a point, and does what is the same at all of them.
func pass(name, of string) rules.Effect {
	e, err := configured().Pass(name, of)
	if err != nil {
		fail(err)
	}
	time.Sleep(e.Sleep)
	if e.Kill {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // the signal is on its way
	}
	return e
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "failpoint:", err)
	os.Exit(2)
}

// configured are the rules of the environment.
var configured = rules.OnceFromEnvironment(points.Known, fail)
