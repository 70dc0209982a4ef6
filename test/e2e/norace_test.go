//go:build !race

package e2e

// raceEnabled is false: a campaign of thousands of recordings is run without the race
// detector.
const raceEnabled = false
