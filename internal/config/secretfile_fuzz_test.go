package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzSecretFile: a secret has nothing at its ends and in it that nobody sees, and is the same
// when its file is read again.
func FuzzSecretFile(f *testing.F) {
	for _, seed := range []string{"a-secret\n", "\ufeffa-secret\r\n", " a\u200bb \u2060", "\xff\xfea\x00", "\ufeff \ufeff", "a\xffb", "\u00a0a\u2003\n\n"} {
		f.Add([]byte(seed))
	}
	path := filepath.Join(f.TempDir(), "secret")
	read := func(t *testing.T, data []byte) (string, bool, error) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return readSecretFile(path)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		secret, cleaned, err := read(t, data)
		if err != nil {
			if secret != "" {
				t.Fatalf("%q with %v", secret, err)
			}
			return
		}
		if strings.TrimSpace(secret) != secret || strings.ContainsFunc(secret, isInvisible) {
			t.Fatalf("%q is the secret %q", data, secret)
		}
		if !cleaned && secret != strings.TrimRight(string(data), "\r\n") {
			t.Fatalf("%q is the secret %q, and nothing is reported", data, secret)
		}
		if again, cleaned, err := read(t, []byte(secret)); again != secret || cleaned || err != nil {
			t.Fatalf("%q reads as %q, %v, %v", secret, again, cleaned, err)
		}
	})
}
