// Package pgtest runs throw-away PostgreSQL clusters for tests.
//
// Start creates a database in a cluster that all tests of one process share; StartServer
// starts a cluster of the test's own that can be stopped and started again, to test
// outages. Both listen on a Unix socket and on a free port of 127.0.0.1, need no password,
// and run without fsync: nothing in them outlives the test.
//
// PostgreSQL refuses to run as root, so a test run by root starts it as the
// user postgres or nobody. Each cluster has a shell as its supervisor, whose standard input
// is a pipe that only the test process has open: however the test ends, even by kill -9,
// the pipe closes, and the supervisor stops the server and removes its directory.
package pgtest
