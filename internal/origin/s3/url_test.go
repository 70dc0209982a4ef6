package s3

import (
	"strings"
	"testing"

	"github.com/lectiospace/lectern/internal/media"
)

func TestParseURL(t *testing.T) {
	for text, want := range map[string]Place{
		"s3://lessons":                      {Bucket: "lessons"},
		"s3://lessons/":                     {Bucket: "lessons"},
		"s3://lessons?region=eu-central-1":  {Bucket: "lessons", Region: "eu-central-1"},
		"s3://my.bucket?use_path_style=1":   {Bucket: "my.bucket", PathStyle: true},
		"s3://b-1?use_path_style=false":     {Bucket: "b-1"},
		"s3://lessons?prefix=lessons/":      {Bucket: "lessons", Prefix: "lessons/"},
		"s3://lessons?prefix=%D1%83%20a%26": {Bucket: "lessons", Prefix: "у a&"},
		"s3://lessons?region=us-east-1&endpoint=http://127.0.0.1:9000&use_path_style=true&prefix=a/b": {
			Bucket: "lessons", Region: "us-east-1", Endpoint: "http://127.0.0.1:9000", PathStyle: true, Prefix: "a/b"},
		"s3://lessons?awssdk=v2&endpoint=minio:9000&disable_https=true&hostname_immutable=true": {
			Bucket: "lessons", Endpoint: "http://minio:9000", PathStyle: true},
		"s3://lessons?endpoint=127.0.0.1:9000&disableSSL=true&s3ForcePathStyle=true&region=us-east-1": {
			Bucket: "lessons", Region: "us-east-1", Endpoint: "http://127.0.0.1:9000", PathStyle: true},
	} {
		if got, err := ParseURL(text); err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for text, names := range map[string]string{
		"":                                    "must begin with s3://",
		"lessons":                             "must begin with s3://",
		"https://lessons":                     "must begin with s3://",
		"s3:lessons":                          "must begin with s3://",
		"s3://":                               "names no bucket",
		"s3://a":                              "names no bucket",
		"s3://les sons":                       "is not a URL",
		"s3://a..b":                           "names no bucket",
		"s3://bucket:9000":                    "names no bucket",
		"s3://127.0.0.1":                      "IP address",
		"s3://AKIA:verysecret@lessons":        "origin-s3-credentials",
		"s3://lessons/2026":                   "prefix",
		"s3://lessons?region=eu#x":            "%23",
		"s3://lessons?regoin=eu-central-1":    `"regoin"`,
		"s3://lessons?Region=eu-central-1":    `"Region"`,
		"s3://lessons?region=a&region=b":      "twice",
		"s3://lessons?region=":                "region",
		"s3://lessons?region=eu%0acentral":    "region",
		"s3://lessons?endpoint=minio:9000":    "endpoint",
		"s3://lessons?endpoint=ftp://a":       "endpoint",
		"s3://lessons?endpoint=http://u:p@a":  "endpoint",
		"s3://lessons?endpoint=http://a?b":    "endpoint",
		"s3://lessons?use_path_style=yes":     "use_path_style",
		"s3://lessons?prefix=../other/":       "prefix",
		"s3://lessons?prefix=a%00":            "prefix",
		"s3://lessons?prefix=%zz":             "parameters",
		"s3://lessons?region=a;prefix=b":      "parameters",
		"s3://lessons?awssdk=v3&region=us":    "awssdk",
		"s3://lessons?disable_https=yes":      "disable_https",
		"s3://lessons?profile=school":         `"profile"`,
		"s3://lessons?use_path_style=true&=b": `""`,
	} {
		_, err := ParseURL(text)
		if err == nil || !strings.HasPrefix(err.Error(), "origin-s3-url: ") || !strings.Contains(err.Error(), names) || strings.Contains(err.Error(), "verysecret") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestKeyBelowPrefix: a prefix and a key that are both good may make a ".." together.
func TestKeyBelowPrefix(t *testing.T) {
	for _, c := range []struct{ prefix, key, want string }{
		{"", "a.mp4", "a.mp4"}, {"lessons/", "a.mp4", "lessons/a.mp4"}, {"lessons", "/a.mp4", "lessons/a.mp4"}, {"l/.", ".b", "l/..b"},
		{"l/.", "./b", ""}, {"l/", "../b", ""}, {"l/", "", ""}, {strings.Repeat("p", 600), strings.Repeat("k", 600), ""},
	} {
		got, err := Place{Prefix: c.prefix}.key(c.key)
		if c.want == "" && media.KindOf(err) != media.Invalid || c.want != "" && (err != nil || got != c.want) {
			t.Errorf("%+v: %q, %v", c, got, err)
		}
	}
}

// FuzzParseURL: what is accepted survives being written again, and errors quote no password.
func FuzzParseURL(f *testing.F) {
	for _, text := range []string{
		"s3://lessons?region=eu-central-1&endpoint=https://s3.example.org&use_path_style=true&prefix=lessons/", "s3://k:s@b", "s3://b?x=1", "s3://b#", "s3:///b", "s3://[::1]", "s3://b?prefix=%2e%2e/",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParseURL(text)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "origin-s3-url: ") || strings.ContainsAny(err.Error(), "\r\n\x00") {
				t.Errorf("%q: error %q", text, err)
			}
			return
		}
		again, err := ParseURL(p.String())
		if err != nil || again != p {
			t.Errorf("%q: %+v was written as %q and read as %+v, %v", text, p, p.String(), again, err)
		}
		if key, err := p.key("a.mp4"); err == nil && !strings.HasPrefix(key, p.Prefix) {
			t.Errorf("%q: key %q", text, key)
		}
	})
}
