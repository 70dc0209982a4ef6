package e2e

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/lectiospace/lectern/test/differential"
)

// apache is where Debian's apache2-bin has the server.
const apache = "/usr/sbin/apache2"

// TestDifferential sends DIFFERENTIAL_REQUESTS (1000) random requests for ranges and under
// conditions to the gateway, nginx and net/http, and with DIFFERENTIAL_APACHE=1 to Apache. All
// answers have to agree, but for the known classes of differences.
func TestDifferential(t *testing.T) {
	t.Parallel()
	requests, seed := environmentNumber(t, "DIFFERENTIAL_REQUESTS", 1000), environmentNumber(t, "DIFFERENTIAL_SEED", 1)
	f := newConformanceFixture(t)
	file := differential.File{Content: f.subject.Content, Modified: f.subject.Modified}
	dir := publicFile(t, file)
	wires := []differential.Wire{
		f.wire(file),
		startNginxFile(t, dir, file),
	}
	if os.Getenv("DIFFERENTIAL_APACHE") == "1" {
		wires = append(wires, startApacheFile(t, dir, file))
	}
	const workers = 2
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		all  = differential.NewComparison(file)
		errs []error
	)
	for worker := range workers {
		wg.Go(func() {
			own := differential.NewComparison(file)
			others := []differential.Server{differential.ServeContent{File: file}}
			var gateway *differential.Wire
			for _, w := range wires {
				defer w.Close()
				if gateway == nil {
					gateway = &w
				} else {
					others = append(others, &w)
				}
			}
			err := own.Compare(differential.NewGenerator(uint64(seed+worker), file), requests/workers, gateway, others...)
			mu.Lock()
			defer mu.Unlock()
			all.Merge(own)
			if err != nil {
				errs = append(errs, err)
			}
		})
	}
	wg.Wait()
	all.Report(t.Output())
	for _, err := range errs {
		t.Error(err)
	}
	for _, line := range all.Unknown {
		t.Errorf("a difference of no known class: %s", line)
	}
}

// wire is the gateway's stream of the file.
func (f *conformanceFixture) wire(file differential.File) differential.Wire {
	return differential.Wire{
		Label: "gateway", Address: strings.TrimPrefix(f.url, "http://"), Target: f.subject.Stream, ETag: f.subject.ETag, File: file,
		Fields: "Authorization: Bearer " + f.subject.Token + "\r\n",
	}
}

func environmentNumber(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// publicFile writes the file where a server's own account can read it.
func publicFile(t *testing.T, file differential.File) (dir string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "lectern-differential-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "a.mp4")
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, file.Content, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, file.Modified, file.Modified); err != nil {
		t.Fatal(err)
	}
	return dir
}

// startNginxFile starts an nginx that serves the file as it does without settings.
func startNginxFile(t *testing.T, dir string, file differential.File) differential.Wire {
	t.Helper()
	address := freeAddress(t)
	return startFileServer(t, "nginx", address, file, dir, fmt.Sprintf(`
daemon off; user root; worker_processes 1; pid %[1]s/nginx.pid; error_log %[1]s/nginx.log crit; events {}
http {
	access_log off; types { video/mp4 mp4; } keepalive_requests 1000000000;
	client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy;
	server { listen %[2]s; root %[1]s; }
}
`, dir, address), "/usr/sbin/nginx", "-c")
}

// startApacheFile starts an Apache that serves the file as it does without settings.
func startApacheFile(t *testing.T, dir string, file differential.File) differential.Wire {
	t.Helper()
	address := freeAddress(t)
	const modules = "/usr/lib/apache2/modules"
	return startFileServer(t, "apache", address, file, dir, fmt.Sprintf(`
ServerRoot %[1]s
ServerName x
PidFile %[1]s/apache.pid
ErrorLog %[1]s/apache.log
DefaultRuntimeDir %[1]s
Listen %[2]s
LoadModule mpm_event_module %[3]s/mod_mpm_event.so
LoadModule authz_core_module %[3]s/mod_authz_core.so
User www-data
Group www-data
KeepAlive On
MaxKeepAliveRequests 0
AddDefaultCharset Off
DocumentRoot %[1]s
`, dir, address, modules), apache, "-D", "FOREGROUND", "-f")
}

// startFileServer starts a server with a configuration, and learns the file's entity tag.
func startFileServer(t *testing.T, name, address string, file differential.File, dir, config string, command ...string) differential.Wire {
	t.Helper()
	path := filepath.Join(dir, name+".conf")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(command[0], append(command[1:], path)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM, Setpgid: true}
	cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
	})
	waitFor(t, name, func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	res, err := http.Get("http://" + address + "/a.mp4")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK || res.Header.Get("Last-Modified") != file.Modified.Format(http.TimeFormat) {
		t.Fatalf("%s: %s %v", name, res.Status, res.Header)
	}
	return differential.Wire{Label: name, Address: address, Target: "/a.mp4", ETag: res.Header.Get("ETag"), File: file}
}
