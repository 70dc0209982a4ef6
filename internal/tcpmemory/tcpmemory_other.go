//go:build !linux

package tcpmemory

// Bound knows nothing here.
func Bound() int64 { return 0 }

// Used knows nothing here.
func Used() (used int64, known bool) { return 0, false }

// GroupLimit knows nothing here.
func GroupLimit() int64 { return 0 }
