package oembed

import (
	"fmt"
	"net/http"
	"net/url"
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
