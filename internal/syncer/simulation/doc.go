// Package simulation has the tests that run a whole syncer, for weeks of a school's
// recordings, within one bubble of testing/synctest: the clock is fake, Zoom and the archive
// are in memory, the database is SQLite, and one seed decides what happens and what goes
// wrong.
//
// A world is the school, its Zoom, its database and its archive. A process is one life of the
// syncer in it: a crash ends that life at one of its steps (a request, a call of the archive,
// a commit), and the next process finds what the last one has left. Every fault of a request
// or a call is drawn from the seed and the name of that request, not from their order, so that
// the order in which goroutines run matters as little as can be.
//
// When the faults have ceased and reconciliations have run, the invariants are checked: see
// invariants_test.go. NOTES.md has figures. A failing seed is replayed by its number:
//
//	make simulate FROM=4711 SEEDS=1
package simulation
