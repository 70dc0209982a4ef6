package conformance

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// Level is how strongly an RFC requires what a case wants (RFC 2119).
type Level uint8

// The levels. May is for what an RFC leaves open and a server has to decide.
const (
	Must Level = iota
	Should
	May
)

// String implements fmt.Stringer.
func (l Level) String() string { return [...]string{"MUST", "SHOULD", "MAY"}[l] }

// Case is one requirement: see the package's documentation.
type Case struct {
	ID      string
	Section string // of the RFC: "9112 6.3"
	Level   Level
	Send    string // with the placeholders of Subject.expand
	Want    string
}

// Half reports whether the request is incomplete: no probe follows, and the client closes its
// side of the connection.
func (c Case) Half() bool { return strings.HasPrefix(c.ID, "half-") }

// Cases returns the whole table.
func Cases() []Case {
	return slices.Concat(Framing(), conditions, ranges, answers)
}

// Framing returns the cases of which bytes are a request.
func Framing() []Case {
	return slices.Concat(requestLines, hosts, fields, lengths, encodings, chunks, connections, methods)
}

// Encodings returns the cases of Transfer-Encoding.
func Encodings() []Case { return encodings }

// Subject is what the cases ask for: a stream of the gateway whose content is known.
type Subject struct {
	Stream   string // path of the stream
	Playback string // path that takes POST, with any body, and answers 201
	Host     string // value of Host
	Token    string // opens both
	Content  []byte // 1000 bytes
	ETag     string // strong, with its quotes
	Modified time.Time
}

// expand replaces the placeholders of a case.
func (s *Subject) expand(text string) string {
	date := func(d time.Duration, layout string) string { return s.Modified.Add(d).UTC().Format(layout) }
	length := len(strings.ReplaceAll(smuggled, "{host}", s.Host))
	const imf = "Mon, 02 Jan 2006 15:04:05 GMT"
	return strings.NewReplacer(
		"{stream}", s.Stream, "{playback}", s.Playback, "{host}", s.Host,
		"{auth}", "Authorization: Bearer "+s.Token+"\r\n", "{etag}", s.ETag, "{size}", strconv.Itoa(len(s.Content)),
		"{length}", strconv.Itoa(length), "{length+5}", strconv.Itoa(length+5), "{length hex}", strconv.FormatInt(int64(length), 16),
		"{modified}", date(0, imf), "{later}", date(time.Hour, imf), "{earlier}", date(-time.Hour, imf),
		"{rfc850}", date(0, "Monday, 02-Jan-06 15:04:05 GMT"), "{asctime}", date(0, "Mon Jan _2 15:04:05 2006"),
		"{rfc850 earlier}", date(-time.Hour, "Monday, 02-Jan-06 15:04:05 GMT"), "{asctime earlier}", date(-time.Hour, "Mon Jan _2 15:04:05 2006"),
		"{unzoned}", date(0, "Mon, 02 Jan 2006 15:04:05"),
	).Replace(text)
}

// Beginnings of requests. get and head ask for the stream and post is a request with a body;
// the fields of a case follow.
const (
	get  = "GET {stream} HTTP/1.1\r\nHost: {host}\r\n{auth}"
	head = "HEAD {stream} HTTP/1.1\r\nHost: {host}\r\n{auth}"
	post = "POST {playback} HTTP/1.1\r\nHost: {host}\r\n{auth}"
	end  = "\r\n"
	// smuggled is a request where a body is.
	smuggled = "GET /smuggled HTTP/1.1\r\nHost: {host}\r\n\r\n"
)

// What many cases want.
const (
	refused = "400 close"
	ok      = "200 keep whole"
	created = "201 keep"
)
