// Package differential sends the same random requests for ranges and under conditions to the
// gateway and to other servers of the same file, and compares the answers: status,
// Content-Range and bytes. test/e2e runs it.
//
// The gateway's answers are also held against RFC 9110 itself: see oracle.go. A difference has to be one of the known classes of the server, each of which says who is
// right, and by which section of RFC 9110: see classes.go. Any other difference is a failure.
// An answer that contradicts itself, such as bytes that are not those of its Content-Range,
// is a difference too.
//
// Requests follow from a seed: see Generator.
package differential
