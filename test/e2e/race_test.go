//go:build race

package e2e

// raceEnabled builds the binaries under test with the race detector, as the tests are.
const raceEnabled = true
