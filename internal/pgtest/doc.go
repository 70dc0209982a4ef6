// Package pgtest runs throw-away PostgreSQL clusters for tests.
//
// Start gives a fresh database in a cluster that all tests of one process
// share; StartServer gives a cluster of one's own that can be stopped and
// started again, to rehearse outages. Both listen on a Unix socket and on a
// free port of 127.0.0.1, trust everybody, and skip fsync: nothing in them is
// meant to survive.
//
// PostgreSQL refuses to run as root, so a test run by root starts it as the
// user postgres or nobody. Each cluster has a small shell as its guardian,
// whose standard input is a pipe only the test process holds: however the test
// ends, even by kill -9, the pipe closes, the guardian stops the server and
// removes its directory.
package pgtest
