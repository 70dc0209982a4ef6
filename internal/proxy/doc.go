// Package proxy is the HTTP face of the gateway and the only room that knows
// fasthttp. It turns one request into one exchange: admission, credentials, the
// access decision, the object's identity, preconditions, ranges, and a body that
// is written straight to the socket, from files with sendfile(2).
//
// The way of one exchange stands in exchange.go and reads from top to bottom.
// What an exchange needs from the rest of the house it asks of the small
// interfaces in server.go, so that it knows no catalog, no cache and no origin.
//
// # What differs from net/http's ServeContent
//
// Ranges and preconditions follow RFC 9110 and are held against ServeContent by
// tests. On purpose we differ here:
//
//   - a malformed Range, or one whose first exceeds its last, is ignored (200);
//     ServeContent answers 416
//   - a number too large for 64 bits counts as beyond the end; ServeContent
//     calls it malformed
//   - the range unit is compared without regard to case (section 14.1)
//   - a sign is no digit: "bytes=+1-2" is malformed
//   - an empty object answers 416 to a range; ServeContent answers 200, or 206
//     with the range 0--1 to a suffix
//   - the suffix "-0" is not satisfiable; ServeContent sends an empty part
//   - more than 16 ranges are answered with the whole
//   - HEAD ignores Range (section 14.2); ServeContent answers 206
//   - several If-Match or If-None-Match lines are one list
//
// # Locks
//
// There are three, and none is held while another is taken, while I/O is done or
// while somebody else's code runs: running.mu (the table of exchanges),
// userSlots.mu and connTable.mu. exchange.mu orders the end of an exchange
// against being cut; under it only the connection's deadline is set.
package proxy
