package proxy

import (
	"bytes"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/lectiospace/lectern/internal/proxy/precondition"
)

// serveContent is the oracle.
func serveContent(r *http.Request, etag string, content []byte) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	w.Header().Set("Etag", etag)
	w.Header().Set("Content-Type", "video/mp4")
	http.ServeContent(w, r, "a.mp4", testModified, bytes.NewReader(content))
	return w
}

// flat makes an answer comparable: status, ranges and bytes, with the parts of a
// multipart body taken out of their frame.
func flat(t fataler, status int, header http.Header, body []byte) string {
	kind, params, _ := mime.ParseMediaType(header.Get("Content-Type"))
	if status == 206 && kind == "multipart/byteranges" {
		var b strings.Builder
		parts := multipart.NewReader(bytes.NewReader(body), params["boundary"])
		for {
			p, err := parts.NextPart()
			if err == io.EOF {
				return b.String()
			}
			if err != nil {
				t.Fatalf("the multipart body cannot be read: %v", err)
			}
			data, err := io.ReadAll(p)
			if err != nil {
				t.Fatalf("a part cannot be read: %v", err)
			}
			fmt.Fprintf(&b, "206 %s %s %x\n", p.Header.Get("Content-Type"), p.Header.Get("Content-Range"), data)
		}
	}
	if status >= 400 || status == 304 {
		body = nil // the words of a refusal are our own
	}
	return fmt.Sprintf("%d %s %x\n", status, header.Get("Content-Range"), body)
}

type fataler interface{ Fatalf(string, ...any) }

// drawRange makes a Range both sides understand alike. The deliberate
// differences are drawn by drawOdd and are cases of TestSelectRanges in package stream.
func drawRange(t *rapid.T, size int64) string {
	if rapid.Bool().Draw(t, "no range") {
		return ""
	}
	n := rapid.IntRange(1, 6).Draw(t, "specs")
	specs := make([]string, n)
	for i := range specs {
		first := rapid.Int64Range(0, size+5).Draw(t, "first")
		switch rapid.IntRange(0, 2).Draw(t, "form") {
		case 0:
			specs[i] = fmt.Sprintf("%d-%d", first, first+rapid.Int64Range(0, size+5).Draw(t, "more"))
		case 1:
			specs[i] = fmt.Sprintf("%d-", first)
		default:
			specs[i] = fmt.Sprintf("-%d", first+1)
		}
	}
	return "bytes=" + strings.Join(specs, rapid.SampledFrom([]string{",", ", ", " ,\t", ",,"}).Draw(t, "comma"))
}

func drawCondition(t *rapid.T, etag string) []string {
	tag := rapid.SampledFrom([]string{etag, "W/" + etag, `"other"`, "*", `"a,b", ` + etag, "garbage", `"open`}).Draw(t, "tag")
	date := rapid.SampledFrom([]string{precondition.FormatDate(testModified), precondition.FormatDate(testModified.Add(1e9)), precondition.FormatDate(testModified.Add(-1e9)), "garbage", testModified.Format("Monday, 02-Jan-06 15:04:05 GMT")}).Draw(t, "date")
	switch rapid.IntRange(0, 6).Draw(t, "condition") {
	case 1:
		return []string{"If-Match: " + tag}
	case 2:
		return []string{"If-None-Match: " + tag}
	case 3:
		return []string{"If-Modified-Since: " + date}
	case 4:
		return []string{"If-Unmodified-Since: " + date}
	case 5:
		return []string{"If-Range: " + strings.TrimPrefix(tag, "*")}
	case 6:
		return []string{"If-Range: " + date}
	default:
		return nil
	}
}

// TestAgainstServeContent sends random requests to the real server and to
// net/http, and wants the same status, ranges and bytes from both.
func TestAgainstServeContent(t *testing.T) {
	h := newFixture(t, 300, nil)
	whole := h.content
	client := &http.Client{Transport: &http.Transport{DisableCompression: true}}
	defer client.CloseIdleConnections()
	rapid.Check(t, func(rt *rapid.T) {
		size := rapid.SampledFrom([]int64{0, 1, 2, 7, 100, 299}).Draw(rt, "size")
		h.content = whole[:size]
		h.obj.Size = size
		etag := h.obj.ETag()
		req, _ := http.NewRequest(rapid.SampledFrom([]string{"GET", "GET", "GET", "HEAD"}).Draw(rt, "method"), "http://"+h.addr+streamPath, nil)
		rng := drawRange(rt, size)
		if rng != "" {
			req.Header.Set("Range", rng)
		}
		for range rapid.IntRange(0, 2).Draw(rt, "conditions") {
			for _, line := range drawCondition(rt, etag) {
				k, v, _ := strings.Cut(line, ": ")
				req.Header.Set(k, v)
			}
		}
		oracle := req.Clone(req.Context())
		if req.Method == "HEAD" {
			oracle.Header.Del("Range") // deliberate: HEAD ignores Range
		}
		want := serveContent(oracle, etag, whole[:size])
		wantFlat := flat(rt, want.Code, want.Header(), want.Body.Bytes())
		if size == 0 && want.Code < 300 && rng != "" && req.Method == "GET" && (precondition.Headers{IfRange: req.Header.Get("If-Range")}).RangeApplies(precondition.Validators{ETag: etag, Modified: testModified}) {
			wantFlat = "416 bytes */0 \n" // deliberate: nothing of nothing can be had
		}

		req.Header.Set("Authorization", "Bearer "+goodToken)
		resp, err := client.Do(req)
		if err != nil {
			rt.Fatalf("%v", err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			rt.Fatalf("the body ends early: %v", err)
		}
		got := flat(rt, resp.StatusCode, resp.Header, body)
		if got != wantFlat {
			rt.Fatalf("%s %v of %d bytes:\n got %s\nwant %s", req.Method, req.Header, size, got, wantFlat)
		}
		if resp.StatusCode < 300 {
			if resp.Header.Get("Content-Length") == "" || len(resp.TransferEncoding) != 0 {
				rt.Fatalf("framing: %v %v", resp.Header, resp.TransferEncoding)
			}
			if req.Method == "HEAD" && resp.Header.Get("Content-Length") != strconv.FormatInt(size, 10) {
				rt.Fatalf("HEAD says %s", resp.Header.Get("Content-Length"))
			}
		}
	})
}
