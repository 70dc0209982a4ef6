//go:build race

package corkedconn

import "syscall"

// Under the race detector a read has to come after what was written to its connection. The
// package syscall says so in Read, Write and Sendfile, and knows nothing of other calls.

func readNow(fd uintptr, p []byte) (int, error) { return syscall.Read(int(fd), p) }

// beforeSend orders what was done so far before what a peer in this process does once it has
// read what is sent next. The call itself writes nothing: there is no such descriptor.
func beforeSend() { _, _ = syscall.Write(-1, nil) }
