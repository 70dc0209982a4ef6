//go:build !failpoint

package failpoint

import "io"

// Enabled says whether points have an effect in this build.
const Enabled = false

// Here is a point at which nothing can fail: the process may be delayed or die there.
func Here(string) {}

// HereOf is Here for a point of several operations, which are told apart by of.
func HereOf(_, _ string) {}

// Err is a point in front of an operation that may fail: an error stands for the
// operation's, which is left out.
func Err(string) error { return nil }

// ErrOf is Err for a point in front of several operations, which are told apart by of.
func ErrOf(_, _ string) error { return nil }

// Write writes b to w. It is a point, at which a part may be written only, or nothing.
func Write(_ string, w io.Writer, b []byte) (int, error) { return w.Write(b) }
