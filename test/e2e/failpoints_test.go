package e2e

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lectiospace/lectern/internal/failpoint/points"
)

// TestNoFailpoints: the programs have no failpoint, neither its name nor the variable that
// would configure it. A program built with the tag has all of both: see test/crash.
func TestNoFailpoints(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"gateway", "syncer"} {
		data, err := os.ReadFile(filepath.Join(bin, program))
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range points.Texts() {
			if holdsConstant(data, text) {
				t.Errorf("%s has the text %q", program, text)
			}
		}
	}
	for data, want := range map[string]bool{
		"cache.evictcache.lockdb.begin":                     true, // constants stand one behind the other
		"cache.lock":                                        true,
		"lectern/internal/cache.lockDirectory\x00":          false,
		"*cache.lockProbe":                                  false,
		"func(int, cache.lockProbe) map[string]cache.locks": false,
	} {
		if got := holdsConstant([]byte(data), "cache.lock"); got != want {
			t.Errorf("%q: %v, want %v", data, got, want)
		}
	}
}

// holdsConstant reports whether a program has a text other than as the beginning of a function's
// or a type's name, which stands behind the path of its package or the sign of a type.
func holdsConstant(program []byte, text string) bool {
	for at := 0; ; {
		i := bytes.Index(program[at:], []byte(text))
		if i < 0 {
			return false
		}
		at += i
		if at == 0 || !strings.ContainsRune("/*]( ", rune(program[at-1])) {
			return true
		}
		at += len(text)
	}
}
