package config_test

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/lectiospace/lectern/internal/config"
)

const reloadSecret = "a secret of the platform: 32 bytes and more"

// TestReload: a setting that cannot be read or used keeps its value, and the others are
// read; a file that cannot be read at all is an error.
func TestReload(t *testing.T) {
	for _, c := range []struct {
		name    string
		yaml    string // "" leaves the file as it is
		secret  string // of the secret file; "-" removes it
		kept    []string
		changed []string
		err     string // of the whole
	}{
		{"nothing", "", "", nil, nil, ""},
		{"a secret", "", reloadSecret + "2", nil, []string{"auth-jwt-secret"}, ""},
		{"the level and another setting", "log: {level: debug}\ncache: {size: 2GiB}", "", nil, []string{"log-level", "cache-size"}, ""},
		{"a setting back to its default", "log: {}", "", nil, []string{"log-level"}, ""},
		{"a missing secret file, and the level", "log: {level: debug}", "-", []string{"auth-jwt-secret-file"}, []string{"log-level"}, ""},
		{"an empty secret", "", "\n", []string{"auth-jwt-secret"}, nil, ""},
		{"a short secret, and the level", "log: {level: debug}", "short", []string{"auth-jwt-secret"}, []string{"log-level"}, ""},
		{"a level that is none", "log: {level: loud}", reloadSecret + "2", []string{"log-level"}, []string{"auth-jwt-secret"}, ""},
		{"a size that is none, and a missing secret", "log: {level: warn}\ncache: {size: big}", "-", []string{"auth-jwt-secret-file", "cache-size"}, nil, ""},
		{"an impossible value", "log: {level: warn}\npublic_url: nowhere", "", []string{"public-url"}, nil, ""},
		{"no YAML", "log: [", reloadSecret + "2", nil, nil, "config"},
		{"an unknown key", "colour: red", reloadSecret + "2", nil, nil, "colour"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path, secret := file(t, "log: {level: warn}"), file(t, reloadSecret)
			env := []string{"LECTERN_CONFIG=" + path, "LECTERN_AUTH_JWT_SECRET_FILE=" + secret}
			var current cli
			if _, err := config.Parse("gateway", "", &current, nil, env, &bytes.Buffer{}, &bytes.Buffer{}); err != nil {
				t.Fatal(err)
			}
			if c.yaml != "" {
				if err := os.WriteFile(path, []byte(c.yaml), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			switch c.secret {
			case "":
			case "-":
				if err := os.Remove(secret); err != nil {
					t.Fatal(err)
				}
			default:
				if err := os.WriteFile(secret, []byte(c.secret), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			next, r, err := config.Reload(&current, func() *cli { return new(cli) })
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("error %v, want one that names %s", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var kept []string
			for _, problem := range r.Kept {
				kept = append(kept, problem.Setting)
			}
			if !slices.Equal(kept, c.kept) || !slices.Equal(r.Changed, c.changed) {
				t.Errorf("kept %q, changed %q; want %q, %q", kept, r.Changed, c.kept, c.changed)
			}
			if len(c.kept) > 0 && c.kept[0] == "auth-jwt-secret-file" && next.Auth.JWTSecret != reloadSecret {
				t.Errorf("the secret became %q", next.Auth.JWTSecret)
			}
			if current.Auth.JWTSecret != reloadSecret || current.Log.Level != "warn" {
				t.Error("the present settings changed")
			}
		})
	}
}

// TestApply: live settings are given to their functions and then are the present ones;
// the others are warnings each time, and so is one whose function refuses it.
func TestApply(t *testing.T) {
	path := file(t, "log: {level: warn}")
	var current cli
	if _, err := config.Parse("gateway", "", &current, []string{"--auth-jwt-secret=" + reloadSecret}, []string{"LECTERN_CONFIG=" + path}, &bytes.Buffer{}, &bytes.Buffer{}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("log: {level: debug}\ncache: {size: 2GiB}\ndatabase_url: postgres://db/x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	var calls []string
	live := config.Live[*cli]{
		"log-level":                func(next *cli) error { calls = append(calls, next.Log.Level); return nil },
		"database-url":             func(*cli) error { return errors.New("no") },
		"origin-drive-credentials": func(*cli) error { calls = append(calls, "drive"); return nil },
	}
	for range 2 {
		config.Apply(&current, func() *cli { return new(cli) }, live, []string{"origin-drive-credentials"}, slog.New(slog.NewTextHandler(&out, nil)))
	}
	if want := []string{"debug", "drive", "drive"}; !slices.Equal(calls, want) {
		t.Errorf("calls %q, want %q", calls, want)
	}
	if current.Log.Level != "debug" || current.Cache.Size == 2<<30 {
		t.Errorf("the present level is %s and the size %v", current.Log.Level, current.Cache.Size)
	}
	for setting, n := range map[string]int{"setting=cache-size": 2, "setting=database-url": 2, "setting=log-level": 0} {
		if got := strings.Count(out.String(), setting); got != n {
			t.Errorf("%d warnings with %s, want %d:\n%s", got, setting, n, &out)
		}
	}
}

// TestEmptyVariableIsAWarning: a variable that is set but empty is as if it were not set,
// and is named.
func TestEmptyVariableIsAWarning(t *testing.T) {
	path := file(t, "cache: {size: 3MiB}")
	s, p, err := parse(t, []string{"LECTERN_CONFIG=" + path, "LECTERN_CACHE_SIZE=", "LECTERN_SHUTDOWN_GRACE=", "LECTERN_AUTH_JWT_SECRET_FILE=", "LECTERN_AUTH_ISSUER=x"})
	if err != nil {
		t.Fatal(err)
	}
	if s.Cache.Size != 3<<20 || s.ShutdownGrace.String() != "20s" {
		t.Errorf("size %v, grace %v", s.Cache.Size, s.ShutdownGrace)
	}
	var names []string
	for _, w := range p.Warnings {
		name, rest, _ := strings.Cut(w, " ")
		if strings.Contains(rest, "empty") {
			names = append(names, name)
		}
	}
	if want := []string{"LECTERN_AUTH_JWT_SECRET_FILE", "LECTERN_CACHE_SIZE", "LECTERN_SHUTDOWN_GRACE"}; !slices.Equal(names, want) {
		t.Errorf("warnings %q", p.Warnings)
	}
}
