// Package proxy is the gateway's public listener: a fasthttp server with a router, a
// drain, an access log, CORS and a limit of failed authentication. Its handlers are
// packages of their own, which it wires: stream, api and pages. fasthttp is used here
// and below only.
//
// What the handlers share stands in small packages: accesslog, contenttype,
// corkedconn, credentials, forwarded, precondition, respond and route. None of them
// imports this package. respond/status.go is the one file that maps errors to HTTP
// statuses.
//
// # Locks
//
// This package has four: Server.mu (the listeners), connTable.mu,
// authFailureLimiter.mu and lockProbe.mu. None is held while another is taken, while
// I/O waits or while code of another package runs, but closing the listeners under
// Server.mu. Those of the streams are listed in package stream.
package proxy
