package conformance

// Proxies is what is known of the proxies of the examples, in the versions of Debian 12: nginx
// 1.22, Caddy 2.6 and HAProxy 2.6. They read these requests in their own way and pass on what
// they have read, so that the gateway sees a valid request or none.
var Proxies = map[string]Theirs{
	"nginx": join(
		because("takes a line without a version as HTTP/0.9, and answers without a status line", "line-version-none", "other-simple"),
		because("takes 1.10 as a version", "line-version-minor-long"),
		because("knows no OPTIONS *", "line-asterisk-options"),
		because("passes a request without Host on without one, as the example's $http_host has it", "host-none-1.0"),
		because("drops fields whose names are no tokens", "field-name-parentheses", "field-name-at", "field-name-brackets", "field-name-quoted", "field-name-slash", "field-name-nonascii", "field-colon-none"),
		because("refuses several lines of a condition", "field-list-lines", "match-lines", "modified-lines", "unmodified-lines", "if-range-lines"),
		because("takes a tab for a part of the value", "length-spaces", "encoding-spaces"),
		because("awaits a body whose length the gateway refuses", "length-overflow-32", "length-large"),
		because("takes LF for CRLF in the chunked coding, and text behind a size and in the trailer section", "chunk-size-two", "chunk-size-lf", "chunk-data-short", "chunk-data-lf", "chunk-trailer-bad", "chunk-trailer-large", "chunk-end-text"),
		because("looks for close within words", "connection-part-of-word"),
		because("answers 405 without Allow", "method-trace", "method-trace-body", "method-connect-path"),
	),
	"caddy": join(
		because("answers 405 without Allow", "line-method-long"),
		because("refuses an empty line before a request", "line-crlf-before"),
		because("passes the host of an address with userinfo on without it", "line-absolute-userinfo"),
		because("answers by its own for a host that is none", "host-percent-bad", "host-port-two", "host-ipv6-open", "host-ipv6-bare", "host-ipv6-bad", "host-ipv6-text-behind"),
		because("drops a field without a name", "field-name-empty"),
		because("takes an empty length for none", "length-empty"),
		because("awaits a body whose length the gateway refuses", "length-overflow-32", "length-large", "chunk-size-overflow-32", "chunk-size-largest"),
		because("keeps a connection after a length beside an encoding, of which it takes the encoding", "encoding-length", "encoding-length-first", "encoding-length-smuggled", "encoding-length-equal", "encoding-length-bad", "encoding-1.0-length"),
		because("takes LF for CRLF in the chunked coding, and CR within a line", "chunk-extension-cr", "chunk-size-lf", "chunk-size-cr-cr"),
		because("keeps a connection of HTTP/1.0 that is to be closed", "connection-1.0-close"),
		because("answers the preface of HTTP/2", "other-h2-preface"),
		because("sends 100 to HTTP/1.0", "expect-1.0"),
		because("answers CONNECT by its own, with 200 and nothing", "method-connect", "method-connect-smuggled"),
	),
	"haproxy": join(
		because("takes other major versions for 1.1", "line-version-2", "line-version-3"),
		because("refuses an address without a path", "line-absolute-query"),
		because("refuses a Host that is not the address's", "line-absolute-host-ignored"),
		because("makes one of two equal lines of Host", "host-two-equal"),
		because("refuses more than a hundred fields", "field-hundred"),
		because("awaits a body whose length the gateway refuses", "length-overflow-32", "length-large", "chunk-size-overflow-32"),
		because("takes LF for CRLF in the chunked coding", "chunk-size-lf", "chunk-data-short", "chunk-data-lf"),
		because("speaks HTTP/2 where the preface comes", "other-h2-preface"),
		because("takes CONNECT for a request without a body", "method-connect-smuggled"),
	),
}

// because gives cases one reason.
func because(why string, ids ...string) Theirs {
	t := Theirs{}
	for _, id := range ids {
		t[id] = why
	}
	return t
}

// join is what is known of one proxy.
func join(all ...Theirs) Theirs {
	joined := Theirs{}
	for _, t := range all {
		for id, why := range t {
			if joined[id] != "" {
				panic("BUG: two reasons for " + id)
			}
			joined[id] = why
		}
	}
	return joined
}
