//go:build race

package simulation

// slow: the race detector makes SQLite, which is Go here, ten times as slow.
const slow = true
