package media_test

import (
	"path"
	"strings"
	"testing"

	"github.com/lectiospace/lectern/internal/media"
)

func TestCheckObjectKey(t *testing.T) {
	for _, key := range []string{
		"a.mp4", "lessons/2026/7-abc.mp4", "группа/урок 1.mp4", "a..b/..c/d..", "...", ".", "./a", "a//b", "/a", "a/", "%2e%2e/a", "a?b#c&d", "a b", strings.Repeat("k", 1024),
	} {
		if err := media.CheckObjectKey(key); err != nil {
			t.Errorf("%q: %v", key, err)
		}
	}
	for _, key := range []string{
		"", "..", "../a", "a/../b", "a/..", "/..", "//../a", `..\a`, `a\..\b`, `a/..\b`, "a\x00b", "a\nb", "a\rb", "a\tb", "a\x7fb", "a\u0085b", "\xff", strings.Repeat("k", 1025),
	} {
		err := media.CheckObjectKey(key)
		if media.KindOf(err) != media.Invalid {
			t.Errorf("%q: %v", key, err)
		}
		if len(key) > 3 && strings.Contains(err.Error(), key) {
			t.Errorf("%q is quoted: %v", key, err)
		}
	}
}

// FuzzCheckObjectKey: an accepted key below a prefix stays below it, whichever
// program cleans the path, and takes one line of a log or a header.
func FuzzCheckObjectKey(f *testing.F) {
	for _, key := range []string{"a.mp4", "a/../b", `a\..\..\b`, "/..", "a/./b", "\u2028", "a/...//"} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		if media.CheckObjectKey(key) != nil {
			return
		}
		for _, below := range []string{key, strings.ReplaceAll(key, `\`, "/")} {
			if cleaned := path.Clean("/prefix/" + below); cleaned != "/prefix" && !strings.HasPrefix(cleaned, "/prefix/") {
				t.Errorf("%q leads to %q", key, cleaned)
			}
		}
		if strings.ContainsAny(key, "\x00\r\n") || len(key) > media.MaxObjectKey {
			t.Errorf("%q is accepted", key)
		}
	})
}
