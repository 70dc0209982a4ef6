package signin

import (
	"net/url"
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
		"/?q=урок 7&a=%20":                   "/?q=%D1%83%D1%80%D0%BE%D0%BA%207&a=%20",
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

// FuzzOwnPath: a browser that is sent to the path stays at this gateway. The browser is that
// of the WHATWG URL standard, section 4.4, which is laxer than net/url: it drops tabs and line
// ends, and takes a backslash for a slash.
func FuzzOwnPath(f *testing.F) {
	for _, seed := range []string{"/watch/7?t=1#x", "//evil.example", "/\\evil.example", "/\t/evil.example", "/.//evil.example", "/%2e//evil.example", "/a/..//b", "/%5cevil.example", "/@evil.example", "/урок", "/?a b", "/?next=//evil.example", "/" + strings.Repeat("\xba", 1000)} {
		f.Add(seed)
	}
	base, err := url.Parse("https://own.example/signin/callback")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, next string) {
		path := ownPath(next)
		if again := ownPath(path); again != path {
			t.Fatalf("%q becomes %q, and that %q", next, path, again)
		}
		if strings.ContainsFunc(path, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
			t.Fatalf("%q becomes %q, which is no header's value", next, path)
		}
		seen := strings.NewReplacer("\t", "", "\r", "", "\n", "", "\\", "/").Replace(path)
		if strings.HasPrefix(seen, "//") || !strings.HasPrefix(seen, "/") {
			t.Fatalf("%q becomes %q, another host", next, path)
		}
		u, err := url.Parse(seen)
		if err != nil {
			t.Fatalf("%q becomes %q: %v", next, path, err)
		}
		if to := base.ResolveReference(u); to.Scheme != "https" || to.Host != "own.example" || to.User != nil {
			t.Fatalf("%q leads to %s", next, to)
		}
	})
}
