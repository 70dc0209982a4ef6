package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/emulator"
	zoomemu "github.com/lectiospace/lectern/internal/emulator/zoom"
	"github.com/lectiospace/lectern/internal/ffmpeg/ffmpegtest"
)

// containerEnv is set for the test binary inside the container.
const containerEnv = "LECTERN_E2E_CONTAINER"

// testUnit runs the test binary in the container and ends the container with its result.
const testUnit = `[Unit]
After=basic.target dbus.socket systemd-journald.service
Requires=basic.target
Wants=dbus.socket
[Service]
Type=oneshot
Environment=` + containerEnv + `=1 ` + binEnv + `=/usr/local/bin HOME=/root
WorkingDirectory=/src
ExecStart=/src/e2e.test -test.run=^TestUnitsInContainer$ -test.v
StandardOutput=file:/result
StandardError=inherit
ExecStopPost=+/bin/sh -c 'journalctl --no-pager -q -o cat -u lectern-gateway -u lectern-syncer >/journal; exec systemctl exit $$(test "$EXIT_STATUS" = 0; echo $$?)'
`

// TestUnits boots systemd in a container, with a copy of this machine's files, and runs
// the installation of docs/deployment.md there: see TestUnitsInContainer.
func TestUnits(t *testing.T) {
	t.Parallel()
	nspawn, err := exec.LookPath("systemd-nspawn")
	if err != nil || os.Geteuid() != 0 {
		t.Skip("needs root and systemd-nspawn; TestUnitsAreHardened in configs looks at the units without them")
	}
	dir := t.TempDir()
	root := filepath.Join(dir, "root")
	layers := filepath.Join(dir, "layers")
	for _, path := range []string{root, layers} {
		if err := os.Mkdir(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	mount(t, "tmpfs", layers, "size=1g")
	for _, path := range []string{"upper", "work"} {
		if err := os.Mkdir(filepath.Join(layers, path), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	mount(t, "overlay", root, fmt.Sprintf("lowerdir=/,upperdir=%[1]s/upper,workdir=%[1]s/work", layers))
	for path, content := range map[string]string{
		"etc/systemd/system/lectern-test.service": testUnit,
		"etc/machine-id":            "0123456789abcdef0123456789abcdef\n",
		"etc/fstab":                 "",
		"usr/sbin/policy-rc.d":      "",
		"src/install.sh":            installation(t),
		"etc/systemd/journald.conf": "[Journal]\nStorage=volatile\nRateLimitBurst=0\n",
	} {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	configs, err := filepath.Abs("../../configs")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, nspawn, "--directory="+root, "--machine=lectern-e2e", "--register=no", "--keep-unit", "--private-network", "--link-journal=no",
		"--console=read-only", "--bind-ro="+self+":/src/e2e.test", "--bind-ro="+bin+":/src/bin", "--bind-ro="+configs+":/src/configs",
		"--boot", "systemd.unit=lectern-test.service", "systemd.log_target=console")
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	console, err := cmd.CombinedOutput()
	result, _ := os.ReadFile(filepath.Join(root, "result"))
	if !strings.Contains(string(result), "--- PASS: TestUnitsInContainer") || err != nil {
		journal, _ := os.ReadFile(filepath.Join(root, "journal"))
		t.Fatalf("%v\nin the container:\n%s\njournal:\n%s\nconsole:\n%s", err, tail(string(result), 8000), tail(string(journal), 8000), tail(string(console), 4000))
	}
	t.Logf("in the container:\n%s", result)
}

// mount mounts a file system until the test's end, or skips the test where the machine
// forbids it.
func mount(t *testing.T, kind, dir, options string) {
	t.Helper()
	if err := syscall.Mount(kind, dir, kind, 0, options); err != nil {
		t.Skipf("this machine cannot mount %s: %v", kind, err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
		}
	})
}

// installation is the commands of docs/deployment.md that install both programs.
func installation(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/deployment.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n## systemd\n")
	_, block, _ := strings.Cut(section, "\n```sh\n")
	block, _, ok := strings.Cut(block, "```")
	if !ok || !strings.Contains(block, "systemctl enable --now") {
		t.Fatal("docs/deployment.md has no commands below its heading systemd")
	}
	return "set -euxo pipefail\n" + block
}

// TestUnitsInContainer is the part of TestUnits inside the container.
func TestUnitsInContainer(t *testing.T) {
	if os.Getenv(containerEnv) == "" {
		t.Skip("runs in the container of TestUnits")
	}
	sh(t, "", "ip link set lo up")
	zoom := zoomemu.New()
	if err := zoom.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(zoom.Stop)
	zoom.AddAccount(zoomemu.Account{ID: "acc", ClientID: "client", ClientSecret: "client-secret", Owner: "host"})
	dropIn(t, "emulators", "Environment=LECTERN_ZOOM_API_URL="+zoom.APIURL()+" LECTERN_ZOOM_OAUTH_URL="+zoom.OAuthURL()+
		" LECTERN_ZOOM_DOWNLOAD_HOSTS=127.0.0.1 LECTERN_SYNC_SETTLE=0s LECTERN_SYNC_DELETE_FROM_ZOOM=false LECTERN_CACHE_MIN_FREE=0 LECTERN_SYNC_WORK_MIN_FREE=0")
	began := time.Now()
	t.Logf("installed:\n%s", tail(sh(t, zoomSecret+"\n", "bash install.sh 2>&1"), 6000))
	t.Logf("installed and ready after %s", time.Since(began).Round(time.Millisecond))

	for _, program := range []string{"gateway", "syncer"} {
		report := sh(t, "", "systemd-analyze security lectern-"+program)
		limit := map[string]float64{"gateway": 1.3, "syncer": 1.5}[program]
		var exposure float64
		if m := regexp.MustCompile(`Overall exposure level for \S+: ([0-9.]+)`).FindStringSubmatch(report); m == nil {
			t.Errorf("no exposure of %s in %s", program, report)
		} else if fmt.Sscan(m[1], &exposure); exposure > limit {
			t.Errorf("exposure of %s: %.1f, at most %.1f\n%s", program, exposure, limit, report)
		}
		t.Logf("exposure of %s, live: %.1f", program, exposure)
	}
	if log := sh(t, "", "journalctl -q -o cat -u lectern-gateway"); strings.Contains(log, "usual priority") {
		t.Errorf("the gateway's unit refuses the priority of the cache's writers:\n%s", tail(log, 2000))
	}
	t.Run("join", func(t *testing.T) { joinInside(t, zoom) })
	t.Run("secrets", func(t *testing.T) {
		key, err := os.ReadFile("/etc/lectern/credentials/auth-jwt-secret")
		if err != nil {
			t.Fatal(err)
		}
		readable := 0
		for _, root := range []string{"/etc/lectern", "/etc/systemd/system", "/var/lib/lectern", "/var/cache/lectern", "/run"} {
			_ = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
				if err != nil || !entry.Type().IsRegular() {
					return nil
				}
				info, _ := entry.Info()
				content, _ := os.ReadFile(path)
				secret := strings.Contains(string(content), zoomSecret) || strings.Contains(string(content), string(key))
				if secret {
					readable++
				}
				if secret && info.Mode().Perm()&0o007 != 0 {
					t.Errorf("%s holds a secret and has mode %v", path, info.Mode())
				}
				return nil
			})
		}
		if readable < 2 {
			t.Errorf("found %d files with secrets: the check sees nothing", readable)
		}
		if out, err := exec.Command("runuser", "-u", "nobody", "--", "cat", "/etc/lectern/lectern.yaml").CombinedOutput(); err == nil {
			t.Errorf("anybody reads the configuration: %s", out)
		}
	})
	t.Run("optional credential", func(t *testing.T) {
		write(t, "/etc/lectern/credentials/database-url", "sqlite:///var/lib/lectern/other.db\n", 0o600)
		sh(t, "", "systemctl restart lectern-syncer lectern-gateway; test -s /var/lib/lectern/other.db; lectern-run syncer jobs >/dev/null; rm /etc/lectern/credentials/database-url")
	})
	for _, order := range []string{"lectern-syncer; systemctl start lectern-gateway", "lectern-gateway; systemctl start lectern-syncer", "lectern-gateway lectern-syncer"} {
		t.Run("order "+order, func(t *testing.T) {
			sh(t, "", "systemctl stop lectern-gateway lectern-gateway.socket lectern-syncer lectern-syncer.socket; rm -rf /var/lib/lectern/* /var/cache/lectern/*; systemctl start "+order)
			ready(t)
		})
	}
	t.Run("abort is restarted", func(t *testing.T) {
		for _, unit := range []string{"lectern-gateway", "lectern-syncer"} {
			before := property(t, unit, "MainPID")
			sh(t, "", "systemctl kill --kill-whom=main --signal=ABRT "+unit)
			waitFor(t, unit+"'s restart", func() bool {
				pid := property(t, unit, "MainPID")
				return pid != before && pid != "0" && property(t, unit, "ActiveState") == "active"
			})
			if n := property(t, unit, "NRestarts"); n != "1" {
				t.Errorf("%s: NRestarts=%s", unit, n)
			}
		}
		ready(t)
	})
	t.Run("exit code 2 is not restarted", func(t *testing.T) {
		dropIn(t, "wrong", "Environment=LECTERN_SHUTDOWN_GRACE=-1s")
		for _, unit := range []string{"lectern-gateway", "lectern-syncer"} {
			if out, err := exec.Command("systemctl", "restart", unit).CombinedOutput(); err == nil {
				t.Errorf("%s starts: %s", unit, out)
			}
			for name, want := range map[string]string{"ActiveState": "failed", "ExecMainStatus": "2", "NRestarts": "0"} {
				if got := property(t, unit, name); got != want {
					t.Errorf("%s: %s=%s, want %s", unit, name, got, want)
				}
			}
		}
	})
}

// joinInside has the syncer's unit join two segments, and the gateway's play the result.
func joinInside(t *testing.T, zoom *zoomemu.Server) {
	at := time.Now().UTC().Add(-6 * time.Hour).Truncate(time.Minute)
	write(t, "/etc/lectern/school.yaml", fmt.Sprintf("people:\n  - {email: t@school.test, role: teacher, zoom_account_id: acc, zoom_client_id: client, zoom_client_secret: client-secret}\n"+
		"groups:\n  - {name: 7A, teacher: t@school.test}\n"+
		"lessons:\n  - {title: Joined, group: 7A, teacher: t@school.test, start: %s, end: %s, zoom_meeting_id: 80000000000, record: true}\n", at.Format(time.RFC3339), at.Add(time.Hour).Format(time.RFC3339)), 0o644)
	sh(t, "", "lectern-run gateway catalog apply /etc/lectern/school.yaml")
	// Parts of different frame rates have to be encoded: the most that ffmpeg does.
	meeting := zoomemu.Meeting{Account: "acc", ID: 80000000000, UUID: "uuid==", Host: "host", Start: at, Minutes: 50}
	for n, part := range [][]byte{lessonFile(t, "10"), lessonFile(t, "15")} {
		begin := at.Add(time.Duration(n) * 10 * time.Minute)
		meeting.Files = append(meeting.Files, zoomemu.File{ID: fmt.Sprintf("file-%d", n), Type: "MP4", View: "shared_screen_with_speaker_view", Start: begin, End: begin.Add(9 * time.Minute), Content: emulator.Bytes(part)})
	}
	zoom.AddMeeting(meeting)
	code, body, err := zoomemu.Deliver(t.Context(), http.DefaultClient, "http://127.0.0.1:8081/schedule/api/zoom/webhook/", zoomSecret, zoom.Event("recording.completed", "uuid=="))
	if err != nil || code != http.StatusOK {
		t.Fatalf("webhook: %d %s %v", code, body, err)
	}
	tok := strings.TrimSpace(sh(t, "", "lectern-run gateway token --user 1"))
	waitFor(t, "the joined recording", func() bool {
		res := fetchWith(t, tok, "", "http://127.0.0.1:8080/api/recordings/1/stream/")
		if res.StatusCode == http.StatusInternalServerError || res.StatusCode == http.StatusUnauthorized {
			t.Fatalf("the recording: %s", res.Status)
		}
		return res.StatusCode == http.StatusOK
	})
	if res := fetchWith(t, tok, "bytes=100-199", "http://127.0.0.1:8080/api/recordings/1/stream/"); res.StatusCode != http.StatusPartialContent || res.Header.Get("Content-Length") != "100" {
		t.Errorf("a range: %s %v", res.Status, res.Header)
	}
	if history := sh(t, "", "lectern-run syncer explain 1"); !strings.Contains(history, "encod") {
		t.Errorf("the parts were not encoded:\n%s", history)
	}
}

// fetchWith sends one request with a token and reads the answer to its end.
func fetchWith(t *testing.T, tok, byteRange, url string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+tok)
	if byteRange != "" {
		req.Header.Set("Range", byteRange)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		t.Fatal(err)
	}
	return res
}

// lessonFile is a small MP4 of a frame rate.
func lessonFile(t *testing.T, rate string) []byte {
	t.Helper()
	data, err := ffmpegtest.Encode(".mp4", "-f", "lavfi", "-i", "testsrc2=size=320x180:duration=4:rate="+rate, "-f", "lavfi", "-i", "sine=duration=4",
		"-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// ready waits until both programs say that they are.
func ready(t *testing.T) {
	t.Helper()
	for _, admin := range []string{"127.0.0.1:9090", "127.0.0.1:9091"} {
		waitFor(t, admin, func() bool {
			res, err := http.Get("http://" + admin + "/readyz")
			if err != nil {
				return false
			}
			defer res.Body.Close()
			var state struct{ Ready bool }
			return json.NewDecoder(res.Body).Decode(&state) == nil && res.StatusCode == http.StatusOK && state.Ready
		})
	}
}

// dropIn adds settings of the section Service to both units.
func dropIn(t *testing.T, name, settings string) {
	t.Helper()
	for _, unit := range []string{"lectern-gateway", "lectern-syncer"} {
		write(t, "/etc/systemd/system/"+unit+".service.d/"+name+".conf", "[Service]\n"+settings+"\n", 0o644)
	}
	sh(t, "", "systemctl daemon-reload")
}

func property(t *testing.T, unit, name string) string {
	t.Helper()
	return strings.TrimSpace(sh(t, "", "systemctl show --value --property="+name+" "+unit))
}

func write(t *testing.T, path, content string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
}

// sh runs commands that must succeed and returns what they print.
func sh(t *testing.T, stdin, script string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", script)
	cmd.Stdin = strings.NewReader(stdin)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", script, err, out, errs.String())
	}
	return string(out)
}
