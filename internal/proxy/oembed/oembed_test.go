package oembed

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
)

func TestDescribe(t *testing.T) {
	const base = "https://lms.example/school"
	for _, c := range []struct {
		url, more string
		status    int
		src, size string // of the frame
	}{
		{base + "/watch/7", "", 200, base + "/embed/7", "640x360"},
		{base + "/watch/7/", "", 200, base + "/embed/7", "640x360"},
		{base + "/embed/7", "", 200, base + "/embed/7", "640x360"},
		{base + "/watch/7?from=mail#t=1m5s", "", 200, base + "/embed/7#t=1m5s", "640x360"},
		{base + "/watch/7#code=secret", "", 200, base + "/embed/7", "640x360"},
		{base + `/watch/7#t=1"><script>`, "", 200, base + "/embed/7", "640x360"},
		{"https://LMS.example:443/school/watch/7", "", 200, base + "/embed/7", "640x360"},
		{base + "/watch/7", "&format=json&maxwidth=320", 200, base + "/embed/7", "320x180"},
		{base + "/watch/7", "&maxheight=90&maxwidth=5000", 200, base + "/embed/7", "160x90"},
		{base + "/watch/7", "&maxwidth=1&maxheight=1", 200, base + "/embed/7", "1x1"},
		{base + "/watch/7", "&maxwidth=0", 400, "", ""},
		{base + "/watch/7", "&maxheight=wide", 400, "", ""},
		{"", "", 400, "", ""},
		{base + "/watch/7", "&format=xml", 501, "", ""},
		{"https://evil.example/school/watch/7", "", 404, "", ""},
		{"https://lms.example.evil.example/school/watch/7", "", 404, "", ""},
		{"http://lms.example/school/watch/7", "", 404, "", ""},
		{"https://lms.example:8443/school/watch/7", "", 404, "", ""},
		{"https://me@lms.example/school/watch/7", "", 404, "", ""},
		{"https://lms.example/watch/7", "", 404, "", ""},
		{base + "/", "", 404, "", ""},
		{base + "/watch/0", "", 404, "", ""},
		{base + "/watch/x", "", 404, "", ""},
		{base + "/api/recordings/7/", "", 404, "", ""},
		{"//lms.example/school/watch/7", "", 404, "", ""},
		{"%", "", 404, "", ""},
	} {
		var query fasthttp.Args
		query.Parse("url=" + url.QueryEscape(c.url) + c.more)
		got, problem := describe(&query, base)
		if problem != nil {
			if problem.Status != c.status {
				t.Errorf("%s %s: %+v, want %d", c.url, c.more, *problem, c.status)
			}
			continue
		}
		want := fmt.Sprintf(`<iframe src="%s" width=`, c.src)
		if c.status != http.StatusOK || !strings.HasPrefix(got.HTML, want) || fmt.Sprintf("%dx%d", got.Width, got.Height) != c.size ||
			!strings.Contains(got.HTML, fmt.Sprintf(`width="%d" height="%d"`, got.Width, got.Height)) || got.Type != "video" || got.Version != "1.0" || got.ProviderURL != base+"/" {
			t.Errorf("%s %s: %+v, want %d %s %s", c.url, c.more, got, c.status, c.src, c.size)
		}
	}
}

// FuzzDescribe: whatever is asked for, the answer is a problem, or one frame of a player
// below the base whose size and attributes are those of the answer.
func FuzzDescribe(f *testing.F) {
	const base = "https://lms.example/school"
	for _, seed := range []string{
		base + "/watch/7#t=1m5s", base + "/embed/7/?a=b", base + "/watch/7#t=1\"><script>", "https://lms.example%2f.evil.example/school/watch/7", "https://lms.example/school/watch%2F7", "https://evil.example/school/watch/7", "https://lms.example:8443/school/watch/7", "https://LMS.EXAMPLE:443/school/watch/07",
		"https://lms.example:/school/watch/7", "HTTPS://lms.example/school/../school/watch/7", "https://lms.example/school/watch/7;x", "https://lms.example\\@evil.example/school/watch/7",
	} {
		f.Add(seed, "640", "")
	}
	f.Add(base+"/watch/7", "-1", "1048576")
	f.Add(base+"/watch/7", "99999999999999999999", "1")
	frame := regexp.MustCompile(`^<iframe src="https://lms\.example/school/embed/([1-9][0-9]*)(#t=[0-9hms.]+)?" width="([0-9]+)" height="([0-9]+)" title="Lectern" allow="[a-z; -]+" allowfullscreen style="border:0"></iframe>$`)
	f.Fuzz(func(t *testing.T, address, maxWidth, maxHeight string) {
		var query fasthttp.Args
		query.Set("url", address)
		query.Set("maxwidth", maxWidth)
		query.Set("maxheight", maxHeight)
		got, problem := describe(&query, base)
		if problem != nil {
			if problem.Status < 400 || got != (answerJSON{}) {
				t.Fatalf("%+v with %+v", problem, got)
			}
			return
		}
		m := frame.FindStringSubmatch(got.HTML)
		if m == nil || m[3] != fmt.Sprint(got.Width) || m[4] != fmt.Sprint(got.Height) || got.Width < 1 || got.Width > frameWidth || got.Height < 1 || got.Height > frameHeight {
			t.Fatalf("%+v", got)
		}
		if most, err := strconv.Atoi(maxWidth); err == nil && got.Width > most {
			t.Fatalf("%d wide, at most %d", got.Width, most)
		}
		if most, err := strconv.Atoi(maxHeight); err == nil && got.Height > most {
			t.Fatalf("%d high, at most %d", got.Height, most)
		}
		u, err := url.Parse(address)
		if err != nil || !strings.EqualFold(u.Hostname(), "lms.example") || u.Port() != "" && u.Port() != "443" || u.Scheme != "https" || u.User != nil {
			t.Fatalf("%q is taken for a lesson here", address)
		}
	})
}
