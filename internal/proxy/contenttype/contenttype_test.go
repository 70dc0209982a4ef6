package contenttype

import (
	"testing"

	"github.com/lectiospace/lectern/internal/media"
)

func TestOf(t *testing.T) {
	for in, want := range map[string]string{
		"":                           "video/mp4",
		"video/mp4":                  "video/mp4",
		"VIDEO/MP4":                  "video/mp4",
		"video/webm; codecs=\"vp9\"": "video/webm; codecs=vp9",
		"audio/mp4":                  "audio/mp4",
		"application/octet-stream":   "video/mp4",
		"binary/octet-stream":        "video/mp4",
		"text/html":                  "video/mp4",
		"text/plain; charset=utf-8":  "video/mp4",
		"image/svg+xml":              "video/mp4",
		"application/mp4":            "video/mp4",
		"video/mp4\r\nX-Evil: 1":     "video/mp4",
		"video/":                     "video/mp4",
		"video":                      "video/mp4",
	} {
		if got := Of(media.Object{ContentType: in}); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
