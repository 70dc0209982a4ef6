package stream

import (
	"fmt"
	"io"
	"math/big"
	"mime"
	"mime/multipart"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/proxy/precondition"
)

func TestSelectRanges(t *testing.T) {
	many := func(n int) string { return "bytes=" + strings.TrimSuffix(strings.Repeat("0-0,", n), ",") }
	for _, c := range []struct {
		header string
		size   int64
		want   string // spans, or "ignored", or "416"
	}{
		{"bytes=0-", 10, "0-9"},
		{"bytes=0-0", 10, "0-0"},
		{"bytes=0-1", 10, "0-1"},
		{"bytes=9-9", 10, "9-9"},
		{"bytes=9-", 10, "9-9"},
		{"bytes=10-", 10, "416"},
		{"bytes=3-100", 10, "3-9"},
		{"bytes=-1", 10, "9-9"},
		{"bytes=-10", 10, "0-9"},
		{"bytes=-11", 10, "0-9"},
		{"bytes=-0", 10, "416"},
		{"bytes=5-2", 10, "ignored"},
		{"bytes=100-5", 10, "ignored"},
		{"bytes=", 10, "ignored"},
		{"bytes=,", 10, "ignored"},
		{"bytes=-", 10, "ignored"},
		{"bytes=--1", 10, "ignored"},
		{"bytes=a-b", 10, "ignored"},
		{"bytes=a-5", 10, "ignored"},
		{"bytes=a-", 10, "ignored"},
		{"bytes=1-2-3", 10, "ignored"},
		{"bytes=+1-2", 10, "ignored"},
		{"bytes=0x1-2", 10, "ignored"},
		{"bytes=1", 10, "ignored"},
		{"bytes", 10, "ignored"},
		{"", 10, "ignored"},
		{"0-5", 10, "ignored"},
		{"bytes =0-5", 10, "ignored"},
		{"items=0-5", 10, "ignored"},
		{"BYTES=0-5", 10, "0-5"},
		{"bytes= 0 - 5 ", 10, "0-5"},
		{"bytes=0-1,5-6", 10, "0-1 5-6"},
		{"bytes=0-1 ,\t5-6,", 10, "0-1 5-6"},
		{"bytes=,,0-1", 10, "0-1"},
		{"bytes=5-6,0-1", 10, "5-6 0-1"},
		{"bytes=0-1, ,5-6", 10, "0-1 5-6"},
		{"bytes=0-1,100-", 10, "0-1"},
		{"bytes=100-,200-300", 10, "416"},
		{"bytes=0-1,x", 10, "ignored"},
		{"bytes=0-4,5-9", 10, "0-4 5-9"},
		{"bytes=0-5,5-9", 10, "ignored"},
		{"bytes=0-,0-,0-", 10, "ignored"},
		{many(10), 16, strings.TrimSuffix(strings.Repeat("0-0 ", 10), " ")},
		{many(16), 16, strings.TrimSuffix(strings.Repeat("0-0 ", 16), " ")},
		{many(17), 1000, "ignored"},
		{"bytes=" + strings.Repeat("100-,", 17), 10, "ignored"},
		{"bytes=99999999999999999999-", 10, "416"},
		{"bytes=0-99999999999999999999", 10, "0-9"},
		{"bytes=-99999999999999999999", 10, "0-9"},
		{"bytes=-9223372036854775808", 10, "0-9"},
		{"bytes=9223372036854775807-9223372036854775807", 10, "416"},
		{"bytes=99999999999999999999-99999999999999999998", 10, "ignored"},
		{"bytes=99999999999999999998-99999999999999999999", 10, "416"},
		{"bytes=0000000000000000000000001-2", 10, "1-2"},
		{"bytes=0-", 0, "416"},
		{"bytes=-5", 0, "416"},
		{"bytes=0-0", 1, "0-0"},
		{"bytes=0-9223372036854775806", 1<<63 - 1, "0-9223372036854775806"},
		{"bytes=0-,-9223372036854775807", 1<<63 - 1, "ignored"},
	} {
		spans, result := selectRanges(c.header, c.size)
		got := strings.Trim(fmt.Sprint(spans), "[]")
		switch result {
		case rangeIgnored:
			got = "ignored"
		case rangeUnsatisfiable:
			got = "416"
		}
		if got != c.want {
			t.Errorf("%q of %d: %s, want %s", c.header, c.size, got, c.want)
		}
	}
}

// FuzzRange holds the evaluation against one in numbers of any length, and checks what a
// body relies on.
func FuzzRange(f *testing.F) {
	for _, s := range []string{"bytes=0-", "bytes=-5,0-1", "bytes=9-2", "bytes=-9223372036854775808", "bytes=0-0,2-2,4-4", "items=1-2", "bytes=18446744073709551616-", "bytes=0-0,,\t1 - 1 ,-0", "bytes=" + strings.Repeat("99-,", maxRanges) + "0-0"} {
		f.Add(s, int64(10))
	}
	f.Fuzz(func(t *testing.T, header string, size int64) {
		if size < 0 {
			size = -(size + 1)
		}
		spans, result := selectRanges(header, size)
		if (result == rangeSatisfiable) != (len(spans) > 0) {
			t.Fatalf("result %d with %d spans", result, len(spans))
		}
		if len(spans) > maxRanges {
			t.Fatalf("%d spans", len(spans))
		}
		var sum int64
		for _, s := range spans {
			if s.Off < 0 || s.Len <= 0 || s.Off > size-s.Len {
				t.Fatalf("%+v is not within %d bytes", s, size)
			}
			if sum += s.Len; sum < 0 || sum > size {
				t.Fatalf("the spans %v are longer than the whole of %d", spans, size)
			}
		}
		if want, wantResult := referenceRanges(header, size); result != wantResult || fmt.Sprint(spans) != fmt.Sprint(want) {
			t.Fatalf("%q of %d: %v, %d, want %v, %d", header, size, spans, result, want, wantResult)
		}
	})
}

var (
	bytesRanges = regexp.MustCompile(`^(?i:bytes)=([ \t,0-9-]*)$`)
	rangeSpec   = regexp.MustCompile(`^[ \t]*([0-9]*)[ \t]*-[ \t]*([0-9]*)[ \t]*$`)
	emptySpec   = regexp.MustCompile(`^[ \t]*$`)
)

// referenceRanges is selectRanges by the grammar of RFC 9110 section 14.1.1 with whitespace
// around the numbers, in big integers.
func referenceRanges(header string, size int64) (spans []media.Span, result rangeResult) {
	m := bytesRanges.FindStringSubmatch(header)
	if m == nil {
		return nil, rangeIgnored
	}
	whole, sum, specs := big.NewInt(size), new(big.Int), 0
	for _, text := range strings.Split(m[1], ",") {
		if emptySpec.MatchString(text) {
			continue
		}
		spec := rangeSpec.FindStringSubmatch(text)
		if specs++; spec == nil || spec[1]+spec[2] == "" || specs > maxRanges {
			return nil, rangeIgnored
		}
		first, _ := new(big.Int).SetString("0"+spec[1], 10)
		last, _ := new(big.Int).SetString("0"+spec[2], 10)
		end := new(big.Int).Add(last, big.NewInt(1))
		switch {
		case spec[1] == "": // the last bytes
			first, end = new(big.Int).Sub(whole, last), whole
			if first.Sign() < 0 {
				first.SetInt64(0)
			}
		case spec[2] == "":
			end = whole
		case last.Cmp(first) < 0:
			return nil, rangeIgnored
		}
		if end.Cmp(whole) > 0 {
			end = whole
		}
		if first.Cmp(end) >= 0 {
			continue
		}
		length := new(big.Int).Sub(end, first)
		sum.Add(sum, length)
		spans = append(spans, media.Span{Off: first.Int64(), Len: length.Int64()})
	}
	switch {
	case specs == 0 || sum.Cmp(whole) > 0:
		return nil, rangeIgnored
	case len(spans) == 0:
		return nil, rangeUnsatisfiable
	}
	return spans, rangeSatisfiable
}

func TestBodyPlanCountsEveryByte(t *testing.T) {
	for _, spans := range [][]media.Span{
		{{Off: 0, Len: 1}, {Off: 5, Len: 2}},
		{{Off: 9, Len: 1}, {Off: 0, Len: 3}, {Off: 4, Len: 4}},
	} {
		l := planBody(decision{status: http.StatusPartialContent, spans: spans}, 10, "video/mp4")
		n := int64(len(l.tail))
		for i, seg := range l.segments {
			n += int64(len(seg.head)) + seg.span.Len
			if want := map[bool]string{true: "--", false: "\r\n--"}[i == 0]; !strings.HasPrefix(string(seg.head), want) {
				t.Errorf("%v: part %d begins with %q", spans, i, seg.head)
			}
		}
		var text strings.Builder
		for _, seg := range l.segments {
			text.Write(seg.head)
			text.WriteString(strings.Repeat("x", int(seg.span.Len)))
		}
		text.Write(l.tail)
		_, params, err := mime.ParseMediaType(l.contentType)
		if err != nil || len(params["boundary"]) != 32 || params["boundary"] == strings.Repeat("0", 32) {
			t.Fatalf("%s: %v", l.contentType, err)
		}
		parts := multipart.NewReader(strings.NewReader(text.String()), params["boundary"])
		for _, span := range spans {
			part, err := parts.NextRawPart()
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(part)
			if want := "bytes " + span.String() + "/10"; err != nil || int64(len(body)) != span.Len || part.Header.Get("Content-Range") != want || part.Header.Get("Content-Type") != "video/mp4" {
				t.Errorf("part %v: %d bytes, %v, %v", span, len(body), part.Header, err)
			}
		}
		if _, err := parts.NextRawPart(); err != io.EOF {
			t.Errorf("behind the last part: %v", err)
		}
		if n != l.length || l.contentRange != "" {
			t.Errorf("%v: the length says %d, the parts have %d", spans, l.length, n)
		}
	}
}

func TestBodyPlanOfOneSpan(t *testing.T) {
	l := planBody(decision{status: http.StatusPartialContent, spans: []media.Span{{Off: 2, Len: 3}}}, 10, "video/mp4")
	if l.contentType != "video/mp4" || l.contentRange != "bytes 2-4/10" || l.length != 3 || len(l.segments) != 1 || l.tail != nil {
		t.Errorf("%+v", l)
	}
}

func TestDecide(t *testing.T) {
	v := precondition.Validators{ETag: `"abc"`, Modified: testModified}
	at := func(d time.Duration) string { return precondition.FormatDate(testModified.Add(d)) }
	same, older, newer := at(0), at(-time.Second), at(time.Second)
	for _, c := range []struct {
		name   string
		c      precondition.Headers
		rng    string
		head   bool
		status int
	}{
		{"nothing", precondition.Headers{}, "", false, 200},
		{"range", precondition.Headers{}, "bytes=1-2", false, 206},
		{"range of HEAD", precondition.Headers{}, "bytes=1-2", true, 200},
		{"unsatisfiable range of HEAD", precondition.Headers{}, "bytes=99-", true, 200},
		{"if-match holds", precondition.Headers{IfMatch: `"abc"`}, "bytes=1-2", false, 206},
		{"if-match fails", precondition.Headers{IfMatch: `"x"`}, "bytes=1-2", false, 412},
		{"if-match is strong", precondition.Headers{IfMatch: `W/"abc"`}, "", false, 412},
		{"if-match star", precondition.Headers{IfMatch: `*`}, "", false, 200},
		{"if-match malformed", precondition.Headers{IfMatch: `abc`}, "", false, 412},
		{"if-match before if-none-match", precondition.Headers{IfMatch: `"x"`, IfNoneMatch: `"abc"`}, "", false, 412},
		{"if-match holds, if-none-match too", precondition.Headers{IfMatch: `"abc"`, IfNoneMatch: `"abc"`}, "", false, 304},
		{"if-match silences if-unmodified-since", precondition.Headers{IfMatch: `"abc"`, IfUnmodifiedSince: older}, "", false, 200},
		{"if-unmodified-since holds", precondition.Headers{IfUnmodifiedSince: same}, "", false, 200},
		{"if-unmodified-since fails", precondition.Headers{IfUnmodifiedSince: older}, "", false, 412},
		{"if-unmodified-since garbage", precondition.Headers{IfUnmodifiedSince: "yesterday"}, "", false, 200},
		{"if-none-match", precondition.Headers{IfNoneMatch: `"abc"`}, "bytes=1-2", false, 304},
		{"if-none-match is weak", precondition.Headers{IfNoneMatch: `W/"abc"`}, "", false, 304},
		{"if-none-match other", precondition.Headers{IfNoneMatch: `"x"`}, "bytes=1-2", false, 206},
		{"if-none-match silences if-modified-since", precondition.Headers{IfNoneMatch: `"x"`, IfModifiedSince: newer}, "", false, 200},
		{"if-modified-since same", precondition.Headers{IfModifiedSince: same}, "", false, 304},
		{"if-modified-since newer", precondition.Headers{IfModifiedSince: newer}, "", false, 304},
		{"if-modified-since older", precondition.Headers{IfModifiedSince: older}, "", false, 200},
		{"if-modified-since on HEAD", precondition.Headers{IfModifiedSince: same}, "", true, 304},
		{"if-range tag", precondition.Headers{IfRange: `"abc"`}, "bytes=1-2", false, 206},
		{"if-range other tag", precondition.Headers{IfRange: `"x"`}, "bytes=1-2", false, 200},
		{"if-range weak tag", precondition.Headers{IfRange: `W/"abc"`}, "bytes=1-2", false, 200},
		{"if-range date", precondition.Headers{IfRange: same}, "bytes=1-2", false, 206},
		{"if-range later date", precondition.Headers{IfRange: newer}, "bytes=1-2", false, 200},
		{"if-range garbage", precondition.Headers{IfRange: "abc"}, "bytes=1-2", false, 200},
		{"if-range guards 416 as well", precondition.Headers{IfRange: `"x"`}, "bytes=99-", false, 200},
		{"304 beats 416", precondition.Headers{IfNoneMatch: `"abc"`}, "bytes=99-", false, 304},
		{"412 beats 416", precondition.Headers{IfMatch: `"x"`}, "bytes=99-", false, 412},
		{"416", precondition.Headers{}, "bytes=99-", false, 416},
	} {
		if got := decide(c.head, c.rng, c.c, v, 10); got.status != c.status {
			t.Errorf("%s: %d, want %d", c.name, got.status, c.status)
		}
	}
	if got := decide(false, "bytes=1-2", precondition.Headers{IfRange: same, IfModifiedSince: same, IfUnmodifiedSince: older}, precondition.Validators{ETag: `"abc"`}, 10); got.status != 200 {
		t.Errorf("dates without a Last-Modified: %d, want 200", got.status)
	}
}

// FuzzConditions holds the preconditions against ServeContent, with no Range in
// the way.
func FuzzConditions(f *testing.F) {
	for _, s := range [][4]string{
		{`"abc"`, "", "", ""}, {`W/"abc"`, "", "", ""}, {`*`, "", `"x"`, ""}, {"", precondition.FormatDate(testModified), "", ""},
		{"", "", `W/"abc", "y"`, ""}, {"", "", "", precondition.FormatDate(testModified)}, {`"a,b",`, "x", `"`, "Sunday"},
	} {
		f.Add(s[0], s[1], s[2], s[3])
	}
	f.Fuzz(func(t *testing.T, ifMatch, ifUnmodified, ifNone, ifModified string) {
		const etag = `"abc"`
		r := &http.Request{Method: "GET", Header: http.Header{}}
		for k, v := range map[string]string{"If-Match": ifMatch, "If-Unmodified-Since": ifUnmodified, "If-None-Match": ifNone, "If-Modified-Since": ifModified} {
			if strings.ContainsAny(v, "\r\n\x00") || strings.TrimSpace(v) != v {
				return // cannot arrive as a header's value
			}
			if v != "" {
				r.Header.Set(k, v)
			}
		}
		want := serveContent(r, etag, pattern(10)).Code
		c := precondition.Headers{IfMatch: ifMatch, IfUnmodifiedSince: ifUnmodified, IfNoneMatch: ifNone, IfModifiedSince: ifModified}
		got := decide(false, "", c, precondition.Validators{ETag: etag, Modified: testModified}, 10).status
		if got != want {
			t.Fatalf("%+v: %d, ServeContent says %d", c, got, want)
		}
	})
}

// FuzzIfRange holds If-Range against ServeContent, which answers 206 where the range applies.
// ServeContent takes the first tag of a list; If-Range is none (RFC 9110 section 13.1.5).
func FuzzIfRange(f *testing.F) {
	for _, seed := range []string{`"abc"`, `W/"abc"`, `"abc", "x"`, ` "abc"`, precondition.FormatDate(testModified), precondition.FormatDate(testModified.Add(time.Second)), "Sunday, 01-Mar-26 10:20:30 GMT", "Sun Mar  1 10:20:30 2026", `"`, "*"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if strings.ContainsAny(value, "\r\n\x00") || strings.TrimSpace(value) != value || value == "" {
			return // cannot arrive as a header's value
		}
		r := &http.Request{Method: "GET", Header: http.Header{"Range": {"bytes=1-2"}, "If-Range": {value}}}
		const etag = `"abc"`
		want := serveContent(r, etag, pattern(10)).Code
		if strings.HasPrefix(value, etag) && value != etag {
			want = http.StatusOK
		}
		got := decide(false, "bytes=1-2", precondition.Headers{IfRange: value}, precondition.Validators{ETag: etag, Modified: testModified}, 10).status
		if got != want {
			t.Fatalf("%q: %d, ServeContent says %d", value, got, want)
		}
	})
}
