package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/config"
	"github.com/lectiospace/lectern/internal/doctor"
	driveemu "github.com/lectiospace/lectern/internal/emulator/drive"
	oidcemu "github.com/lectiospace/lectern/internal/emulator/oidc"
	"github.com/lectiospace/lectern/internal/pgtest"
)

// runDoctor runs doctor in this process, with settings that are healthy but for env.
func runDoctor(ctx context.Context, t *testing.T, env []string, args ...string) (code int, found []doctor.Finding, text string) {
	t.Helper()
	var out, errs bytes.Buffer
	healthy := []string{
		"LECTERN_DATA_DIR=" + t.TempDir(), "LECTERN_AUTH_JWT_SECRET=" + testSecret, "LECTERN_AUTH_QUERY_TOKENS=playback",
		"LECTERN_LISTEN=127.0.0.1:0", "LECTERN_ADMIN_LISTEN=127.0.0.1:0", "LECTERN_CACHE_MIN_FREE=0", "LECTERN_CACHE_SIZE=1MiB", "LECTERN_LIMIT_STREAMS=100",
	}
	for _, given := range env {
		name, _, _ := strings.Cut(given, "=")
		healthy = slices.DeleteFunc(healthy, func(e string) bool { return strings.HasPrefix(e, name+"=") })
	}
	env = append(healthy, env...)
	code = config.Run(ctx, "gateway", description, &CLI{}, append([]string{"doctor", "--json"}, args...), env, terminal{In: strings.NewReader(""), Out: &out, Err: &errs})
	if err := json.Unmarshal(out.Bytes(), &found); err != nil {
		t.Fatalf("%v in %s%s", err, &out, &errs)
	}
	return code, found, out.String() + errs.String()
}

// silentServer accepts connections, which wait in its backlog, and never answers.
func silentServer(t *testing.T) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln.Addr().String()
}

// serviceAccount is the JSON of a service account that gets its tokens at a URL.
func serviceAccount(t *testing.T, tokenURL string) string {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	account, err := json.Marshal(map[string]string{
		"type": "service_account", "client_email": "lectern@example.org", "token_uri": tokenURL,
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(account)
}

// platformDatabases are a database beside the platform for the role lectern: complete, without
// Lectern's triggers, and as a superuser sees it.
func platformDatabases(t *testing.T) (complete, bare, super string) {
	load := func(scripts ...string) (url string) {
		url = pgtest.Start(t)
		for _, path := range scripts {
			text, err := os.ReadFile("../../" + path)
			if err != nil {
				t.Fatal(err)
			}
			pgtest.Load(t, url, string(text))
		}
		return url
	}
	const tables, grants = "internal/catalog/catalogtest/lectiospace.sql", "configs/platform/grants.sql"
	super = load(tables, grants, "configs/platform/notify.sql")
	bareSuper := load(tables, grants)
	complete, bare = pgtest.As(t, super, "lectern"), pgtest.As(t, bareSuper, "lectern")
	for _, url := range []string{complete, bare} {
		if code, out, errs := runGateway(t, []string{"LECTERN_DATABASE_URL=" + url}, "migrate", "up", "--yes", "--no-backup"); code != 0 {
			t.Fatalf("migrate: %s%s", out, errs)
		}
	}
	return complete, bare, super
}

// TestDoctorNamesWhatIsBroken: each broken set-up is named with its status and what to do, and
// nothing else is blamed.
func TestDoctorNamesWhatIsBroken(t *testing.T) {
	complete, bare, super := platformDatabases(t)
	skewed := func(h http.Handler, by time.Duration) string {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Date", time.Now().Add(by).UTC().Format(http.TimeFormat))
			h.ServeHTTP(w, r)
		}))
		t.Cleanup(server.Close)
		return server.URL
	}
	driveWith := func(f driveemu.Faults) string {
		remote := driveemu.New()
		remote.SetDefaults(f)
		return skewed(remote, 0)
	}
	tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"error":"invalid_grant","error_description":"hidden"}`))
	}))
	t.Cleanup(tokens.Close)
	provider, err := oidcemu.Start(oidcemu.Config{Now: time.Now, RedirectURIs: []string{"https://lms.example/signin/callback"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(provider.Close)
	signIn := func(issuer, secret, public string) []string {
		return []string{"LECTERN_OIDC_ISSUER=" + issuer, "LECTERN_OIDC_CLIENT_ID=" + oidcemu.ClientID, "LECTERN_OIDC_CLIENT_SECRET=" + secret, "LECTERN_PUBLIC_URL=" + public}
	}
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	file := write("file", "")
	marked := write("marked", "\ufeff"+testSecret+"\n")
	broken := t.TempDir()
	if err := os.WriteFile(filepath.Join(broken, "lectern.db"), bytes.Repeat([]byte("no database "), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	newer := pgtest.Start(t)
	if code, out, errs := runGateway(t, []string{"LECTERN_DATABASE_URL=" + newer}, "migrate", "up", "--yes", "--no-backup"); code != 0 {
		t.Fatalf("migrate: %s%s", out, errs)
	}
	pgtest.Exec(t, newer, `INSERT INTO lectern.lectern_goose_version (version_id, is_applied) VALUES (9999, true)`)
	silent := pgtest.Start(t)
	if code, out, errs := runGateway(t, []string{"LECTERN_DATABASE_URL=" + silent}, "migrate", "up", "--yes", "--no-backup"); code != 0 {
		t.Fatalf("migrate: %s%s", out, errs)
	}
	version, _ := config.Version()
	pgtest.Exec(t, silent, `INSERT INTO lectern.lectern_gateways (id, version, address, started_at, beat_at) VALUES
			('dead/1', '0.9', 'https://one.example', now(), now() - interval '2 minutes'), ('old/2', '0.9', 'https://two.example', now(), now()),
			('live/3', '`+version+`', 'https://three.example', now(), now());
		INSERT INTO lectern.lectern_syncers (id, version, address, started_at, beat_at) VALUES
			('dead-1', '`+version+`', '10.0.0.1:8091', now(), now() - interval '2 minutes'), ('live-2', '`+version+`', '10.0.0.2:8091', now(), now()),
			('old-3', '0.9', '10.0.0.3:8091', now(), now()), ('older-4', '', '', now(), now());
		INSERT INTO lectern.river_leader (leader_id, elected_at, expires_at, name) VALUES ('stranger', now(), now() + interval '1 hour', 'default')`)
	taken := silentServer(t)
	const beside = "role,gateways,syncers,job queue" // what is not as it should be beside the silent ones
	const drive, endpoint, database = "LECTERN_ORIGIN_DRIVE_CREDENTIALS=none", "LECTERN_ORIGIN_DRIVE_ENDPOINT=", "LECTERN_DATABASE_URL="
	for _, c := range []struct {
		name   string
		env    []string
		code   int
		check  string
		status doctor.Status
		says   string
		fix    string
		others string // checks that may be blamed too, comma separated
		args   []string
	}{
		{name: "healthy, SQLite", check: "database", status: doctor.Pass},
		{name: "healthy, beside the platform", env: []string{database + complete}, check: "schema", status: doctor.Pass, says: "layout platform"},
		{name: "the role is told", env: []string{database + complete}, check: "role", status: doctor.Pass, says: "the role is lectern"},
		{name: "superuser", env: []string{database + super}, check: "role", status: doctor.Warn, says: "superuser"},
		{name: "missing triggers", env: []string{database + bare}, check: "triggers", status: doctor.Warn, says: "14 are missing"},
		{name: "pooler", env: []string{database + pgtest.Pooler(t, complete)}, check: "pooler", status: doctor.Warn, says: "transaction-mode"},
		{name: "database unreachable", env: []string{database + "postgres://u:hidden@127.0.0.1:1/d"}, code: 1, check: "database", status: doctor.Fail, says: "refused"},
		{name: "no such role", env: []string{database + pgtest.As(t, complete, "nobody")}, code: 1, check: "database", status: doctor.Fail, says: "nobody"},
		{name: "no such database", env: []string{database + strings.Replace(complete, "/test_", "/absent_", 1)}, code: 1, check: "database", status: doctor.Fail, says: "does not exist"},
		{name: "not a database", env: []string{"LECTERN_DATA_DIR=" + broken}, code: 1, check: "database", status: doctor.Fail, says: "not a database", fix: filepath.Join(broken, "lectern.db") + " is the file"},
		{name: "no schema", env: []string{database + pgtest.Start(t)}, code: 1, check: "schema", status: doctor.Fail, says: "no schema", others: "role"},
		{name: "schema too new", env: []string{database + newer}, code: 1, check: "schema", status: doctor.Fail, says: "9999", others: "role"},
		{name: "no gateway", env: []string{database + complete}, check: "gateways", status: doctor.Pass, says: "none is at work"},
		{name: "a gateway", env: []string{database + silent}, check: "gateways", status: doctor.Pass, says: "live/3: version " + version + ", public address https://three.example, last heartbeat 20", others: beside},
		{name: "a silent gateway", env: []string{database + silent}, check: "gateways", status: doctor.Warn, says: "dead/1 has been silent for 2m", others: beside},
		{name: "a silent gateway is described", env: []string{database + silent}, check: "gateways", status: doctor.Warn, says: "s: version 0.9, public address https://one.example, last heartbeat 20", others: beside},
		{name: "a gateway of another version", env: []string{database + silent}, check: "gateways", status: doctor.Warn, says: "old/2 has another version than this program (" + version + "): version 0.9, public address https://two.example, last heartbeat 20", others: beside},
		{name: "a syncer", env: []string{database + silent}, check: "syncers", status: doctor.Pass, says: "live-2: version " + version + ", public address 10.0.0.2:8091, last heartbeat 20", others: beside},
		{name: "a silent syncer", env: []string{database + silent}, check: "syncers", status: doctor.Warn, says: "dead-1 has been silent for 2m", others: beside},
		{name: "a syncer of another version", env: []string{database + silent}, check: "syncers", status: doctor.Warn, says: "old-3 has another version than this program (" + version + "): version 0.9, public address 10.0.0.3:8091, last heartbeat 20", others: beside},
		{name: "a syncer before versions were written", env: []string{database + silent}, check: "syncers", status: doctor.Warn, says: "older-4 has another version than this program (" + version + "): version unknown, public address none", others: beside},
		{name: "a foreign job queue", env: []string{database + silent}, check: "job queue", status: doctor.Warn, says: "stranger", others: beside},
		{name: "Drive refuses the connection", env: []string{drive, endpoint + "http://127.0.0.1:1"}, code: 1, check: "origin drive", status: doctor.Fail, says: "refused"},
		{name: "Drive API not enabled", env: []string{drive, endpoint + driveWith(driveemu.Faults{Status: 403, Reason: "accessNotConfigured", NoMetadata: true})}, code: 1, check: "origin drive", status: doctor.Fail, says: "accessNotConfigured"},
		{name: "Drive forbids", env: []string{drive, endpoint + driveWith(driveemu.Faults{Status: 403, Reason: "domainPolicy", NoMetadata: true})}, code: 1, check: "origin drive", status: doctor.Fail, says: "domainPolicy"},
		{name: "Drive asks to go slower", env: []string{drive, endpoint + driveWith(driveemu.Faults{Status: 403, Reason: "userRateLimitExceeded", NoMetadata: true})}, check: "origin drive", status: doctor.Warn, says: "userRateLimitExceeded"},
		{name: "a captive portal", env: []string{drive, endpoint + driveWith(driveemu.Faults{Status: 403, HTML: true, NoMetadata: true})}, code: 1, check: "origin drive", status: doctor.Fail, says: "proxy"},
		{name: "clock 10 minutes off", env: []string{drive, endpoint + skewed(driveemu.New(), 10*time.Minute)}, code: 1, check: "clock", status: doctor.Fail, says: "differ by"},
		{name: "clock a minute off", env: []string{drive, endpoint + skewed(driveemu.New(), -time.Minute)}, check: "clock", status: doctor.Warn, says: "differ by"},
		{name: "cache directory is a file", env: []string{"LECTERN_CACHE_DIR=" + file}, code: 1, check: "cache dir", status: doctor.Fail, says: "not a directory", others: "cache space"},
		{name: "cache directory unwritable", env: []string{"LECTERN_CACHE_DIR=/proc/lectern"}, code: 1, check: "cache dir", status: doctor.Fail, says: "cannot be written", others: "cache space"},
		{name: "cache disk full", env: []string{"LECTERN_CACHE_MIN_FREE=900TiB"}, code: 1, check: "cache space", status: doctor.Fail, says: "free"},
		{name: "data directory unwritable", env: []string{"LECTERN_DATA_DIR=/proc/lectern", "LECTERN_CACHE_DIR=" + dir + "/cache", "LECTERN_ORIGIN_LOCAL_ROOT=" + dir + "/none"}, code: 1, check: "data dir", status: doctor.Fail, says: "cannot be written", others: "database"},
		{name: "recordings are a file", env: []string{"LECTERN_ORIGIN_LOCAL_ROOT=" + file}, code: 1, check: "origin local", status: doctor.Fail, says: "not a directory"},
		{name: "listener taken", env: []string{"LECTERN_LISTEN=" + taken}, code: 1, check: "listen", status: doctor.Fail, says: "in use"},
		{name: "admin listener taken", env: []string{"LECTERN_ADMIN_LISTEN=" + taken}, code: 1, check: "admin listen", status: doctor.Fail, says: "in use"},
		{name: "public URL without TLS", env: []string{"LECTERN_PUBLIC_URL=http://lessons.example"}, check: "public url", status: doctor.Warn, says: "not https"},
		{name: "weak key", env: []string{"LECTERN_AUTH_JWT_SECRET=" + strings.Repeat("ab", 20)}, check: "jwt secret", status: doctor.Warn, says: "few"},
		{name: "JWKS unreachable", env: []string{"LECTERN_AUTH_JWKS_URL=http://127.0.0.1:1/"}, code: 1, check: "jwks", status: doctor.Fail, says: "cannot be fetched"},
		{name: "invisible bytes", env: []string{"LECTERN_AUTH_JWT_SECRET=", "LECTERN_AUTH_PLAYBACK_SECRET_FILE=" + marked}, code: 2, check: "secret files", status: doctor.Warn, says: "auth-playback-secret", others: "configuration"},
		{name: "a secret as a flag", args: []string{"--auth-playback-secret=" + strings.Repeat("hidden", 9)}, check: "secret flags", status: doctor.Warn, says: "auth-playback-secret"},
		{name: "no key", env: []string{"LECTERN_AUTH_JWT_SECRET="}, code: 2, check: "configuration", status: doctor.Fail, says: "auth-jwt-secret"},
		{name: "credentials missing", env: []string{"LECTERN_ORIGIN_DRIVE_CREDENTIALS=" + dir + "/missing"}, code: 2, check: "origin drive", status: doctor.Fail, says: "cannot be read", others: "configuration"},
		{name: "credentials of another kind", env: []string{`LECTERN_ORIGIN_DRIVE_CREDENTIALS={"a": "hidden"}`}, code: 2, check: "origin drive", status: doctor.Fail, says: "neither", others: "configuration"},
		{name: "credentials refused", env: []string{"LECTERN_ORIGIN_DRIVE_CREDENTIALS=" + serviceAccount(t, tokens.URL), endpoint + tokens.URL}, code: 1, check: "origin drive", status: doctor.Fail, says: "invalid_grant"},
		{name: "sign-in provider away", env: signIn("http://127.0.0.1:1", "hidden", "https://lms.example"), code: 1, check: "oidc", status: doctor.Fail, says: "cannot be reached"},
		{name: "redirect URI not registered", env: signIn(provider.URL, oidcemu.ClientSecret, "https://new.example"), code: 1, check: "oidc redirect", status: doctor.Fail, says: "400", fix: "https://new.example/signin/callback"},
		{name: "client secret of another client", env: signIn(provider.URL, "hidden", "https://lms.example"), code: 1, check: "oidc client", status: doctor.Fail, says: "invalid_client"},
		{name: "sign-in without a public URL", env: signIn(provider.URL, oidcemu.ClientSecret, ""), check: "oidc redirect", status: doctor.Warn, says: "not set"},
		{name: "control characters of a name", env: []string{"LECTERN_CACHE_DIR=" + file + "/\x1b[31m\u202e"}, code: 1, check: "cache dir", status: doctor.Fail, others: "cache space"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			code, found, text := runDoctor(t.Context(), t, c.env, c.args...)
			named := false
			for _, f := range found {
				named = named || f.Check == c.check && f.Status == c.status && strings.Contains(f.Detail, c.says) && strings.Contains(f.Fix, c.fix)
				switch {
				case f.Status == doctor.Pass || f.Check == c.check:
				case !slices.Contains(strings.Split(c.others, ","), f.Check):
					t.Errorf("blamed although healthy: %+v", f)
				}
				if f.Status != doctor.Pass && f.Fix == "" || f.Detail == "" {
					t.Errorf("%+v does not say what to do", f)
				}
			}
			if !named || code != c.code {
				t.Errorf("exit code %d, want %d; no %s of %q saying %q in %v", code, c.code, c.status, c.check, c.says, slices.DeleteFunc(found, func(f doctor.Finding) bool { return f.Status == doctor.Pass }))
			}
			if strings.Contains(text, "hidden") || strings.ContainsAny(text, "\x1b\u202e") {
				t.Errorf("a secret or a control character in %q", text)
			}
		})
	}
}

// TestDoctorEndsWhateverHangs: with everything silent the report is complete within 15 s.
func TestDoctorEndsWhateverHangs(t *testing.T) {
	t.Parallel()
	silent := silentServer(t)
	began := time.Now()
	code, found, text := runDoctor(t.Context(), t, []string{
		"LECTERN_DATABASE_URL=postgres://u@" + silent + "/d", "LECTERN_AUTH_JWKS_URL=http://" + silent + "/keys", "LECTERN_ADMIN_LISTEN=" + silent,
		"LECTERN_ORIGIN_DRIVE_CREDENTIALS=" + serviceAccount(t, "http://"+silent), "LECTERN_ORIGIN_DRIVE_ENDPOINT=http://" + silent,
	})
	if took := time.Since(began); took > 15*time.Second || code != 1 {
		t.Errorf("exit code %d after %v", code, took)
	}
	failed := map[string]bool{}
	for _, f := range found {
		if f.Status == doctor.Fail {
			failed[f.Check] = true
		}
	}
	for _, want := range []string{"database", "jwks", "admin listen", "origin drive"} {
		if !failed[want] {
			t.Errorf("%s is not named in %s", want, text)
		}
		delete(failed, want)
	}
	if len(failed) > 0 {
		t.Errorf("blamed although healthy: %v", failed)
	}
}
