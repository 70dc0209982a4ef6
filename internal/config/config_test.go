package config_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lectiospace/lectern/internal/config"
)

type cli struct {
	config.Settings `embed:""`
	Serve           struct{} `cmd:"" default:"withargs"`
}

func parse(t *testing.T, env []string, args ...string) (config.Settings, *config.Parsed, error) {
	t.Helper()
	var c cli
	var out bytes.Buffer
	p, err := config.Parse("gateway", "", &c, args, env, &out, &out)
	return c.Settings, p, err
}

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "lectern.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFlagBeatsEnvironmentBeatsFileBeatsDefault(t *testing.T) {
	path := file(t, "cache: {size: 3MiB, min_free: 7MiB}\nlisten: 127.0.0.1:3\ntrusted_proxies: [10.0.0.0/8, 192.0.2.1]\norigin: {recheck: 5s, drive: {endpoint: http://e/}}\nlog: {level: debug}\n")
	env := []string{"LECTERN_CONFIG=" + path, "LECTERN_CACHE_SIZE=2MiB", "LECTERN_LISTEN=127.0.0.1:2"}
	s, _, err := parse(t, env, "--cache-size=1MiB")
	if err != nil {
		t.Fatal(err)
	}
	if s.Cache.Size != 1<<20 || s.Listen != "127.0.0.1:2" || s.Cache.MinFree != 7<<20 || s.Cache.ChunkSize != 1<<20 ||
		s.Objects.Recheck.String() != "5s" || s.Origin.Drive.Endpoint != "http://e/" || s.Log.Level != "debug" || s.Limit.StreamsPerUser != 8 {
		t.Errorf("%+v", s)
	}
	prefixes, err := s.TrustedPrefixes()
	if err != nil || len(prefixes) != 2 || prefixes[1].String() != "192.0.2.1/32" {
		t.Errorf("%v, %v", prefixes, err)
	}
	if s.DatabaseURL != "sqlite://lectern-data/lectern.db" || s.Cache.Dir != "lectern-data/cache" {
		t.Errorf("derived: %q, %q", s.DatabaseURL, s.Cache.Dir)
	}
}

// TestEverySettingOfBothPrograms: one file and one environment serve both.
func TestEverySettingOfBothPrograms(t *testing.T) {
	path := file(t, `
zoom: {webhook_secret: x, webhook_tolerance: 5m, api_url: u, oauth_url: u, download_hosts: [zoom.us, .zoom.us], redirect_hosts: h}
sync: {reconcile_every: 30m, lookback: 72h, usage_every: 6h, cleanup_at: "03:00", trash_grace: 168h, settle: 5m, delete_from_zoom: true, zoom_trash_after: 24h, provider: local, drive_folder: f, drive_shared_drive: d, workers: 2}
origin: {s3: {url: }, azure: {url: ""}}
alert: {urls: [a, b]}
limit: {playbacks_per_hour: 200}
secrets_key: k
cors:
`)
	env := []string{"LECTERN_SYNC_WORKERS=3", "LECTERN_ZOOM_WEBHOOK_SECRET_FILE=/dev/null", "ZOOM_WEBHOOK_SECRET_TOKEN=y", "PATH=/bin", "LECTERN_CACHE_SICE=1", "LECTERN_CONFIG=" + path}
	_, p, err := parse(t, env)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"LECTERN_CACHE_SICE is not a setting; did you mean LECTERN_CACHE_SIZE?"}; !slices.Equal(p.Warnings, want) {
		t.Errorf("warnings %q", p.Warnings)
	}
}

// TestSettingsOfTheOtherProgram: a shared file or environment may hold them, a command
// line may not.
func TestSettingsOfTheOtherProgram(t *testing.T) {
	for _, c := range []struct {
		program  string
		setting  string
		accepted []string // environments
	}{
		{"gateway", "sync-workers=3", []string{"LECTERN_SYNC_WORKERS=3", "LECTERN_CONFIG=" + file(t, "sync: {workers: 3}")}},
		{"syncer", "origin-recheck=5s", []string{"LECTERN_ORIGIN_RECHECK=5s", "LECTERN_CONFIG=" + file(t, "origin: {recheck: 5s}")}},
		{"syncer", "cache-size=5GiB", []string{"LECTERN_CACHE_SIZE=5GiB", "LECTERN_CONFIG=" + file(t, "cache: {size: 5GiB}")}},
	} {
		parse := func(env []string, args ...string) ([]string, error) {
			var group config.Group = &cli{}
			if c.program == "syncer" {
				group = &struct {
					config.SyncerSettings `embed:""`
					Serve                 struct{} `cmd:"" default:"withargs"`
				}{}
			}
			p, err := config.Parse(c.program, "", group, args, env, io.Discard, io.Discard)
			if err != nil {
				return nil, err
			}
			return p.Warnings, nil
		}
		var usage *config.Error
		if _, err := parse(nil, "--"+c.setting); !errors.As(err, &usage) || !strings.Contains(err.Error(), "unknown flag") {
			t.Errorf("%s --%s: %v", c.program, c.setting, err)
		}
		for _, env := range c.accepted {
			if warnings, err := parse([]string{env}); err != nil || len(warnings) > 0 {
				t.Errorf("%s, %s: %q, %v", c.program, env, warnings, err)
			}
		}
	}
}

func TestSecretsFromFiles(t *testing.T) {
	secret := file(t, "a-secret-of-32-bytes-or-more-0123456789\n")
	for _, env := range [][]string{
		{"LECTERN_AUTH_JWT_SECRET_FILE=" + secret},
		{"LECTERN_CONFIG=" + file(t, "auth: {jwt_secret_file: "+secret+"}")},
	} {
		s, _, err := parse(t, env)
		if err != nil || s.Auth.JWTSecret != "a-secret-of-32-bytes-or-more-0123456789" || s.ValidateServe() != nil {
			t.Errorf("%q, %v", s.Auth.JWTSecret, err)
		}
	}
}

// TestBadSettingsAreNamed: each error is one line with the setting, where its
// value came from, and what would be right.
func TestBadSettingsAreNamed(t *testing.T) {
	for _, c := range []struct {
		name  string
		yaml  string
		env   []string
		args  []string
		wants []string
	}{
		{"size", "", []string{"LECTERN_CACHE_SIZE=lots"}, nil, []string{"cache-size", "environment LECTERN_CACHE_SIZE", "64MiB"}},
		{"duration in a file", "origin:\n  recheck: soon\n", nil, nil, []string{"origin-recheck", "line 2"}},
		{"enum", "", []string{"LECTERN_AUTH_ACCESS_RULE=loose"}, nil, []string{"auth-access-rule", "strict, platform", "LECTERN_AUTH_ACCESS_RULE"}},
		{"unknown key", "cache: {sice: 1}\n", nil, nil, []string{"cache.sice", "line 1", "did you mean cache.size?"}},
		{"unknown section", "caches: {size: 1}\n", nil, nil, []string{"caches", "line 1"}},
		{"dashes", "data-dir: x\n", nil, nil, []string{"data-dir", "line 1"}},
		{"twice", "listen: 127.0.0.1:1\nlisten: 127.0.0.1:2\n", nil, nil, []string{"listen", "line 2"}},
		{"not a mapping", "- 1\n", nil, nil, []string{"line 1"}},
		{"not YAML", "a: [\n", nil, nil, []string{"config", "file "}},
		{"list of lists", "cors: {origins: [[a]]}\n", nil, nil, []string{"cors-origins", "line 1"}},
		{"address", "", nil, []string{"--listen=8080"}, []string{"listen", "flag --listen", "127.0.0.1:8080"}},
		{"port", "", nil, []string{"--listen=127.0.0.1:99999"}, []string{"listen", "flag --listen", "127.0.0.1:99999"}},
		{"proxy", "", []string{"LECTERN_TRUSTED_PROXIES=10.0.0.0/8,nonsense"}, nil, []string{"trusted-proxies", "nonsense"}},
		{"CORS", "", []string{"LECTERN_CORS_ORIGINS=https://a.example/path"}, nil, []string{"cors-origins", "https://a.example/path"}},
		{"embedding", "", []string{"LECTERN_EMBED_ORIGINS=https://a.example,http://b.example"}, nil, []string{"embed-origins", `"http://b.example"`, "https"}},
		{"database", "", []string{"LECTERN_DATABASE_URL=mysql://user:hidden@host/"}, nil, []string{"database-url", "postgres://"}},
		{"public URL", "", nil, []string{"--public-url=lessons.example"}, []string{"public-url"}},
		{"secret twice", "", []string{"LECTERN_AUTH_JWT_SECRET=hidden", "LECTERN_AUTH_JWT_SECRET_FILE=config_test.go"}, nil, []string{"auth-jwt-secret", "file"}},
		{"secret's file", "", []string{"LECTERN_AUTH_JWT_SECRET_FILE=/nowhere"}, nil, []string{"auth-jwt-secret-file", "/nowhere"}},
		{"unknown flag", "", nil, []string{"--cache-sice=1"}, []string{"cache-sice"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			env := c.env
			if c.yaml != "" {
				env = append(env, "LECTERN_CONFIG="+file(t, c.yaml))
			}
			_, _, err := parse(t, env, c.args...)
			var usage *config.Error
			if !errors.As(err, &usage) {
				t.Fatalf("%v", err)
			}
			for _, want := range c.wants {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
			if strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "hidden") {
				t.Errorf("%q has several lines, or a secret", err)
			}
		})
	}
}

func TestServingNeedsAKey(t *testing.T) {
	empty := file(t, "\n")
	for _, c := range []struct {
		env  []string
		want string
		from string
	}{
		{nil, "auth-jwt-secret", "not set by --auth-jwt-secret, LECTERN_AUTH_JWT_SECRET or a file"},
		{[]string{"LECTERN_AUTH_JWT_SECRET=short"}, "auth-jwt-secret", "environment LECTERN_AUTH_JWT_SECRET"},
		{[]string{"LECTERN_AUTH_JWT_SECRET_FILE=" + file(t, "short")}, "auth-jwt-secret", "environment LECTERN_AUTH_JWT_SECRET_FILE"},
		{[]string{"LECTERN_CONFIG=" + file(t, "\nauth: {jwt_secret: short}")}, "auth-jwt-secret", "line 2"},
		{[]string{"LECTERN_AUTH_JWT_SECRET_FILE=" + empty}, "auth-jwt-secret", "its file " + empty + " is empty"},
		{[]string{"LECTERN_AUTH_JWT_SECRET_FILE=" + empty, "LECTERN_CONFIG=" + file(t, "auth: {jwt_secret: ''}")}, "auth-jwt-secret", "its file " + empty + " is empty"},
		{[]string{"LECTERN_AUTH_JWT_SECRET_FILE=" + empty, "LECTERN_CONFIG=" + file(t, "auth: {jwt_secret: short}")}, "auth-jwt-secret", "line 1"},
		{[]string{"LECTERN_AUTH_JWKS_URL=https://keys.example/"}, "auth-playback-secret", "not set"},
		{[]string{"LECTERN_AUTH_JWT_SECRET=01234567890123456789012345678901", "LECTERN_CACHE_CHUNK_SIZE=1"}, "cache-chunk-size", "environment LECTERN_CACHE_CHUNK_SIZE"},
		{[]string{"LECTERN_AUTH_JWT_SECRET=01234567890123456789012345678901", "LECTERN_LIMIT_STREAMS=0"}, "limit-streams", "environment LECTERN_LIMIT_STREAMS"},
		{[]string{"LECTERN_AUTH_JWT_SECRET=01234567890123456789012345678901", "LECTERN_LIMIT_STREAMS_PER_USER=-1"}, "limit-streams-per-user", "environment LECTERN_LIMIT_STREAMS_PER_USER"},
	} {
		s, _, err := parse(t, c.env)
		if err != nil {
			t.Fatal(err)
		}
		var usage *config.Error
		if err := s.ValidateServe(); !errors.As(err, &usage) || !strings.HasPrefix(err.Error(), c.want+": ") || !strings.Contains(err.Error(), c.from) {
			t.Errorf("%v: %v, want %s from %s", c.env, err, c.want, c.from)
		}
	}
}

// TestPrintLoadsBack: what is printed is a configuration file, without secrets.
func TestPrintLoadsBack(t *testing.T) {
	env := []string{"LECTERN_AUTH_JWT_SECRET=hidden-hidden-hidden-hidden-hidden", "LECTERN_DATABASE_URL=postgres://u:hidden@h/d?sslpassword=hidden", "LECTERN_AUTH_JWKS_URL=https://u:hidden@keys.example/", "LECTERN_CACHE_SIZE=3MiB", "LECTERN_CORS_ORIGINS=https://a.example,https://b.example"}
	s, _, err := parse(t, env)
	if err != nil {
		t.Fatal(err)
	}
	var first, second bytes.Buffer
	if err := config.Print(&first, &s); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(first.String(), "hidden") || !strings.Contains(first.String(), "postgres://u:redacted@h/d?sslpassword=redacted") || !strings.Contains(first.String(), "size: 3MiB") {
		t.Errorf("printed:\n%s", &first)
	}
	again, _, err := parse(t, []string{"LECTERN_CONFIG=" + file(t, first.String())})
	if err != nil {
		t.Fatal(err)
	}
	if err := config.Print(&second, &again); err != nil || first.String() != second.String() {
		t.Errorf("loaded back, %v:\n%s", err, &second)
	}
}

func TestHelpAndVersion(t *testing.T) {
	for _, arg := range []string{"--help", "--version"} {
		if _, _, err := parse(t, nil, arg); !errors.Is(err, config.ErrDone) {
			t.Errorf("%s: %v", arg, err)
		}
	}
}

func FuzzFile(f *testing.F) {
	for _, seed := range []string{"", "cache: {size: 1}", "a: &a [*a]", "cache: {sice: 1}", "? [a]\n: b", "<<: {listen: x}", "---\n---\n", "listen: !!binary AA==", "auth:\n  jwt_secret_file: /nowhere"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var c cli
		path := filepath.Join(t.TempDir(), "f.yaml")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		_, err := config.Parse("gateway", "", &c, []string{"--config", path}, nil, &out, &out)
		var usage *config.Error
		if err != nil && !errors.As(err, &usage) {
			t.Errorf("%v is not a usage error", err)
		}
	})
}
