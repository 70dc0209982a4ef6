package differential

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

var testFile = File{Content: bytes.Repeat([]byte("0123456789"), 100), Modified: time.Date(2026, 3, 1, 10, 20, 30, 0, time.UTC)}

// oracle answers as RFC 9110 wants, but for what change makes of it.
type oracle struct {
	change func(r Request, answer string) string
}

func (oracle) Name() string { return "gateway" }

func (o oracle) Answer(requests []Request) (answers []string, err error) {
	for _, r := range requests {
		f := factsOf(r, testFile)
		answers = append(answers, o.change(r, f.expected()))
	}
	return answers, nil
}

// TestOracle: the oracle and net/http differ only in known ways, and the requests of a seed
// are always the same.
func TestOracle(t *testing.T) {
	c := NewComparison(testFile)
	same := func(_ Request, answer string) string { return answer }
	if err := c.Compare(NewGenerator(7, testFile), 5000, oracle{same}, ServeContent{testFile}); err != nil {
		t.Fatal(err)
	}
	if c.Requests != 5000 || len(c.Unknown) > 0 {
		t.Errorf("%d requests, unknown: %s", c.Requests, strings.Join(c.Unknown, "\n"))
	}
	a, b := NewGenerator(7, testFile), NewGenerator(7, testFile)
	kinds := map[string]int{}
	for range 2000 {
		r := a.Next()
		if again := b.Next(); r.String() != again.String() {
			t.Fatalf("%s, then %s", r, again)
		}
		f := factsOf(r, testFile)
		kinds[f.expected()[:3]]++
	}
	for _, kind := range []string{"200", "206", "304", "412", "416"} {
		if kinds[kind] < 20 {
			t.Errorf("only %d of 2000 requests are answered with %s", kinds[kind], kind)
		}
	}
}

// TestComparisonFinds: a gateway that is wrong in a few answers only is found.
func TestComparisonFinds(t *testing.T) {
	for name, change := range map[string]func(r Request, answer string) string{
		"the first byte is missing": func(r Request, answer string) string { return strings.Replace(answer, "206 0-", "206 1-", 1) },
		"no 416":                    func(r Request, answer string) string { return strings.Replace(answer, "416", "200", 1) },
		"weak If-Range": func(r Request, answer string) string {
			if v := r.values("If-Range"); len(v) == 1 && v[0] == "W/{etag}" && r.has("Range") && answer == "200" {
				return "206 0-999"
			}
			return answer
		},
		"what contradicts itself": func(r Request, answer string) string {
			if answer == "304" && r.has("Range") {
				return "wrong: 304"
			}
			return answer
		},
	} {
		c := NewComparison(testFile)
		if err := c.Compare(NewGenerator(7, testFile), 2000, oracle{change}, ServeContent{testFile}); err != nil {
			t.Fatal(err)
		}
		if len(c.Unknown) == 0 {
			t.Errorf("%s is not found", name)
		}
	}
}

// TestNormal: what contradicts itself is seen.
func TestNormal(t *testing.T) {
	whole := testFile.Content
	multipart := "--b\r\nContent-Range: bytes 0-0/1000\r\n\r\n0\r\n--b\r\nContent-Range: bytes 5-6/1000\r\n\r\n56\r\n--b--\r\n"
	for _, c := range []struct {
		method       string
		status       int
		kind, ranges string
		length       int
		body         string
		want         string
	}{
		{"GET", 200, "", "", 1000, string(whole), "200"},
		{"GET", 200, "", "", 999, string(whole[1:]), "wrong"},
		{"GET", 200, "", "bytes 0-999/1000", 1000, string(whole), "wrong"},
		{"HEAD", 200, "", "", 1000, "", "200"},
		{"HEAD", 200, "", "", 5, "", "wrong"},
		{"HEAD", 200, "", "", 1000, "x", "wrong"},
		{"GET", 206, "", "bytes 5-6/1000", 2, "56", "206 5-6"},
		{"GET", 206, "", "bytes 5-6/1000", 2, "57", "wrong"},
		{"GET", 206, "", "bytes 5-7/1000", 2, "56", "wrong"},
		{"GET", 206, "", "bytes 5-6/1001", 2, "56", "wrong"},
		{"GET", 206, "", "bytes 6-5/1000", 0, "", "wrong"},
		{"GET", 206, "", "", 2, "56", "wrong"},
		{"GET", 206, "multipart/byteranges; boundary=b", "", len(multipart), multipart, "206 parts 0-0,5-6"},
		{"GET", 206, "multipart/byteranges; boundary=b", "", len(multipart), strings.Replace(multipart, "56\r\n", "57\r\n", 1), "wrong"},
		{"GET", 206, "multipart/byteranges; boundary=b", "", len(multipart), multipart[:40], "wrong"},
		{"GET", 416, "", "bytes */1000", 0, "", "416"},
		{"GET", 416, "", "bytes */999", 0, "", "wrong"},
		{"GET", 304, "", "", 0, "", "304"},
	} {
		if got := testFile.normal(c.method, c.status, c.kind, c.ranges, c.length, []byte(c.body)); got != c.want && !(c.want == "wrong" && strings.HasPrefix(got, "wrong")) {
			t.Errorf("%s %d %s %q: %s, want %s", c.method, c.status, c.ranges, c.body, got, c.want)
		}
	}
}
