package corkedconn

import (
	"syscall"
	"unsafe"
)

// sendNow is send(2), and readNow read(2), of a socket that does not block, for a few KiB.
// They are over within a microsecond, so that the scheduler is not told of them: telling it
// costs as much again, and may take the processor away. A call that can wait must not be made
// like this; sendfile_linux.go says when sendfile(2) can.
func sendNow(fd uintptr, p []byte, flags int) (int, error) {
	n, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), uintptr(flags), 0, 0)
	return result(n, errno)
}

func result(n uintptr, errno syscall.Errno) (int, error) {
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
