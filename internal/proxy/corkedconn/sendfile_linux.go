package corkedconn

import (
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/lectiospace/lectern/internal/media"
)

// The scheduler is told of a system call that may block, and hands the processor to another
// thread when the call takes longer than some 20 microseconds. Half a megabyte takes longer
// to send and blocks nobody, because the socket does not block; the threads that take the
// processor over and give it back cost more than that gains. Where the file's bytes come
// from the disk it has to be told: the processor would stand still with the call, and with a
// few of them the program.

// sendfileAtOnce is sendfile(2) without the scheduler's knowledge, for bytes that are
// resident.
func sendfileAtOnce(fd, from int, off *int64, n int) (int, error) {
	sent, _, errno := syscall.RawSyscall6(unix.SYS_SENDFILE, uintptr(fd), uintptr(from), uintptr(unsafe.Pointer(off)), uintptr(n), 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(sent), nil
}

// trustFor is for how long a file that was found wholly in the page cache is taken to be there. A
// player's next piece, or the next viewer's, is mostly of such a file, and to ask costs a tenth
// of sending it. Where memory is short the kernel may evict it sooner, or was reading it still: a
// send that takes longer than refutedBy, many times what a turn takes from memory, ends the trust.
const (
	trustFor  = time.Second
	refutedBy = 5 * time.Millisecond
)

// wholeResident reports whether all bytes of a file are in the page cache, by what is remembered of it.
func wholeResident(fd int, residency *media.Residency, now time.Time) bool {
	yes, known := residency.Found(now, trustFor)
	if known {
		return yes
	}
	size, ok := sizeOf(fd)
	yes = ok && size > 0
	if yes {
		yes, _ = resident(fd, 0, size)
	}
	residency.Set(now, yes)
	return yes
}

// sizeOf is fstat(2) of a file that is open, which waits for nothing: without the scheduler's
// knowledge. A single call of which it is told wakes its monitor thread, which then looks about every 20
// microseconds for a while: for a gateway that mostly waits that costs more than the call.
func sizeOf(fd int) (size int64, ok bool) {
	var stat unix.Stat_t
	_, _, errno := syscall.RawSyscall(unix.SYS_FSTAT, uintptr(fd), uintptr(unsafe.Pointer(&stat)), 0)
	return stat.Size, errno == 0
}

// resident reports whether n bytes of a file, one at least, are in the page cache, and
// whether the kernel says so at all. cachestat(2), since Linux 6.5, also counts pages that
// are still being read from the disk; preadv2(2) with RWF_NOWAIT does not read the last byte
// from such a page. What the kernel evicts after this is read from the disk, as memory that
// it has paged out would be.
func resident(fd int, off, n int64) (yes, known bool) {
	span := unix.CachestatRange{Off: uint64(off), Len: uint64(n)}
	var found unix.Cachestat_t
	_, _, errno := syscall.RawSyscall6(unix.SYS_CACHESTAT, uintptr(fd), uintptr(unsafe.Pointer(&span)), uintptr(unsafe.Pointer(&found)), 0, 0, 0)
	if errno != 0 {
		return false, false
	}
	page, last := int64(os.Getpagesize()), off+n-1
	if int64(found.Cache) < last/page-off/page+1 {
		return false, true
	}
	var b [1]byte
	into := unix.Iovec{Base: &b[0]}
	into.SetLen(len(b))
	got, _, errno := syscall.RawSyscall6(unix.SYS_PREADV2, uintptr(fd), uintptr(unsafe.Pointer(&into)), 1, uintptr(last), uintptr(last>>32), unix.RWF_NOWAIT)
	return got == 1 && errno == 0, true
}
