// Command mutate tests the tests: it makes small faults in a package, one at a time, and
// reports those that no test notices.
//
//	go run ./internal/mutate [-list] [-only FILE] [TARGET...]
//
// All mutants of a package are compiled into one test binary, each behind a switch that
// an environment variable turns on: a mutant costs a run of the tests, not a build. The
// mutated source is passed to the compiler by -overlay, so no file of the tree changes.
// Each test is run by itself first, which records the mutants that it reaches; a mutant
// is then run against the tests that reach it, the fastest first.
//
// The mutants (mutants.go) are: a condition that is always true or always false; < for
// <=, and the other way round; another arithmetic operator; a statement left out (call,
// assignment, defer, go, send, break, continue); a result that is zero, an error that is
// swallowed or invented; a field or an element of a literal that is zero; a case that
// never matches; true for false. Calls of a logger are left in, and so are Lock and
// Unlock, whose absence is the race detector's subject.
//
// What survives is a test that is missing, code that is needless, or a mutant that
// behaves like the original. survivors.txt lists the last kind with the reasons; the
// command fails when a survivor is not listed there, or when something is listed that
// does not exist any more. NOTES.md has the figures of the last run.
package main
