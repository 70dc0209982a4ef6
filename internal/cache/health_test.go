package cache

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"
)

// TestDiskErrors: which errors the next write would get as well.
func TestDiskErrors(t *testing.T) {
	for _, e := range []syscall.Errno{
		syscall.ENOSPC, syscall.EDQUOT, syscall.EIO, syscall.EROFS, syscall.EACCES, syscall.EPERM, syscall.EMFILE, syscall.ENFILE,
	} {
		if got := diskEventOf(fmt.Errorf("write: %w", &os.PathError{Op: "write", Path: "x", Err: e})); got != writeFault {
			t.Errorf("%v is no fault", e)
		}
	}
	for _, err := range []error{errSlow, syscall.EINTR, syscall.ENOENT, errors.New("odd")} {
		if got := diskEventOf(err); got != writeSlip {
			t.Errorf("%v: event %d, want a slip", err, got)
		}
	}
}

func TestDiskStateNames(t *testing.T) {
	for _, c := range []struct {
		state    diskState
		name     string
		writable bool
	}{{diskOK, "ok", true}, {diskSuspect, "suspect", true}, {diskBypass, "bypass", false}, {diskProbing, "probing", false}} {
		if c.state.String() != c.name || c.state.writable() != c.writable {
			t.Errorf("%s, writable %v; want %s, %v", c.state, c.state.writable(), c.name, c.writable)
		}
	}
}
