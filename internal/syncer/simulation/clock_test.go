package simulation

import (
	"syscall"
	"time"
)

// realNow is the machine's clock, also within the bubble.
func realNow() time.Time {
	var now syscall.Timeval
	if err := syscall.Gettimeofday(&now); err != nil {
		panic(err)
	}
	return time.Unix(now.Unix())
}
