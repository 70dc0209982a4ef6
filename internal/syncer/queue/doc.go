// Package queue is the syncer's job queue: the kinds of jobs with their arguments,
// their insertion within a transaction, and the workers that run them. It is the only
// package that imports River.
//
// A Queue is made with New; each kind gets its work with Handle; Open connects it to
// the database's job tables. Jobs can be enqueued and listed from then on, and are
// worked between Start and Stop. All methods are safe for concurrent use after Open.
//
// A job runs at least once: a worker that dies leaves its job to the next. Handlers
// must therefore be able to continue what an earlier attempt has begun.
package queue
