package signin

import (
	"strings"
	"testing"
)

func TestOwnPath(t *testing.T) {
	for next, want := range map[string]string{
		"/":                                  "/",
		"/watch/7":                           "/watch/7",
		"/watch/7?t=1&u=//evil.example#t=12": "/watch/7?t=1&u=//evil.example#t=12",
		"/?q=%2F%2Fx":                        "/?q=%2F%2Fx",
		"/урок":                              "/%D1%83%D1%80%D0%BE%D0%BA",
		"":                                   "/",
		"watch/7":                            "/",
		"//evil.example":                     "/",
		"///evil.example":                    "/",
		"/\\evil.example":                    "/",
		"\\\\evil.example":                   "/",
		"/watch\\7":                          "/",
		"https://evil.example/":              "/",
		"javascript:alert(1)":                "/",
		" /watch/7":                          "/",
		"/\t/evil.example":                   "/",
		"\t//evil.example":                   "/",
		"/\n/evil.example":                   "/",
		"/x\r\nSet-Cookie: a=b":              "/",
		"/x\x00":                             "/",
		"/x\x7f":                             "/",
		"/x\u0085":                           "/",
		"/.//evil.example":                   "/",
		"/..//evil.example":                  "/",
		"/a/..//evil.example":                "/",
		"/%zz":                               "/",
		"/" + strings.Repeat("x", 1024):      "/",
	} {
		if got := ownPath(next); got != want {
			t.Errorf("%q: %q, want %q", next, got, want)
		}
	}
}
