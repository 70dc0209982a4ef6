package simulation

import (
	"sync"
	"syscall"
	"time"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// realNow is the machine's clock, also within the bubble.
func realNow() time.Time {
	var now syscall.Timeval
	if err := syscall.Gettimeofday(&now); err != nil {
		panic(err)
	}
	return time.Unix(now.Unix())
}

// setDatabaseClock makes SQLite read Go's clock, which in a bubble is the fake one: the job
// library leaves many times to the database.
var setDatabaseClock = sync.OnceFunc(func() {
	tls := libc.NewTLS()
	defer tls.Close()
	vfs := sqlite3.Xsqlite3_vfs_find(tls, 0)
	(*sqlite3.Tsqlite3_vfs)(pointer(vfs)).FxCurrentTimeInt64 = *(*uintptr)(unsafe.Pointer(&struct {
		f func(*libc.TLS, uintptr, uintptr) int32
	}{databaseTime}))
})

// julianUnixEpoch is the Unix epoch as SQLite counts: milliseconds since noon of
// -4713-11-24.
const julianUnixEpoch = 24405875 * 8640000

// databaseTime is SQLite's xCurrentTimeInt64.
func databaseTime(_ *libc.TLS, _, out uintptr) int32 {
	*(*int64)(pointer(out)) = julianUnixEpoch + time.Now().UnixMilli()
	return sqlite3.SQLITE_OK
}

// pointer is an address in SQLite's memory, which is not Go's.
func pointer(address uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&address)) }
