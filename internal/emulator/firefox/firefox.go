// Package firefox drives a real Firefox, without a window, by its Marionette protocol: what
// geckodriver speaks to it, a line of JSON with its length before it.
package firefox

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// startTimeout bounds the time until Firefox listens.
const startTimeout = 30 * time.Second

// scriptTimeout bounds what Run awaits. Firefox's own bound is 30 s.
const scriptTimeout = 2 * time.Minute

// preferences keep Firefox from asking anything of anybody but the page's host.
const preferences = `user_pref("marionette.port", 0);
user_pref("app.update.enabled", false);
user_pref("browser.startup.homepage", "about:blank");
user_pref("browser.startup.page", 0);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("browser.region.network.url", "");
user_pref("browser.safebrowsing.malware.enabled", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("extensions.getAddons.cache.enabled", false);
user_pref("extensions.systemAddon.update.enabled", false);
user_pref("media.autoplay.default", 0);
user_pref("media.gmp-manager.updateEnabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("services.settings.server", "http://127.0.0.1:1");
user_pref("toolkit.telemetry.enabled", false);
`

// Browser is a running Firefox with one session. Its methods may be called from one goroutine.
type Browser struct {
	cmd  *exec.Cmd
	conn net.Conn
	in   *bufio.Reader
	next int
}

// Start starts program, as "firefox-esr", with a new profile in dir and further preferences, as
// {"intl.accept_languages": `"ru"`}. It runs until Close, or until ctx ends.
func Start(ctx context.Context, program, dir string, more map[string]string) (*Browser, error) {
	text := preferences
	for name, value := range more {
		text += fmt.Sprintf("user_pref(%q, %s);\n", name, value)
	}
	if err := os.WriteFile(filepath.Join(dir, "user.js"), []byte(text), 0o600); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, program, "--headless", "--marionette", "--remote-allow-system-access", "--no-remote", "--profile", dir)
	cmd.Env = append(os.Environ(), "HOME="+dir, "MOZ_CRASHREPORTER_DISABLE=1")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	b := &Browser{cmd: cmd}
	if err := b.connect(ctx, filepath.Join(dir, "MarionetteActivePort")); err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return nil, fmt.Errorf("firefox: %w", err)
	}
	return b, nil
}

// connect waits for the file that names the port, and begins a session.
func (b *Browser) connect(ctx context.Context, file string) (err error) {
	for end := time.Now().Add(startTimeout); ; time.Sleep(50 * time.Millisecond) {
		var port []byte
		if port, err = os.ReadFile(file); err == nil && len(port) > 0 {
			var d net.Dialer
			if b.conn, err = d.DialContext(ctx, "tcp", "127.0.0.1:"+strings.TrimSpace(string(port))); err == nil {
				break
			}
		}
		if time.Now().After(end) || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
	}
	b.in = bufio.NewReader(b.conn)
	if _, err = b.read(); err != nil { // its greeting
		return err
	}
	err = b.Do("WebDriver:NewSession", map[string]any{"capabilities": map[string]any{"alwaysMatch": map[string]any{"pageLoadStrategy": "none"}}}, nil)
	if err != nil {
		return err
	}
	return b.Do("WebDriver:SetTimeouts", map[string]any{"script": scriptTimeout.Milliseconds()}, nil)
}

// Close ends Firefox.
func (b *Browser) Close() {
	_ = b.Do("Marionette:Quit", map[string]any{"flags": []string{"eForceQuit"}}, nil)
	_ = b.conn.Close()
	_ = b.cmd.Wait()
}

// Do sends a command, and puts its result into out, if that is not nil.
func (b *Browser) Do(command string, parameters, out any) error {
	b.next++
	text, err := json.Marshal([]any{0, b.next, command, parameters})
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(b.conn, "%d:%s", len(text), text); err != nil {
		return err
	}
	raw, err := b.read()
	if err != nil {
		return fmt.Errorf("%s: %w", command, err)
	}
	var message [4]json.RawMessage
	if err := json.Unmarshal(raw, &message); err != nil {
		return fmt.Errorf("%s: %w in %s", command, err, raw)
	}
	var problem *struct{ Error, Message string }
	if err := json.Unmarshal(message[2], &problem); err != nil || problem != nil {
		return fmt.Errorf("%s: %s", command, message[2])
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(message[3], out)
}

// read reads one message: its length, a colon, JSON.
func (b *Browser) read() ([]byte, error) {
	length, err := b.in.ReadString(':')
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(strings.TrimSuffix(length, ":"))
	if err != nil {
		return nil, err
	}
	raw := make([]byte, n)
	_, err = io.ReadFull(b.in, raw)
	return raw, err
}

// Navigate opens an address and does not wait for it.
func (b *Browser) Navigate(address string) error {
	return b.Do("WebDriver:Navigate", map[string]any{"url": address}, nil)
}

// Run evaluates an expression, awaits what it promises, and puts it into out.
func (b *Browser) Run(expression string, out any) error {
	script := "const done = arguments[arguments.length - 1]; (async () => (" + expression + "))().then((v) => done({ v: v ?? null }), (e) => done({ e: String(e) }))"
	var result struct {
		Value struct {
			V json.RawMessage
			E string
		}
	}
	if err := b.Do("WebDriver:ExecuteAsyncScript", map[string]any{"script": script, "args": []any{}, "sandbox": "default", "newSandbox": true}, &result); err != nil {
		return err
	}
	if result.Value.E != "" {
		return errors.New(result.Value.E)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(result.Value.V, out)
}

// NewTab opens a tab and makes it the one that the other methods mean.
func (b *Browser) NewTab() error {
	var opened struct{ Handle string }
	if err := b.Do("WebDriver:NewWindow", map[string]any{"type": "tab", "focus": true}, &opened); err != nil {
		return err
	}
	return b.Do("WebDriver:SwitchToWindow", map[string]any{"handle": opened.Handle, "focus": true}, nil)
}

// RunPrivileged evaluates statements with the rights of the browser's own code, which may clear
// its caches and close its connections.
func (b *Browser) RunPrivileged(script string) error {
	if err := b.Do("Marionette:SetContext", map[string]any{"value": "chrome"}, nil); err != nil {
		return err
	}
	err := b.Do("WebDriver:ExecuteScript", map[string]any{"script": script, "args": []any{}}, nil)
	return errors.Join(err, b.Do("Marionette:SetContext", map[string]any{"value": "content"}, nil))
}

// AddContentScript has a script run in each page before the page's own, until Close. dir
// is an empty folder for the extension that does it.
func (b *Browser) AddContentScript(dir string, script []byte) error {
	if err := os.WriteFile(filepath.Join(dir, "manifest.json"), []byte(contentScriptManifest), 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "script.js"), script, 0o600); err != nil {
		return err
	}
	return b.Do("Addon:Install", map[string]any{"path": dir, "temporary": true}, nil)
}

const contentScriptManifest = `{
	"manifest_version": 2, "name": "Script", "version": "1",
	"browser_specific_settings": {"gecko": {"id": "script@lectern.test"}},
	"content_scripts": [{"matches": ["http://*/*"], "js": ["script.js"], "run_at": "document_start"}]
}`
