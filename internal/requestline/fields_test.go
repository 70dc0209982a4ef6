package requestline

import "testing"

func TestWellFormed(t *testing.T) {
	for _, c := range []struct {
		section string
		want    bool
	}{
		{"", true},
		{"\r\n", true},
		{"Host: x\r\nA:\r\n\r\n", true},
		{"!#$%&'*+-.^_`|~09AZaz: x\r\n\r\n", true},
		{"A: b\r\n c\r\n\td: e\r\n\r\n", true},
		{"A: \xff\r\n\r\n", true},
		{"Transfer-Encoding: chunked\r\n\r\n", true},
		{"transfer-ENCODING:\tCHUNKED \r\n\r\n", true},
		{"Transfer-Encoding: identity\r\n\r\n", false},
		{"Transfer-Encoding:\r\n identity\r\n\r\n", false},
		{"Transfer-Encoding: gzip, chunked\r\n\r\n", false},
		{"Transfer-Encoding:\r\n\r\n", false},
		{"A: b\nHost: x\r\n\r\n", false},
		{"Host: x\n\n", false},
		{"Host: x\r\n\n", false},
		{"Host: x", false},
		{"A B: c\r\n\r\n", false},
		{"A : c\r\n\r\n", false},
		{": c\r\n\r\n", false},
		{"A\r\n\r\n", false},
		{"A\xe9: c\r\n\r\n", false},
	} {
		if got := WellFormed([]byte(c.section)); got != c.want {
			t.Errorf("%q: %v", c.section, got)
		}
	}
}

func TestValidHost(t *testing.T) {
	for host, want := range map[string]bool{
		"": true, "x": true, "X.example": true, "a_b.example:": true, "a:80": true, ":80": true, "a,b": true, "a%41": true,
		"127.0.0.1:8080": true, "[::1]": true, "[::1]:80": true, "[fe80::1%25eth0]:80": true, "[v1.x:y]": true,
		"a b": false, "a/b": false, "a?b": false, "a#b": false, "a\\b": false, "a@b": false, "<a>": false, `"a"`: false, "a^b": false,
		"a{}": false, "a|b": false, "a`": false, "\xc3\xa9": false, "a%": false, "a%4": false, "a%zz": false, "a:b": false, "a:-1": false,
		"a:80:80": false, "::1": false, "[::1": false, "[]": false, "[::1]x": false, "[::1]:x": false, "[a b]": false, "[\xe9]": false, "a]": false,
	} {
		if got := ValidHost(host); got != want {
			t.Errorf("%q: %v", host, got)
		}
	}
}

func TestValidTarget(t *testing.T) {
	for target, want := range map[string]bool{
		"/": true, "/a?b://c": true, "*": true, "x:443": true, "http://x": true, "http://x:80/a?b": true, "HTTPS://[::1]:8080?a": true,
		"/a#b": false, "#": false, "http://x#a": false, "http:///a": false, "http://?a": false, "http://": false, "http://:80/": false,
		"http://a b/": false, "http://x:y/": false, "http://[::1/": false,
	} {
		if got := ValidTarget(target); got != want {
			t.Errorf("%q: %v", target, got)
		}
	}
}
