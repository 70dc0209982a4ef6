//go:build !race

package catalog

// underRace tells whether the race detector watches.
const underRace = false
