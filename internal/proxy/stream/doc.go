// Package stream answers one request for a recording's bytes: GET and HEAD of
// {base}/recordings/{id}/stream/. A Handler lives as long as the server; an exchange
// is one request, and exchange.go is its eight steps in order.
//
// # Differences from net/http's ServeContent
//
// Ranges and preconditions follow RFC 9110 and are compared with ServeContent by
// tests. These differences are deliberate:
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
//   - several If-Match or If-None-Match lines are one list; several lines of Range, If-Range
//     or a date are one invalid value, where ServeContent takes the first
//   - a year of two digits is at most fifty years ahead (section 5.6.7)
//
// # Locks
//
// There are four: registry.mu (the running exchanges), userSlots.mu,
// metadataCache.mu, and one exchange.mu for each exchange, which orders its end
// against an abort. None is held while another is taken, while I/O is done or while
// code of another package runs; under exchange.mu only the connection's deadline is
// set.
package stream
