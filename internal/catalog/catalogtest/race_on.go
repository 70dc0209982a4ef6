//go:build race

package catalogtest

// underRace reports whether the race detector watches.
const underRace = true
