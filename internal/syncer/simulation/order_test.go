//go:build !deterministic

package simulation

import "time"

// deterministic says that the runtime is that of the overlay: see the command deterministic.
const deterministic = false

// tags are those that this program is built with.
const tags = ""

// setOrder does nothing: the runtime decides by chance.
func setOrder(uint64) {}

// setWallClock does nothing: all clocks of a bubble are one.
func setWallClock(time.Duration) {}

func wallClock() time.Duration { return 0 }
