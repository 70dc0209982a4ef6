//go:build deterministic

package simulation

import (
	"time"
	_ "unsafe" // for go:linkname
)

// deterministic says that the runtime is that of the overlay: see the command deterministic.
const deterministic = true

//go:linkname runtimeState runtime.simulationState
var runtimeState uint64

//go:linkname runtimeWall runtime.simulationWall
var runtimeWall int64

// tags are those that this program is built with.
const tags = "deterministic"

// setOrder makes a seed decide what the runtime decides in bubbles.
func setOrder(seed uint64) { runtimeState = seed<<1 | 1 }

// setWallClock sets by how much the wall clock of the bubble is ahead. Its monotonic clock
// stays.
func setWallClock(ahead time.Duration) { runtimeWall = int64(ahead) }

// wallClock is by how much the wall clock is ahead.
func wallClock() time.Duration { return time.Duration(runtimeWall) }
