package conformance

import (
	"fmt"
	"strings"
)

// ranges are cases of RFC 9110 section 14. A server may ignore any Range; this one supports
// them, and then the bytes have to be those that Content-Range names.
var ranges = []Case{
	{"range-first", "9110 14.2", Should, get + "Range: bytes=0-0\r\n\r\n", "206 keep bytes=0-0 +ETag +Cache-Control"},
	{"range-middle", "9110 14.2", Should, get + "Range: bytes=100-199\r\n\r\n", "206 keep bytes=100-199"},
	{"range-last", "9110 14.2", Should, get + "Range: bytes=999-999\r\n\r\n", "206 keep bytes=999-999"},
	{"range-open", "9110 14.1.2", Should, get + "Range: bytes=990-\r\n\r\n", "206 keep bytes=990-999"},
	{"range-open-all", "9110 14.1.2", Should, get + "Range: bytes=0-\r\n\r\n", "206 keep bytes=0-999"},
	{"range-all", "9110 14.1.2", Should, get + "Range: bytes=0-999\r\n\r\n", "206 keep bytes=0-999"},
	{"range-clamped", "9110 14.1.2", Should, get + "Range: bytes=990-1000\r\n\r\n", "206 keep bytes=990-999"},
	{"range-clamped-far", "9110 14.1.2", Should, get + "Range: bytes=990-99999999\r\n\r\n", "206 keep bytes=990-999"},
	{"range-suffix", "9110 14.1.2", Should, get + "Range: bytes=-10\r\n\r\n", "206 keep bytes=990-999"},
	{"range-suffix-one", "9110 14.1.2", Should, get + "Range: bytes=-1\r\n\r\n", "206 keep bytes=999-999"},
	{"range-suffix-all", "9110 14.1.2", Should, get + "Range: bytes=-1000\r\n\r\n", "206 keep bytes=0-999"},
	{"range-suffix-longer", "9110 14.1.2", Should, get + "Range: bytes=-1001\r\n\r\n", "206 keep bytes=0-999"},
	{"range-suffix-zero", "9110 14.1.2", Should, get + "Range: bytes=-0\r\n\r\n", "416 keep unsatisfied"},
	{"range-leading-zeros", "9110 14.1.1", Should, get + "Range: bytes=0000-0009\r\n\r\n", "206 keep bytes=0-9"},
	{"range-beyond", "9110 15.5.17", Should, get + "Range: bytes=1000-\r\n\r\n", "416 keep unsatisfied"},
	{"range-beyond-closed", "9110 15.5.17", Should, get + "Range: bytes=1000-1005\r\n\r\n", "416 keep unsatisfied"},
	{"range-beyond-several", "9110 15.5.17", Should, get + "Range: bytes=1000-,2000-2001,-0\r\n\r\n", "416 keep unsatisfied"},
	{"range-overflow-first", "9110 14.1.2", Should, get + "Range: bytes=99999999999999999999-\r\n\r\n", "416 keep unsatisfied"},
	{"range-overflow-wrap", "9110 14.1.2", Must, get + "Range: bytes=18446744073709551616-18446744073709551625\r\n\r\n", "416 keep unsatisfied | 200 keep whole"},
	{"range-overflow-wrap-signed", "9110 14.1.2", Must, get + "Range: bytes=9223372036854775808-\r\n\r\n", "416 keep unsatisfied | 200 keep whole"},
	{"range-overflow-last", "9110 14.1.2", Should, get + "Range: bytes=990-99999999999999999999\r\n\r\n", "206 keep bytes=990-999"},
	{"range-overflow-last-64", "9110 14.1.2", Should, get + "Range: bytes=990-18446744073709551615\r\n\r\n", "206 keep bytes=990-999"},
	{"range-overflow-suffix", "9110 14.1.2", Should, get + "Range: bytes=-99999999999999999999\r\n\r\n", "206 keep bytes=0-999"},
	{"range-overflow-long", "9110 14.1.2", Must, get + "Range: bytes=" + strings.Repeat("9", 1000) + "-\r\n\r\n", "416 keep unsatisfied | 200 keep whole"},
	{"range-reversed", "9110 14.1.1", Must, get + "Range: bytes=5-4\r\n\r\n", "200 keep whole | 416 keep | 400"},
	{"range-reversed-overflow", "9110 14.1.1", Must, get + "Range: bytes=99999999999999999999-0\r\n\r\n", "200 keep whole | 416 keep | 400"},
	{"range-letters", "9110 14.2", Must, get + "Range: bytes=a-b\r\n\r\n", "200 keep whole | 416 keep | 400"},
	{"range-hex", "9110 14.2", Must, get + "Range: bytes=0x0-0x9\r\n\r\n", "200 keep whole | 416 keep | 400"},
	{"range-plus", "9110 14.2", Must, get + "Range: bytes=+0-+9\r\n\r\n", "200 keep whole | 416 keep | 400"},
	{"range-minus", "9110 14.2", Must, get + "Range: bytes=--10\r\n\r\n", "200 keep whole | 416 keep | 400"},
	{"range-point", "9110 14.2", Must, get + "Range: bytes=0.0-9\r\n\r\n", "200 keep whole | 416 keep | 400"},
	{"range-dash", "9110 14.2", Must, get + "Range: bytes=-\r\n\r\n", "200 keep whole | 416 keep | 400"},
	{"range-number", "9110 14.2", Must, get + "Range: bytes=5\r\n\r\n", "200 keep whole | 416 keep | 400"},
	{"range-nothing", "9110 14.2", Must, get + "Range: bytes=\r\n\r\n", "200 keep whole | 416 keep | 400"},
	{"range-empty", "9110 14.2", Must, get + "Range:\r\n\r\n", "200 keep whole | 416 keep | 400"},
	{"range-no-unit", "9110 14.2", Must, get + "Range: 0-9\r\n\r\n", "200 keep whole | 416 keep | 400"},
	{"range-unit-only", "9110 14.2", Must, get + "Range: bytes\r\n\r\n", "200 keep whole | 416 keep | 400"},
	{"range-colon", "9110 14.2", Must, get + "Range: bytes:0-9\r\n\r\n", "200 keep whole | 416 keep | 400"},
	{"range-text-behind", "9110 14.2", Must, get + "Range: bytes=0-9x\r\n\r\n", "200 keep whole | 416 keep | 400"},
	{"range-three", "9110 14.2", Must, get + "Range: bytes=0-1-2\r\n\r\n", "200 keep whole | 416 keep | 400"},
	{"range-nonascii", "9110 14.2", Must, get + "Range: bytes=\xd9\xa0-\r\n\r\n", "200 keep whole | 416 keep | 400"},
	{"range-list-one-bad", "9110 14.2", Must, get + "Range: bytes=0-0,x\r\n\r\n", "200 keep whole | 416 keep | 400"},
	{"range-lines", "9110 5.3", Must, get + "Range: bytes=0-0\r\nRange: bytes=5-5\r\n\r\n", "200 keep whole | 416 keep | 400"},
	{"range-unit-unknown", "9110 14.2", Must, get + "Range: items=0-9\r\n\r\n", ok},
	{"range-unit-prefix", "9110 14.2", Must, get + "Range: bytesx=0-9\r\n\r\n", ok},
	{"range-unit-none", "9110 14.2", Must, get + "Range: none=0-9\r\n\r\n", ok},
	{"range-unit-case", "9110 14.1", Should, get + "Range: Bytes=0-9\r\n\r\n", "206 keep bytes=0-9"},
	{"range-spaces", "9110 14.1.1", May, get + "Range: bytes= 0-9\r\n\r\n", "206 keep bytes=0-9 | 200 keep whole | 416"},
	{"range-spaces-within", "9110 14.1.1", May, get + "Range: bytes=0 - 9\r\n\r\n", "206 keep bytes=0-9 | 200 keep whole | 416"},
	{"range-spaces-unit", "9110 14.1.1", May, get + "Range: bytes =0-9\r\n\r\n", "206 keep bytes=0-9 | 200 keep whole | 416"},
	{"range-several", "9110 15.3.7.2", Should, get + "Range: bytes=0-0,5-6\r\n\r\n", "206 keep parts=0-0,5-6 !Content-Range"},
	{"range-several-spaces", "9110 5.6.1", Should, get + "Range: bytes=0-0 ,\t 5-6\r\n\r\n", "206 keep parts=0-0,5-6 !Content-Range"},
	{"range-several-empty", "9110 5.6.1.2", Must, get + "Range: bytes=,0-0,,5-6,\r\n\r\n", "206 keep parts=0-0,5-6 !Content-Range"},
	{"range-several-forms", "9110 15.3.7.2", Should, get + "Range: bytes=0-1,500-501,-2\r\n\r\n", "206 keep parts=0-1,500-501,998-999"},
	{"range-several-descending", "9110 15.3.7.2", Should, get + "Range: bytes=500-501,0-1\r\n\r\n", "206 keep parts=500-501,0-1"},
	{"range-several-one-beyond", "9110 15.3.7.2", Must, get + "Range: bytes=0-1,1000-\r\n\r\n", "206 keep bytes=0-1 | 206 keep parts=0-1"},
	{"range-one-in-list", "9110 15.3.7.2", Must, get + "Range: bytes=0-1,\r\n\r\n", "206 keep bytes=0-1"},
	{"range-overlapping", "9110 14.2", Should, get + "Range: bytes=0-9,5-14\r\n\r\n", "206 keep parts=0-9,5-14 | 206 keep bytes=0-14 | 200 keep whole | 416"},
	{"range-overlapping-many", "9110 17.15", Should, get + "Range: bytes=" + strings.Repeat("0-,", 100) + "0-\r\n\r\n", "200 keep whole | 206 keep bytes=0-999 | 416"},
	{"range-many-small", "9110 17.15", Should, get + "Range: bytes=0-0" + strings.Repeat(",2-2", 300) + "\r\n\r\n", "200 keep whole | 416 keep | 400"},
	// The gateway answers up to sixteen ranges.
	{"range-sixteen", "9110 14.2", May, get + "Range: bytes=" + everySecond(16) + "\r\n\r\n", "206 keep parts=" + everySecond(16)},
	{"range-seventeen", "9110 14.2", May, get + "Range: bytes=" + everySecond(17) + "\r\n\r\n", "200 keep whole"},
	{"range-head", "9110 14.2", Must, head + "Range: bytes=0-9\r\n\r\n", "200 keep none !Content-Range"},
	{"range-head-beyond", "9110 14.2", Must, head + "Range: bytes={size}-\r\n\r\n", "200 keep none !Content-Range"},
	{"range-post", "9110 14.2", Must, post + "Range: bytes=0-0\r\nContent-Length: 0\r\n\r\n", "201 keep !Content-Range"},
	{"range-missing", "9110 14.2", Must, "GET /api/recordings/0/stream/ HTTP/1.1\r\nHost: {host}\r\n{auth}Range: bytes=0-0\r\n\r\n", "404 keep !Content-Range"},
	{"range-encoding", "9110 14.2", Should, get + "Range: bytes=0-9\r\nAccept-Encoding: gzip, br\r\n\r\n", "206 keep bytes=0-9 !Content-Encoding"},
	{"range-body", "9112 6", Must, get + "Range: bytes=0-9\r\nContent-Length: {length}\r\n\r\n" + smuggled, "206 keep bytes=0-9 | 4xx close"},
}

// answers are cases of what answers have to hold, beside what is checked of every answer.
var answers = []Case{
	{"answer-length", "9110 8.6", Should, get + end, "200 keep whole Content-Length~1000 !Transfer-Encoding"},
	{"answer-length-head", "9110 8.6", Must, head + end, "200 keep none Content-Length~1000"},
	{"answer-validators", "9110 8.8", Should, get + end, "200 keep whole +ETag +Last-Modified"},
	{"answer-accept-ranges", "9110 14.3", May, get + end, "200 keep whole Accept-Ranges~bytes"},
	{"answer-vary", "9110 12.5.5", Should, get + end, "200 keep whole Vary~Authorization"},
	{"answer-type", "9110 8.3", Should, get + end, "200 keep whole Content-Type~video/mp4"},
	{"answer-partial-fields", "9110 15.3.7", Must, get + "Range: bytes=0-0\r\n\r\n", "206 keep bytes=0-0 +ETag +Cache-Control +Vary"},
	{"answer-partial-length", "9110 15.3.7", Must, get + "Range: bytes=0-9\r\n\r\n", "206 keep bytes=0-9 Content-Length~10"},
	{"answer-unsatisfied", "9110 15.5.17", Should, get + "Range: bytes=5000-\r\n\r\n", "416 keep unsatisfied"},
	{"answer-challenge", "9110 15.5.2", Must, "GET {stream} HTTP/1.1\r\nHost: {host}\r\n\r\n", "401 keep WWW-Authenticate~Bearer"},
	{"answer-missing", "9110 15.5.5", Should, "GET /api/recordings/0/stream/ HTTP/1.1\r\nHost: {host}\r\n{auth}\r\n", "404 keep"},
	{"answer-options-length", "9110 8.6", Must, "OPTIONS {stream} HTTP/1.1\r\nHost: {host}\r\n\r\n", "204 keep none !Content-Length !Transfer-Encoding | 200 keep"},
	{"answer-head-refused", "9110 9.3.2", Must, "HEAD /api/recordings/0/stream/ HTTP/1.1\r\nHost: {host}\r\n{auth}\r\n", "404 keep none"},
	{"answer-connection-close", "9112 9.6", Should, get + "Connection: close\r\n\r\n", "200 close whole Connection~close"},
}

// everySecond is a list of n ranges of a byte, which neither touch nor overlap.
func everySecond(n int) string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf("%d-%d", 2*i, 2*i))
	}
	return strings.Join(list, ",")
}
