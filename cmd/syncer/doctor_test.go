package main

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/catalog/schema"
	"github.com/lectiospace/lectern/internal/config"
	"github.com/lectiospace/lectern/internal/doctor"
	driveemu "github.com/lectiospace/lectern/internal/emulator/drive"
	zoomemu "github.com/lectiospace/lectern/internal/emulator/zoom"
)

const teacherAccount, teacherSecret = "acc-1", "hidden-1"

// startZoom is a Zoom that knows the teacher's account.
func startZoom(t *testing.T, faults zoomemu.Faults) *zoomemu.Server {
	z := zoomemu.New()
	z.AddAccount(zoomemu.Account{ID: teacherAccount, ClientID: "client-1", ClientSecret: teacherSecret, Owner: "host-1"})
	z.SetFaults(faults)
	if err := z.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(z.Stop)
	return z
}

// zoomEnv are the settings that lead to an emulated Zoom.
func zoomEnv(z *zoomemu.Server) []string {
	return []string{"LECTERN_ZOOM_API_URL=" + z.APIURL(), "LECTERN_ZOOM_OAUTH_URL=" + z.OAuthURL()}
}

// syncerDatabase is a database with one teacher, whom Zoom knows, and a gateway and a syncer
// of this program's version at work; and with what statements add.
func syncerDatabase(t *testing.T, statements ...string) (url string) {
	url = "sqlite://" + filepath.Join(t.TempDir(), "lectern.db")
	store, err := catalog.Open(t.Context(), url, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if err := schema.EnsureFresh(t.Context(), store); err != nil {
		t.Fatal(err)
	}
	now := catalog.NewDBTime(time.Now()).String()
	version, _ := config.Version()
	for _, statement := range append([]string{
		`INSERT INTO accounts_customuser (email, role, zoom_account_id, zoom_client_id, zoom_client_secret) VALUES ('t@school.example', 'teacher', '` + teacherAccount + `', 'client-1', '` + teacherSecret + `')`,
		`INSERT INTO lectern_gateways (id, version, address, started_at, beat_at) VALUES ('live/1', '` + version + `', 'https://one.example', '` + now + `', '` + now + `')`,
		`INSERT INTO lectern_syncers (id, version, address, started_at, beat_at) VALUES ('live-1', '` + version + `', '10.0.0.1:8091', '` + now + `', '` + now + `')`,
		`INSERT INTO lectern_runs (kind, started_at, finished_at, outcome, summary) VALUES ('reconcile', '` + now + `', '` + now + `', 'ok', '{}')`,
	}, statements...) {
		if _, err := store.DB().ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	return url
}

// runDoctor runs doctor in this process, with settings that are healthy but for env.
func runDoctor(t *testing.T, env []string) (code int, found []doctor.Finding, text string) {
	t.Helper()
	healthy := []string{
		"LECTERN_DATA_DIR=" + t.TempDir(), "LECTERN_LISTEN=127.0.0.1:0", "LECTERN_ADMIN_LISTEN=127.0.0.1:0", "LECTERN_ZOOM_WEBHOOK_SECRET=a-webhook-secret",
		"LECTERN_ALERT_URLS=logger://", "LECTERN_SYNC_WORK_MIN_FREE=0", "LECTERN_SYNC_WORK_SIZE=1MiB",
	}
	for _, given := range env {
		name, _, _ := strings.Cut(given, "=")
		healthy = slices.DeleteFunc(healthy, func(e string) bool { return strings.HasPrefix(e, name+"=") })
	}
	var out, errs bytes.Buffer
	code = config.Run(t.Context(), "syncer", description, &CLI{}, []string{"doctor", "--json"}, append(healthy, env...), terminal{In: strings.NewReader(""), Out: &out, Err: &errs})
	if err := json.Unmarshal(out.Bytes(), &found); err != nil {
		t.Fatalf("%v in %s%s", err, &out, &errs)
	}
	return code, found, out.String() + errs.String()
}

// problems are the findings that are no PASS.
func problems(found []doctor.Finding) []doctor.Finding {
	return slices.DeleteFunc(slices.Clone(found), func(f doctor.Finding) bool { return f.Status == doctor.Pass })
}

// TestDoctorNamesWhatIsBroken: each broken set-up is named with its status and what to do, and
// nothing else is blamed.
func TestDoctorNamesWhatIsBroken(t *testing.T) {
	version, _ := config.Version()
	database := "LECTERN_DATABASE_URL=" + syncerDatabase(t)
	upgrading := "LECTERN_DATABASE_URL=" + syncerDatabase(t, `UPDATE lectern_gateways SET version = '0.9'`, `UPDATE lectern_syncers SET version = '0.9'`)
	silent := "LECTERN_DATABASE_URL=" + syncerDatabase(t, `UPDATE lectern_gateways SET beat_at = '2026-11-20T10:00:00Z'`)
	healthy := startZoom(t, zoomemu.Faults{})
	zoomWith := func(f zoomemu.Faults) []string { return append(zoomEnv(startZoom(t, f)), database) }
	withZoom := func(env ...string) []string { return append(append(zoomEnv(healthy), database), env...) }
	target, err := url.Parse(healthy.OAuthURL())
	if err != nil {
		t.Fatal(err)
	}
	skewed := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.Out.URL = target },
		ModifyResponse: func(r *http.Response) error {
			r.Header.Set("Date", time.Now().Add(-10*time.Minute).UTC().Format(http.TimeFormat))
			return nil
		},
	})
	t.Cleanup(skewed.Close)
	driveWith := func(folder string, f driveemu.Faults) []string {
		remote := driveemu.New()
		remote.Put(driveemu.File{ID: "1folder", Name: "lessons", MimeType: driveemu.FolderType})
		remote.Put(driveemu.File{ID: "1closed", Name: "closed", MimeType: driveemu.FolderType, ReadOnly: true})
		remote.SetDefaults(f)
		server := httptest.NewServer(remote)
		t.Cleanup(server.Close)
		t.Cleanup(func() {
			for _, left := range remote.Files() {
				if left.ID != "1folder" && left.ID != "1closed" && !left.Trashed {
					t.Errorf("left in Drive: %+v", left)
				}
			}
		})
		return withZoom("LECTERN_ORIGIN_DRIVE_CREDENTIALS=none", "LECTERN_ORIGIN_DRIVE_ENDPOINT="+server.URL, "LECTERN_SYNC_DRIVE_FOLDER="+folder)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() })
	noBucket := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, "<Error><Code>NoSuchBucket</Code></Error>")
	}))
	t.Cleanup(noBucket.Close)
	for _, c := range []struct {
		name   string
		env    []string
		code   int
		check  string
		status doctor.Status
		says   string
		others string // checks that may be blamed too, comma separated
	}{
		{name: "healthy", env: withZoom(), check: "zoom", status: doctor.Pass, says: "1 of 1"},
		{name: "a gateway", env: withZoom(), check: "gateways", status: doctor.Pass, says: "live/1: version " + version + ", public address https://one.example, last heartbeat 20"},
		{name: "a syncer", env: withZoom(), check: "syncers", status: doctor.Pass, says: "live-1: version " + version + ", public address 10.0.0.1:8091, last heartbeat 20"},
		{name: "a gateway of another version", env: append(zoomEnv(healthy), upgrading), check: "gateways", status: doctor.Warn, says: "live/1 has another version", others: "syncers"},
		{name: "a syncer of another version", env: append(zoomEnv(healthy), upgrading), check: "syncers", status: doctor.Warn, says: "live-1 has another version", others: "gateways"},
		{name: "a silent gateway", env: append(zoomEnv(healthy), silent), check: "gateways", status: doctor.Warn, says: "live/1 has been silent"},
		{name: "healthy with Drive", env: driveWith("1folder", driveemu.Faults{}), check: "archive", status: doctor.Pass, says: "written"},
		{name: "scope missing", env: zoomWith(zoomemu.Faults{MissingScope: "cloud_recording:read:list_user_recordings:admin"}), code: 1, check: "zoom", status: doctor.Fail, says: "cloud_recording:read:list_user_recordings:admin"},
		{name: "credentials wrong", env: zoomWith(zoomemu.Faults{WrongAccount: true}), code: 1, check: "zoom", status: doctor.Fail, says: "credentials"},
		{name: "Zoom has a fault", env: zoomWith(zoomemu.Faults{APIStatus: 503}), code: 1, check: "zoom", status: doctor.Fail, says: "status 503"},
		{name: "Zoom's daily limit", env: zoomWith(zoomemu.Faults{DailyLimit: time.Now().Add(time.Hour)}), check: "zoom", status: doctor.Warn, says: "daily limit"},
		{name: "scope to delete missing", env: append(zoomWith(zoomemu.Faults{MissingScope: "cloud_recording:delete:recording_file:admin"}), "LECTERN_SYNC_DELETE_FROM_ZOOM=true"), check: "zoom scopes", status: doctor.Warn, says: "teacher 1"},
		{name: "no need to delete", env: append(zoomWith(zoomemu.Faults{MissingScope: "cloud_recording:delete:recording_file:admin"}), "LECTERN_SYNC_DELETE_FROM_ZOOM=false"), check: "zoom", status: doctor.Pass},
		{name: "Zoom refuses the connection", env: []string{database, "LECTERN_ZOOM_API_URL=http://127.0.0.1:1/v2", "LECTERN_ZOOM_OAUTH_URL=http://127.0.0.1:1/oauth/token"}, code: 1, check: "zoom", status: doctor.Fail, says: "refused", others: "zoom host"},
		{name: "clock 10 minutes off", env: []string{database, "LECTERN_ZOOM_API_URL=" + healthy.APIURL(), "LECTERN_ZOOM_OAUTH_URL=" + skewed.URL}, code: 1, check: "clock", status: doctor.Fail, says: "differ by"},
		{name: "clock within a wider tolerance", env: []string{database, "LECTERN_ZOOM_API_URL=" + healthy.APIURL(), "LECTERN_ZOOM_OAUTH_URL=" + skewed.URL, "LECTERN_ZOOM_WEBHOOK_TOLERANCE=15m"}, check: "clock", status: doctor.Warn, says: "differ by"},
		{name: "folder missing", env: driveWith("1missing", driveemu.Faults{}), code: 1, check: "archive", status: doctor.Fail, says: "missing"},
		{name: "folder to read only", env: driveWith("1closed", driveemu.Faults{}), code: 1, check: "archive", status: doctor.Fail, says: "may not add files"},
		{name: "Drive full", env: driveWith("1folder", driveemu.Faults{Upload: driveemu.UploadFaults{Forbidden: "storageQuotaExceeded"}}), code: 1, check: "archive", status: doctor.Fail, says: "no room"},
		{name: "My Drive is not written", env: driveWith("", driveemu.Faults{Upload: driveemu.UploadFaults{Forbidden: "storageQuotaExceeded"}}), check: "archive", status: doctor.Pass, says: "not tried"},
		{name: "another archive missing", env: withZoom("LECTERN_SYNC_PROVIDER=local", "LECTERN_ORIGIN_S3_CREDENTIALS=none", "LECTERN_ORIGIN_S3_URL=s3://missing?use_path_style=true&endpoint="+noBucket.URL), code: 1, check: "origin s3", status: doctor.Fail, says: "NoSuchBucket"},
		{name: "local archive unwritable", env: withZoom("LECTERN_ORIGIN_LOCAL_ROOT=" + file), code: 1, check: "archive", status: doctor.Fail, says: "not a directory"},
		{name: "work directory unwritable", env: withZoom("LECTERN_SYNC_WORK_DIR=" + file), code: 1, check: "work dir", status: doctor.Fail, says: "not a directory"},
		{name: "work disk full", env: withZoom("LECTERN_SYNC_WORK_MIN_FREE=900TiB"), code: 1, check: "work space", status: doctor.Fail, says: "free"},
		{name: "listener taken", env: withZoom("LECTERN_LISTEN=" + taken.Addr().String()), code: 1, check: "listen", status: doctor.Fail, says: "in use"},
		{name: "no alerts", env: withZoom("LECTERN_ALERT_URLS="), check: "alerts", status: doctor.Warn, says: "nowhere"},
		{name: "database unreachable", env: append(zoomEnv(healthy), "LECTERN_DATABASE_URL=postgres://u:hidden@127.0.0.1:1/d"), code: 1, check: "database", status: doctor.Fail, says: "refused"},
		{name: "no webhook secret", env: withZoom("LECTERN_ZOOM_WEBHOOK_SECRET="), code: 2, check: "configuration", status: doctor.Fail, says: "zoom-webhook-secret"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			code, found, text := runDoctor(t, c.env)
			named := false
			for _, f := range found {
				named = named || f.Check == c.check && f.Status == c.status && strings.Contains(f.Detail, c.says)
				if f.Status != doctor.Pass && f.Check != c.check && !slices.Contains(strings.Split(c.others, ","), f.Check) {
					t.Errorf("blamed although healthy: %+v", f)
				}
				if f.Status != doctor.Pass && f.Fix == "" || f.Detail == "" {
					t.Errorf("%+v does not say what to do", f)
				}
			}
			if !named || code != c.code {
				t.Errorf("exit code %d, want %d; no %s of %q saying %q in %v", code, c.code, c.status, c.check, c.says, problems(found))
			}
			if strings.Contains(text, "hidden") {
				t.Errorf("a secret in %q", text)
			}
		})
	}
}

// TestDoctorNamesMissingFFmpeg: PATH is the process's, so that no other test runs meanwhile.
func TestDoctorNamesMissingFFmpeg(t *testing.T) {
	env := append(zoomEnv(startZoom(t, zoomemu.Faults{})), "LECTERN_DATABASE_URL="+syncerDatabase(t))
	t.Setenv("PATH", t.TempDir())
	code, found, _ := runDoctor(t, env)
	if bad := problems(found); code != 1 || len(bad) != 1 || bad[0].Check != "ffmpeg" || bad[0].Status != doctor.Fail || bad[0].Fix == "" {
		t.Errorf("exit code %d, %v", code, bad)
	}
}

// TestDoctorEndsWhateverHangs: with Zoom and Drive silent the report is complete within 15 s.
func TestDoctorEndsWhateverHangs(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // connections wait in its backlog
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	address := "http://" + silent.Addr().String()
	began := time.Now()
	code, found, _ := runDoctor(t, []string{
		"LECTERN_DATABASE_URL=" + syncerDatabase(t), "LECTERN_ZOOM_API_URL=" + address, "LECTERN_ZOOM_OAUTH_URL=" + address,
		"LECTERN_ORIGIN_DRIVE_CREDENTIALS=none", "LECTERN_ORIGIN_DRIVE_ENDPOINT=" + address, "LECTERN_SYNC_DRIVE_FOLDER=1folder",
	})
	if took := time.Since(began); took > 15*time.Second || code != 1 {
		t.Errorf("exit code %d after %v", code, took)
	}
	bad := problems(found)
	for _, want := range []string{"archive", "zoom", "zoom host"} {
		if !slices.ContainsFunc(bad, func(f doctor.Finding) bool { return f.Check == want && f.Status == doctor.Fail }) {
			t.Errorf("%s is not named in %v", want, bad)
		}
	}
	if len(bad) != 3 {
		t.Errorf("blamed although healthy: %v", bad)
	}
}
