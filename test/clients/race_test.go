//go:build race

package clients

// raceEnabled builds the gateway with the race detector, as the tests are.
const raceEnabled = true
