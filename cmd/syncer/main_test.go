package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/lectiospace/lectern/internal/config"
)

// runSyncer runs a command in this process, on a data directory of its own.
func runSyncer(t *testing.T, env []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	env = append([]string{"LECTERN_DATA_DIR=" + t.TempDir()}, env...)
	code = config.Run(t.Context(), "syncer", description, &CLI{}, args, env, terminal{In: strings.NewReader(""), Out: &out, Err: &errs})
	return code, out.String(), errs.String()
}

func TestExitCodes(t *testing.T) {
	secret := "LECTERN_ZOOM_WEBHOOK_SECRET=a-webhook-secret"
	key := "LECTERN_SECRETS_KEY=" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32))
	quiet := []string{"serve", "--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0"}
	for _, c := range []struct {
		name string
		env  []string
		args []string
		code int
		says []string // on stderr
	}{
		{"version", nil, []string{"--version"}, 0, nil},
		{"help", nil, []string{"reconcile", "--help"}, 0, nil},
		{"unknown flag", nil, []string{"--sync-workres=1"}, 2, []string{"sync-workres"}},
		{"no secret", nil, nil, 2, []string{"zoom-webhook-secret", "not set by --zoom-webhook-secret"}},
		{"bad key", []string{secret, "LECTERN_SECRETS_KEY=hidden"}, []string{"tenant", "list"}, 2, []string{"secrets-key", "environment LECTERN_SECRETS_KEY"}},
		{"bad time", []string{secret, "LECTERN_SYNC_CLEANUP_AT=noon"}, quiet, 2, []string{"sync-cleanup-at", "environment LECTERN_SYNC_CLEANUP_AT"}},
		{"bad alert", []string{secret, "LECTERN_ALERT_URLS=nothing://hidden"}, quiet, 2, []string{"alert-urls"}},
		{"bad date", []string{secret}, []string{"reconcile", "--from=yesterday"}, 2, []string{"from", "flag --from", "YYYY-MM-DD"}},
		{"dates the wrong way round", []string{secret}, []string{"reconcile", "--from=2026-11-20", "--to=2026-11-19"}, 2, []string{"to", "before --from"}},
		{"unknown job", []string{secret}, []string{"run", "nothing"}, 2, []string{"usage"}},
		{"provider without credentials", []string{secret, "LECTERN_SYNC_PROVIDER=gdrive"}, quiet, 2, []string{"sync-provider", "origin-drive-credentials"}},
		{"credentials that cannot be read", []string{secret, "LECTERN_ORIGIN_DRIVE_CREDENTIALS=/nowhere/drive.json"}, quiet, 2,
			[]string{"origin-drive-credentials", "environment LECTERN_ORIGIN_DRIVE_CREDENTIALS", "/nowhere/drive.json"}},
		{"credentials that are no JSON", []string{secret, "LECTERN_ORIGIN_DRIVE_CREDENTIALS={hidden"}, quiet, 2, []string{"origin-drive-credentials", "environment LECTERN_ORIGIN_DRIVE_CREDENTIALS"}},
		{"bad mode", []string{secret, "LECTERN_SYNC_MODE=off"}, quiet, 2, []string{"sync-mode", "environment LECTERN_SYNC_MODE", "active, observe"}},
		{"backfill while observing", []string{secret, "LECTERN_SYNC_MODE=observe"}, []string{"backfill", "--from=2026-01-01"}, 1, []string{"sync-mode is observe", "--plan"}},
		{"assign while observing", []string{secret, "LECTERN_SYNC_MODE=observe"}, []string{"assign", "uuid==", "1"}, 1, []string{"sync-mode is observe"}},
		{"reconcile while observing", []string{secret, "LECTERN_SYNC_MODE=observe"}, []string{"reconcile"}, 0, []string{"sync-mode is observe"}},
		{"move while observing", []string{secret, "LECTERN_SYNC_MODE=observe"}, []string{"move", "--from=gdrive", "--to=local"}, 1, []string{"sync-mode is observe", "--dry-run"}},
		{"move to an unknown archive", []string{secret}, []string{"move", "--to=ftp"}, 2, []string{"to: ", "flag --to", `"ftp" is not one of gdrive, local, s3, azure`}},
		{"move to Zoom", []string{secret}, []string{"move", "--to=zoom"}, 2, []string{"flag --to", `"zoom" is not one of`}},
		{"move to where it is", []string{secret}, []string{"move", "--from=local", "--to=local"}, 2, []string{"flag --from", "is the same archive as --to"}},
		{"move to an archive without settings", []string{secret}, []string{"move", "--to=s3"}, 2, []string{"flag --to", "the archive s3 is not configured: set origin-s3-url"}},
		{"move from an archive without settings", []string{secret}, []string{"move", "--from=gdrive", "--to=local"}, 2, []string{"flag --from", "the archive gdrive is not configured: set origin-drive-credentials"}},
		{"move without a target", []string{secret}, []string{"move"}, 2, []string{"--to"}},
		{"move with nothing to move", []string{secret}, []string{"move", "--to=local"}, 0, nil},
		{"move an unknown recording", []string{secret}, []string{"move", "--to=local", "--recording=4711"}, 1, []string{"there is no recording 4711"}},
		{"unknown recording", []string{secret}, []string{"explain", "4711"}, 1, []string{"syncer: "}},
		{"no such file", []string{secret}, []string{"replay", "/nowhere/body.json"}, 1, []string{"/nowhere/body.json"}},
		{"no tenants", []string{secret, key}, []string{"tenant", "list"}, 0, nil},
		{"no jobs", []string{secret}, []string{"jobs"}, 0, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, _, stderr := runSyncer(t, c.env, c.args...)
			if code != c.code {
				t.Errorf("exit code %d, want %d: %s", code, c.code, stderr)
			}
			for _, want := range c.says {
				if !strings.Contains(stderr, want) {
					t.Errorf("%q lacks %q", stderr, want)
				}
			}
			if code == 2 && strings.Count(strings.TrimSpace(stderr), "\n") > 0 || strings.Contains(stderr, "hidden") {
				t.Errorf("several lines, or a secret: %q", stderr)
			}
		})
	}
}

func TestVersion(t *testing.T) {
	_, stdout, stderr := runSyncer(t, nil, "--version")
	version, commit := config.Version()
	if want := "syncer " + version + " (" + commit + ")\n"; stdout != want || stderr != "" {
		t.Errorf("%q, %q, want %q", stdout, stderr, want)
	}
}

// TestDoctorSaysTheMode: acting passes, observing is worth a warning.
func TestDoctorSaysTheMode(t *testing.T) {
	for mode, want := range map[string]string{"active": "PASS", "observe": "WARN"} {
		_, stdout, stderr := runSyncer(t, []string{"LECTERN_ZOOM_WEBHOOK_SECRET=a-webhook-secret", "LECTERN_SYNC_MODE=" + mode, "LECTERN_ZOOM_API_URL=http://127.0.0.1:1"}, "doctor", "--json")
		var findings []struct{ Check, Status, Detail string }
		if err := json.Unmarshal([]byte(stdout), &findings); err != nil {
			t.Fatalf("%v: %s %s", err, stdout, stderr)
		}
		if !slices.ContainsFunc(findings, func(f struct{ Check, Status, Detail string }) bool {
			return f.Check == "mode" && f.Status == want && strings.HasPrefix(f.Detail, mode)
		}) {
			t.Errorf("%s: %+v", mode, findings)
		}
	}
}

// TestRunPrintsOnlyTheSummary: the last line of output is JSON for scripts.
func TestRunPrintsOnlyTheSummary(t *testing.T) {
	for _, args := range [][]string{{"run", "usage"}, {"run", "cleanup"}, {"run", "purge"}, {"move", "--to=local"}} {
		code, stdout, stderr := runSyncer(t, []string{"LECTERN_ZOOM_WEBHOOK_SECRET=a-webhook-secret"}, args...)
		if code != 0 || !strings.HasPrefix(stdout, "{") || strings.Count(stdout, "\n") != 1 {
			t.Errorf("%v: exit code %d, %q, %q", args, code, stdout, stderr)
		}
	}
}
