//go:build linux && !race

package cache

import "golang.org/x/sys/unix"

// newMemory returns n zero bytes of a mapping of their own. A system that gives none has the
// heap's.
func newMemory(n int64) []byte {
	b, err := unix.Mmap(-1, 0, int(n), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return make([]byte, n)
	}
	return b
}

// populate has the kernel supply all pages at once, which costs less than a page fault for
// each. Kernels before 5.14 do not know it, and supply each when it is written.
func populate(b []byte) { _ = unix.Madvise(b, unix.MADV_POPULATE_WRITE) }

// freeMemory returns what newMemory has returned, all of it; an error is that of memory of the
// heap.
func freeMemory(b []byte) { _ = unix.Munmap(b) }
