// Package conformance is a table of what RFC 9110 and RFC 9112 require of an HTTP/1.1 server
// in framing, conditions and ranges, and what runs it. test/e2e runs it against the gateway,
// bare and behind reverse proxies.
//
// # A case
//
// A Case is the bytes of a request, the section and the level of the requirement, and the
// answers that are acceptable. Behind its bytes follows a probe, a valid request with an
// answer of its own, in the same segment. It shows whether the server read the case to its
// end and no further: a server that keeps the connection has to answer the probe, one that
// refuses the case must not see a request in what follows.
//
// Each case is sent three times: first on a connection, behind another request in the same
// segment, and in small pieces. A parser may take another path each time.
//
// # What is acceptable
//
// Case.Want has alternatives, separated by " | ". Each is a list of conditions:
//
//	200, 4xx      the status of the last answer to the case
//	keep, close   the probe is answered; the connection ends without an answer to the probe
//	silent        the connection ends without any answer
//	n=2           how many final answers the case has, 1 unless said otherwise
//	interim       a 100 came first; !interim: none did
//	whole, none   the body is the whole content; is empty
//	bytes=0-9     Content-Range and body are these bytes
//	parts=0-0,5-6 multipart/byteranges of these ranges, in this order
//	unsatisfied   Content-Range is "bytes */SIZE"
//	+Name, !Name  the field is there, is not there
//	Name~text     the field contains the text
//
// What holds for every answer (its framing, Date, Allow of a 405) is checked for every answer:
// see faultsOf.
//
// # Boundaries behind a proxy
//
// A Tap between a proxy and the gateway records what passes. The proxies send a request only
// after the answer to the one before it, so each turn of the connection is one request in the
// proxy's view. The gateway has to give exactly one answer in each turn: more means that it
// saw a request in what the proxy sent as a body, which is how requests are smuggled.
package conformance
