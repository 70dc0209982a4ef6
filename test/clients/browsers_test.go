package clients

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/lectiospace/lectern/internal/npmtool"
)

// browser opens an address in a browser with a new profile. The function that it returns
// closes it.
type browser func(t *testing.T, address string) (closeBrowser func())

// started runs a browser in a process group of its own, which ends with it.
func started(t *testing.T, env []string, args ...string) (closeBrowser func()) {
	t.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v (scripts/clients installs what is missing)", err)
	}
	return func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
		if t.Failed() {
			text := said.String()
			t.Logf("%s wrote:\n%s", args[0], text[max(0, len(text)-4000):])
		}
	}
}

func chromium(t *testing.T, address string) func() {
	t.Helper()
	return started(t, nil, "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--user-data-dir="+t.TempDir(), "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic", "--autoplay-policy=no-user-gesture-required", address)
}

func firefox(t *testing.T, address string) func() {
	t.Helper()
	dir := t.TempDir()
	preferences := `user_pref("app.update.enabled", false);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("browser.aboutwelcome.enabled", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("media.autoplay.default", 0);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("services.settings.server", "http://127.0.0.1:1");
user_pref("toolkit.telemetry.enabled", false);
`
	if err := os.WriteFile(filepath.Join(dir, "user.js"), []byte(preferences), 0o600); err != nil {
		t.Fatal(err)
	}
	return started(t, []string{"HOME=" + dir, "MOZ_CRASHREPORTER_DISABLE=1"}, "firefox-esr", "--headless", "--no-remote", "--profile", dir, address)
}

// webkit is the browser that WebKitGTK is tested with, on a screen in memory.
func webkit(t *testing.T, address string) func() {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/*/webkit2gtk-4.*/MiniBrowser")
	if err != nil || len(found) == 0 {
		t.Fatalf("no MiniBrowser: %v (scripts/clients installs what is missing)", err)
	}
	return started(t, []string{"HOME=" + t.TempDir(), "WEBKIT_DISABLE_COMPOSITING_MODE=1", "LIBGL_ALWAYS_SOFTWARE=1"},
		"dbus-run-session", "--", "xvfb-run", "-a", "-s", "-screen 0 1024x768x24", found[len(found)-1], "--private", address)
}

// tryLibrary tries a library from npm, in Chromium.
func tryLibrary(p *pages, name, player string) func(t *testing.T, u user) {
	return func(t *testing.T, u user) {
		root, err := npmtool.Path("webplayers")
		if err != nil {
			t.Fatal(err)
		}
		p.library = http.FileServer(http.Dir(root))
		manifest, err := os.ReadFile(filepath.Join(root, name, "package.json"))
		if err != nil {
			t.Fatal(err)
		}
		var described struct{ Version string }
		if err := json.Unmarshal(manifest, &described); err != nil {
			t.Fatal(err)
		}
		u.version = strings.TrimSpace(described.Version) + ", Chromium " + u.version
		p.tryPlayer(t, u, chromium, player, true)
	}
}

// tryBrowser tries a browser's own player.
func tryBrowser(p *pages, open browser, reconnects bool) func(t *testing.T, u user) {
	return func(t *testing.T, u user) { p.tryPlayer(t, u, open, "native", reconnects) }
}
