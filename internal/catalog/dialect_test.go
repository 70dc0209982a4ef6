package catalog

import (
	"regexp"
	"strings"
	"testing"
)

func TestRewrite(t *testing.T) {
	in := `SELECT $1, $12 FROM public.schedule_lesson l JOIN lectern.lectern_layout x ON l.public = $1`
	want := `SELECT ?1, ?12 FROM schedule_lesson l JOIN lectern_layout x ON l.public = ?1`
	if got := SQLite.rewrite(in); got != want {
		t.Errorf("%s", got)
	}
	if got := Postgres.rewrite(in); got != in {
		t.Errorf("%s", got)
	}
}

// FuzzRewrite holds the scan against the same as a regular expression.
func FuzzRewrite(f *testing.F) {
	for _, seed := range []string{
		"public.a, lectern.b, $1", "republic.a", "_public.a 1lectern.b", "public.lectern.a", "public", "lectern", "$", "$$1", "$1$2a$",
		".public.a", "a.lectern.b", "xpublic.public.a", "ppublic.a lpublic.", "\u00fcpublic.a", "$\u0661",
	} {
		f.Add(seed)
	}
	words := regexp.MustCompile(`\bpublic\.|\blectern\.|\$([0-9]+)`)
	f.Fuzz(func(t *testing.T, query string) {
		want := words.ReplaceAllStringFunc(query, func(word string) string {
			if number, ok := strings.CutPrefix(word, "$"); ok {
				return "?" + number
			}
			return ""
		})
		if got := SQLite.rewrite(query); got != want {
			t.Errorf("%q is %q, not %q", query, got, want)
		}
	})
}

func BenchmarkRewrite(b *testing.B) {
	query := strings.Repeat("SELECT x.a, x.b FROM public.schedule_lesson x JOIN lectern.lectern_layout y ON x.id = $1 AND y.id = $2 ", 4)
	for b.Loop() {
		_ = SQLite.rewrite(query)
	}
}
