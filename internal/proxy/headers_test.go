package proxy

import (
	"mime"
	"net/netip"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/lectiospace/lectern/internal/media"
)

func TestContentTypeOf(t *testing.T) {
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
		if got := contentType(media.Object{ContentType: in}); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestDisposition(t *testing.T) {
	for _, c := range []struct {
		title, kind string
		download    bool
		want        string
	}{
		{"Lesson 1", "video/mp4", false, `inline; filename="Lesson 1.mp4"`},
		{"Lesson 1", "video/mp4", true, `attachment; filename="Lesson 1.mp4"`},
		{"Lesson.MP4", "video/mp4", false, `inline; filename="Lesson.mp4"`},
		{"Lesson", "video/webm", false, `inline; filename="Lesson.webm"`},
		{"Lesson", "audio/mp4", false, `inline; filename="Lesson.m4a"`},
		{"", "video/mp4", false, `inline; filename="recording-7.mp4"`},
		{"...", "video/mp4", false, `inline; filename="recording-7.mp4"`},
		{"Урок", "video/mp4", false, `inline; filename="recording-7.mp4"; filename*=UTF-8''%D0%A3%D1%80%D0%BE%D0%BA.mp4`},
		{"Урок 1", "video/mp4", false, `inline; filename="____ 1.mp4"; filename*=UTF-8''%D0%A3%D1%80%D0%BE%D0%BA%201.mp4`},
		{"100%", "video/mp4", false, `inline; filename="100_.mp4"; filename*=UTF-8''100%25.mp4`},
		{`a"; filename="evil.exe`, "video/mp4", false, `inline; filename="a-; filename=-evil.exe.mp4"`},
		{"a\r\nSet-Cookie: x=1", "video/mp4", false, `inline; filename="a  Set-Cookie- x=1.mp4"`},
		{"../../etc/passwd", "video/mp4", false, `inline; filename="-..-etc-passwd.mp4"`},
		{"a\x00b\x7fc", "video/mp4", false, `inline; filename="abc.mp4"`},
		{"a\u202egpj", "video/mp4", false, `inline; filename="agpj.mp4"`},
		{"a\xffb", "video/mp4", false, `inline; filename="ab.mp4"`},
	} {
		got := disposition(media.Recording{ID: 7, Title: c.title}, c.kind, c.download)
		if got != c.want {
			t.Errorf("%q:\n got %s\nwant %s", c.title, got, c.want)
		}
	}
}

func FuzzDisposition(f *testing.F) {
	f.Add("Урок \r\n \"x\"")
	f.Add(strings.Repeat("Ж", 500))
	f.Fuzz(func(t *testing.T, title string) {
		got := disposition(media.Recording{ID: 7, Title: title}, "video/mp4", false)
		if !utf8.ValidString(got) || strings.ContainsAny(got, "\r\n\x00") {
			t.Fatalf("%q is no header", got)
		}
		kind, params, err := mime.ParseMediaType(got)
		if err != nil || kind != "inline" || !strings.HasSuffix(params["filename"], ".mp4") || strings.ContainsAny(params["filename"], `/\`) {
			t.Fatalf("%q becomes %q: %v %v", title, got, params, err)
		}
		if len(params["filename"]) > 255 {
			t.Fatalf("a name of %d bytes", len(params["filename"]))
		}
	})
}

func TestClientAddress(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	for _, c := range []struct{ peer, header, want string }{
		{"203.0.113.9", "198.51.100.1", "203.0.113.9"}, // a stranger's word counts nothing
		{"127.0.0.1", "", "127.0.0.1"},
		{"127.0.0.1", "198.51.100.1", "198.51.100.1"},
		{"127.0.0.1", "1.2.3.4, 198.51.100.1", "198.51.100.1"},
		{"127.0.0.1", "198.51.100.1, 10.1.1.1", "198.51.100.1"},
		{"127.0.0.1", "10.2.2.2, 10.1.1.1", "10.2.2.2"},
		{"127.0.0.1", "198.51.100.1, garbage", "127.0.0.1"},
		{"127.0.0.1", "198.51.100.1, garbage, 10.1.1.1", "10.1.1.1"},
		{"127.0.0.1", "198.51.100.1:4711", "198.51.100.1"},
		{"127.0.0.1", "[2001:db8::1]:4711", "2001:db8::1"},
		{"127.0.0.1", "[2001:db8::1]", "2001:db8::1"},
		{"127.0.0.1", "2001:db8::1", "2001:db8::1"},
		{"127.0.0.1", "fe80::1%eth0", "fe80::1"},
		{"127.0.0.1", "::ffff:198.51.100.1", "198.51.100.1"},
		{"127.0.0.1", ",, 198.51.100.1 ,", "198.51.100.1"},
		{"::1", "198.51.100.1", "198.51.100.1"},
		{"::ffff:127.0.0.1", "198.51.100.1", "198.51.100.1"},
	} {
		if got := clientAddress(netip.MustParseAddr(c.peer), c.header, trusted); got.String() != c.want {
			t.Errorf("%s says %q: %s, want %s", c.peer, c.header, got, c.want)
		}
	}
	if got := clientAddress(netip.Addr{}, "198.51.100.1", trusted); got.IsValid() {
		t.Errorf("a peer without an address: %s", got)
	}
}

func FuzzForwarded(f *testing.F) {
	f.Add("198.51.100.1, 10.1.1.1")
	f.Add("[::1]:80, , x")
	trusted := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")}
	stranger, proxy := netip.MustParseAddr("203.0.113.9"), netip.MustParseAddr("127.0.0.1")
	f.Fuzz(func(t *testing.T, header string) {
		if got := clientAddress(stranger, header, trusted); got != stranger {
			t.Fatalf("a stranger became %s", got)
		}
		got := clientAddress(proxy, header, trusted)
		if !got.IsValid() || got.Zone() != "" || got.Is4In6() {
			t.Fatalf("%q became %v", header, got)
		}
		// What is put in front by somebody untrusted must not change a result that
		// is already an untrusted address.
		if !trustedAddress(got, trusted) {
			if again := clientAddress(proxy, "6.6.6.6, "+header, trusted); again != got {
				t.Fatalf("%q: %s, forged: %s", header, got, again)
			}
		}
	})
}

func TestSanitize(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", ""},
		{"bytes=0-99, 5-", "bytes=0-99, 5-"},
		{"a\r\nb", "a??b"},
		{`"<é;`, "????"},
		{"cut é", "cut ?"},
		{strings.Repeat("9", 100), strings.Repeat("9", 64)},
	} {
		if got := Sanitize(c.in, 64); got != c.want {
			t.Errorf("%q: %q, want %q", c.in, got, c.want)
		}
	}
}

func TestConfigValidate(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"no streams":     func(c *Config) { c.Limit.Streams = 0 },
		"negative users": func(c *Config) { c.Limit.StreamsPerUser = -1 },
		"negative rate":  func(c *Config) { c.Limit.StreamRate = -1 },
		"star":           func(c *Config) { c.CORS.Origins = []string{"*"} },
		"path":           func(c *Config) { c.CORS.Origins = []string{"https://a.example/"} },
		"no scheme":      func(c *Config) { c.CORS.Origins = []string{"a.example"} },
		"write idle":     func(c *Config) { c.WriteIdle = 0 },
		"recheck":        func(c *Config) { c.Recheck = 0 },
	} {
		cfg := DefaultConfig()
		change(&cfg)
		if cfg.Validate() == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	cfg := DefaultConfig()
	cfg.CORS.Origins = []string{"https://lms.example.org", "http://localhost:3000"}
	if err := cfg.Validate(); err != nil {
		t.Error(err)
	}
}
