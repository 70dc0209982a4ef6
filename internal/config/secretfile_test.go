package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lectiospace/lectern/internal/config"
)

// TestInvisibleBytesInSecretFiles: they are removed and reported, but for the usual
// line end, which is not reported.
func TestInvisibleBytesInSecretFiles(t *testing.T) {
	const key = "one-secret-for-all-of-the-table-4711"
	for _, c := range []struct {
		name, content string
		reported      bool
	}{
		{"plain", key, false},
		{"LF", key + "\n", false},
		{"CR LF", key + "\r\n", false},
		{"byte order mark", "\ufeff" + key, true},
		{"byte order mark and CR LF", "\ufeff" + key + "\r\n", true},
		{"two marks", "\ufeff\ufeff" + key, true},
		{"zero-width space at the end", key + "\u200b\n", true},
		{"zero-width space within", key[:7] + "\u200b" + key[7:], true},
		{"word joiner", "\u2060" + key, true},
		{"direction mark", key + "\u200e", true},
		{"blanks", "  " + key + " \t\n", true},
		{"no-break space", key + "\u00a0", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "secret")
			if err := os.WriteFile(path, []byte(c.content), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, env := range []string{"LECTERN_AUTH_JWT_SECRET_FILE=" + path, "LECTERN_CONFIG=" + file(t, "auth: {jwt_secret_file: "+path+"}")} {
				s, _, err := parse(t, []string{env})
				if err != nil {
					t.Fatal(err)
				}
				if s.Auth.JWTSecret != key {
					t.Errorf("read as %q", s.Auth.JWTSecret)
				}
				if got := s.CleanedSecrets(); c.reported != (len(got) == 1 && strings.HasPrefix(got[0], "auth-jwt-secret ") && !strings.Contains(got[0], key)) {
					t.Errorf("reported as %q", got)
				}
			}
		})
	}
}

func TestSecretFileInUTF16(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte("\xff\xfeh\x00i\x00"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, err := parse(t, []string{"LECTERN_AUTH_JWT_SECRET_FILE=" + path})
	var usage *config.Error
	if !errors.As(err, &usage) || usage.Setting != "auth-jwt-secret-file" || !strings.Contains(err.Error(), "UTF-16") {
		t.Errorf("%v", err)
	}
}

// TestEmptySecretFiles: an empty file counts as not set, so that a unit can name a file for
// every secret: the configuration file's value is used, or the default.
func TestEmptySecretFiles(t *testing.T) {
	const key = "one-secret-for-all-of-the-table-4711"
	for _, content := range []string{"", "\n", "\ufeff \r\n"} {
		path := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		s, _, err := parse(t, []string{
			"LECTERN_AUTH_JWT_SECRET_FILE=" + path, "LECTERN_DATABASE_URL_FILE=" + path, "LECTERN_AUTH_PLAYBACK_SECRET_FILE=" + path,
			"LECTERN_AUTH_PLAYBACK_SECRET=" + key, "LECTERN_CONFIG=" + file(t, "auth: {jwt_secret: "+key+"}"), "LECTERN_DATA_DIR=/data",
		})
		if err != nil {
			t.Fatalf("%q: %v", content, err)
		}
		if s.Auth.JWTSecret != key || s.Auth.PlaybackSecret != key || s.DatabaseURL != "sqlite:///data/lectern.db" || len(s.CleanedSecrets()) != 0 {
			t.Errorf("%q: the file's value is %q, the variable's %q, the default %q, reported %q", content, s.Auth.JWTSecret, s.Auth.PlaybackSecret, s.DatabaseURL, s.CleanedSecrets())
		}
	}
}
