package e2e

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	zoomemu "github.com/lectiospace/lectern/internal/emulator/zoom"
)

const siteName = "lessons.example.org"

// reverseProxy is a running nginx, Caddy or HAProxy with the example of configs.
type reverseProxy struct {
	name, dir, address string
	cmd                *exec.Cmd
	client             *http.Client
}

// backends are where the example's upstreams lead in a test.
type backends struct{ gateway, syncer, platform string }

// proxyExample is one of the examples of configs.
type proxyExample struct {
	name, file string
	// adapt changes what a test must have of its own: the number of replacements is checked.
	adapt func(text, dir, port string) string
	check func(config string) []string
	run   func(config string) []string
}

var proxyExamples = []proxyExample{
	nginxExample("nginx", "nginx.conf"),
	nginxExample("nginx-fleet", "nginx-fleet.conf"),
	{"caddy", "Caddyfile", func(text, dir, port string) string {
		return replaceAll(text, map[string]string{"\nlessons.example.org {": "\nlessons.example.org:" + port + " {\n\tbind 127.0.0.1", "/etc/ssl/lessons.example.org.": dir + "/cert.", "\n{\n": "\n{\n\tadmin off\n\tauto_https disable_redirects\n"})
	}, func(c string) []string {
		return []string{"/usr/bin/caddy", "validate", "--adapter", "caddyfile", "--config", c}
	}, func(c string) []string {
		return []string{"/usr/bin/caddy", "run", "--adapter", "caddyfile", "--config", c}
	}},
	haproxyExample,
}

// haproxyExample is in front of one gateway or a fleet.
var haproxyExample = proxyExample{"haproxy", "haproxy.cfg", func(text, dir, port string) string {
	return replaceAll(text, map[string]string{"bind :443 ": "bind 127.0.0.1:" + port + " ", "/etc/haproxy/lessons.example.org.pem": dir + "/cert.both", "log /dev/log local0": "log stderr format raw local0"})
}, func(c string) []string { return []string{"/usr/sbin/haproxy", "-c", "-f", c} }, func(c string) []string { return []string{"/usr/sbin/haproxy", "-db", "-f", c} }}

// nginxExample wraps an example, which is for the level http, in what nginx needs around it.
func nginxExample(name, file string) proxyExample {
	return proxyExample{name, file, func(text, dir, port string) string {
		text = replaceAll(text, map[string]string{"listen 443 ": "listen 127.0.0.1:" + port + " ", "/etc/ssl/lessons.example.org.": dir + "/cert.", "/var/log/nginx/": dir + "/log."})
		return "daemon off;\nuser root;\npid " + dir + "/pid;\nerror_log " + dir + "/log.main;\nevents {}\nhttp {\nclient_body_temp_path " + dir + "/spool-body;\nproxy_temp_path " + dir + "/spool;\n" + text + "}\n"
	}, func(c string) []string { return []string{"/usr/sbin/nginx", "-t", "-c", c} }, func(c string) []string { return []string{"/usr/sbin/nginx", "-c", c} }}
}

// replaceAll replaces each of the texts, which must be there.
func replaceAll(text string, by map[string]string) string {
	for from, to := range by {
		if !strings.Contains(text, from) {
			panic("BUG: the example has no " + strconv.Quote(from))
		}
		text = strings.ReplaceAll(text, from, to)
	}
	return text
}

// startProxy checks an example with the proxy's own checker and starts it. change, unless
// it is nil, edits the example first.
func startProxy(t *testing.T, e proxyExample, to backends, change func(text string) string) *reverseProxy {
	t.Helper()
	data, err := os.ReadFile("../../configs/" + e.file)
	if err != nil {
		t.Fatal(err)
	}
	// A directory that the proxy's own account can enter.
	dir, err := os.MkdirTemp("", "lectern-proxy-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	p := &reverseProxy{name: e.name, dir: dir, address: freeAddress(t)}
	pool := certificate(t, dir)
	_, port, _ := net.SplitHostPort(p.address)
	text := string(data)
	if change != nil {
		text = change(text)
	}
	text = replaceAll(text, map[string]string{"127.0.0.1:8081": to.syncer, "127.0.0.1:8000": to.platform})
	for from, to := range map[string]string{"127.0.0.1:8080": to.gateway, "10.0.0.2:8080": to.gateway, "10.0.0.3:8080": to.gateway, "10.0.0.2:8081": to.syncer} {
		text = strings.ReplaceAll(text, from, to)
	}
	config := filepath.Join(dir, e.file)
	if err := os.WriteFile(config, []byte(e.adapt(text, dir, port)), 0o600); err != nil {
		t.Fatal(err)
	}
	env := append(os.Environ(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	check := e.check(config)
	checker := exec.Command(check[0], check[1:]...)
	checker.Env = env
	if out, err := checker.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", check, err, out)
	}
	run := e.run(config)
	p.cmd = exec.Command(run[0], run[1:]...)
	p.cmd.Env = env
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	log, err := os.Create(filepath.Join(dir, "log.stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		_ = p.cmd.Wait()
		if t.Failed() {
			t.Logf("%s wrote:\n%s", e.name, tail(p.logs(t), 6000))
		}
	})
	p.client = &http.Client{Transport: &http.Transport{
		ForceAttemptHTTP2: true, DisableCompression: true, MaxIdleConnsPerHost: 64, TLSClientConfig: &tls.Config{RootCAs: pool},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			// The client's address is another than the proxy's.
			return (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}).DialContext(ctx, network, p.address)
		},
	}}
	t.Cleanup(p.client.CloseIdleConnections)
	waitFor(t, e.name, func() bool {
		conn, err := net.Dial("tcp", p.address)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return p
}

// logs is everything that the proxy wrote.
func (p *reverseProxy) logs(t *testing.T) string {
	files, err := filepath.Glob(p.dir + "/log.*")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, file := range files {
		data, _ := os.ReadFile(file)
		all.Write(data)
	}
	return all.String()
}

// do sends a request through the proxy and reads the answer to its end.
func (p *reverseProxy) do(t *testing.T, method, path string, headers ...string) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "https://"+p.host()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Add(name, value)
	}
	res, err := p.client.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return res, body
}

// host is the site's name with the port.
func (p *reverseProxy) host() string {
	_, port, _ := net.SplitHostPort(p.address)
	return siteName + ":" + port
}

func freeAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// certificate writes a self-made certificate of the site as cert.pem, cert.key and both.
func certificate(t *testing.T, dir string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: siteName}, DNSNames: []string{siteName},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	private := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
	for name, content := range map[string][]byte{"cert.pem": public, "cert.key": private, "cert.both": append(bytes.Clone(public), private...)} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(public)
	return pool
}

// TestReverseProxies: the examples in front of a gateway, a syncer and a platform.
func TestReverseProxies(t *testing.T) {
	t.Parallel()
	c := newPlaybackFixture(t, "", "")
	g := c.serve(t, "LECTERN_LIMIT_AUTH_FAILURES=0", "LECTERN_TRUSTED_PROXIES=127.0.0.1/32")
	s := newZoomFixture(t, "", 1)
	syncer := serveProgram(t, "syncer", append(s.env, "LECTERN_SYNC_RECONCILE_EVERY=24h")...)
	platform := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "platform %s", r.URL.Path) }))
	t.Cleanup(platform.Close)
	address := func(url string) string { return strings.TrimPrefix(url, "http://") }
	access := "Authorization: Bearer " + token(t, "--user", pupil)
	for n, e := range proxyExamples {
		t.Run(e.name, func(t *testing.T) {
			p := startProxy(t, e, backends{address(g.url), address(syncer.url), address(platform.URL)}, nil)
			t.Run("ranges", func(t *testing.T) { proxiedRanges(t, p, c.video, access) })
			t.Run("hang-up", func(t *testing.T) { proxiedHangUp(t, p, g, access) })
			t.Run("webhook", func(t *testing.T) {
				for i, path := range []string{"/schedule/api/zoom/webhook/", "/api/zoom/webhook/", "/schedule/webhook/zoom/"} {
					body := fmt.Appendf(nil, `{"event":"endpoint.url_validation","event_ts":%d,"payload":{"plainToken":"token-%d"}}`, time.Now().UnixMilli(), i)
					code, answer, err := zoomemu.Deliver(t.Context(), p.client, "https://"+p.host()+path, zoomSecret, body)
					if err != nil || code != http.StatusOK || !strings.Contains(string(answer), "encryptedToken") {
						t.Errorf("%s: %d %s %v", path, code, answer, err)
					}
				}
				event := fmt.Appendf(nil, `{"event":"user.updated","event_ts":%d,"payload":{"account_id":"acc-%s"}}`, time.Now().UnixMilli(), p.name)
				if code, answer, err := zoomemu.Deliver(t.Context(), p.client, "https://"+p.host()+"/schedule/api/zoom/webhook/", zoomSecret, event); err != nil || code != http.StatusOK {
					t.Errorf("an event: %d %s %v", code, answer, err)
				}
				if code, _, err := zoomemu.Deliver(t.Context(), p.client, "https://"+p.host()+"/schedule/api/zoom/webhook/nobody/", zoomSecret, event); err != nil || code != http.StatusNotFound {
					t.Errorf("an unknown tenant: %d %v", code, err)
				}
			})
			t.Run("pages", func(t *testing.T) { proxiedPages(t, p) })
			t.Run("routes", func(t *testing.T) {
				for _, path := range []string{"/", "/admin/login/", "/api/groups/", "/schedule/api/lessons/7/", "/accounts/x", "/static/app.js"} {
					if res, body := p.do(t, "GET", path); res.StatusCode != 200 || string(body) != "platform "+path {
						t.Errorf("%s: %s %.80s, want the platform", path, res.Status, body)
					}
				}
				for _, path := range []string{"/schedule/api/recordings/", "/api/recordings/1/", "/api/schedule/recordings/1/", "/api/storage/quota/", "/api/lessons/1/recording/"} {
					if res, body := p.do(t, "GET", path); res.StatusCode != 401 || !strings.Contains(string(body), "not_authenticated") && !strings.Contains(string(body), "detail") {
						t.Errorf("%s: %s %.80s, want the gateway", path, res.Status, body)
					}
				}
			})
			t.Run("forwarded", func(t *testing.T) {
				req, err := http.NewRequestWithContext(t.Context(), "POST", "https://"+p.host()+classPlayback, nil)
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set("Authorization", strings.TrimPrefix(access, "Authorization: "))
				req.Header.Set("X-Forwarded-For", "203.0.113.77")
				req.Header.Set("X-Forwarded-Proto", "gopher")
				res, err := p.client.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				var got struct{ URL string }
				if err := json.NewDecoder(res.Body).Decode(&got); err != nil || res.StatusCode != http.StatusCreated || !strings.HasPrefix(got.URL, "https://"+p.host()+"/") {
					t.Errorf("%s, %v: a link to %q", res.Status, err, got.URL)
				}
				if cookie := res.Header.Get("Set-Cookie"); !strings.Contains(strings.ToLower(cookie), "secure") {
					t.Errorf("the cookie %q", cookie)
				}
				granted := func() []string {
					return regexp.MustCompile(`(?m)^.*"method":"POST".*"status":201.*$`).FindAllString(g.stderr.String(), -1)
				}
				waitFor(t, "the access record", func() bool { return len(granted()) == n+1 })
				line := granted()[n]
				if strings.Contains(g.stderr.String(), "203.0.113.77") || !strings.Contains(line, `"client":"127.0.0.2"`) {
					t.Errorf("the forged address counts: %s", line)
				}
			})
			t.Run("logs", func(t *testing.T) {
				p.do(t, "GET", "/api/recordings/1/stream/?token=SECRET-in-the-query")
				p.do(t, "GET", "/away?token=SECRET-in-the-query")
				if logs := p.logs(t); strings.Contains(logs, "SECRET-in") || strings.Contains(logs, strings.TrimPrefix(access, "Authorization: Bearer ")) {
					t.Errorf("the logs hold a token:\n%s", logs)
				}
			})
		})
	}
	t.Run("logs of failures", func(t *testing.T) {
		gone := freeAddress(t)
		for _, e := range proxyExamples {
			p := startProxy(t, e, backends{gone, gone, gone}, nil)
			if res, _ := p.do(t, "GET", "/api/recordings/1/stream/?token=SECRET-in-the-query"); res.StatusCode < 502 {
				t.Errorf("%s: %s", e.name, res.Status)
			}
			if logs := p.logs(t); strings.Contains(logs, "SECRET-in") {
				t.Errorf("%s logs a token:\n%s", e.name, logs)
			}
		}
	})
}

// proxiedRanges: HTTP/2, and every kind of range as the gateway answers it.
func proxiedRanges(t *testing.T, p *reverseProxy, video []byte, access string) {
	size := len(video)
	for _, c := range []struct {
		header, want string
		status       int
		body         []byte
	}{
		{"", "", 200, video},
		{"bytes=0-0", fmt.Sprintf("bytes 0-0/%d", size), 206, video[:1]},
		{"bytes=1000-70000", fmt.Sprintf("bytes 1000-70000/%d", size), 206, video[1000:70001]},
		{"bytes=-500", fmt.Sprintf("bytes %d-%d/%d", size-500, size-1, size), 206, video[size-500:]},
		{fmt.Sprintf("bytes=%d-", size), fmt.Sprintf("bytes */%d", size), 416, nil},
		{"bytes=0-9,100-109", "", 206, nil},
	} {
		headers := []string{access}
		if c.header != "" {
			headers = append(headers, "Range: "+c.header)
		}
		res, body := p.do(t, "GET", classStream, append(headers, "Accept-Encoding: gzip")...)
		if res.ProtoMajor != 2 || res.StatusCode != c.status || res.Header.Get("Content-Range") != c.want || c.body != nil && !bytes.Equal(body, c.body) {
			t.Errorf("%q: %s %s, Content-Range %q, %d bytes", c.header, res.Proto, res.Status, res.Header.Get("Content-Range"), len(body))
		}
		if res.Header.Get("Content-Encoding") != "" || c.status != 416 && res.ContentLength != int64(len(body)) {
			t.Errorf("%q: encoding %q, length %d of %d", c.header, res.Header.Get("Content-Encoding"), res.ContentLength, len(body))
		}
		if c.status == 206 && c.want == "" && (!strings.HasPrefix(res.Header.Get("Content-Type"), "multipart/byteranges; boundary=") || bytes.Count(body, []byte("Content-Range: bytes")) != 2) {
			t.Errorf("several ranges: %v %q", res.Header, body)
		}
	}
}

// proxiedHangUp: a viewer who reads slowly makes the proxy write nothing to disk, and one
// who hangs up is gone at the gateway, which does not send the rest to the proxy.
func proxiedHangUp(t *testing.T, p *reverseProxy, g *gateway, access string) {
	for range 3 {
		ctx, hangUp := context.WithCancel(t.Context())
		defer hangUp()
		req, err := http.NewRequestWithContext(ctx, "GET", "https://"+p.host()+classStream, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", strings.TrimPrefix(access, "Authorization: "))
		res, err := p.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if _, err := io.CopyN(io.Discard, res.Body, 512<<10); err != nil {
			t.Fatal(err)
		}
		if n := metricOf(t, g, "lectern_streams_active"); n != 1 {
			t.Fatalf("%v streams are running", n)
		}
		if files := p.spooled(t); len(files) > 0 {
			t.Errorf("spooled: %q", files)
		}
		seen := strings.Count(g.stderr.String(), `"outcome":"hangup"`)
		hangUp()
		waitFor(t, "the end of the stream", func() bool { return metricOf(t, g, "lectern_streams_active") == 0 })
		waitFor(t, "a hang-up in the log", func() bool { return strings.Count(g.stderr.String(), `"outcome":"hangup"`) > seen })
	}
}

// spooled lists what the proxy's processes keep on disk: files in its directory, or open
// ones whose names are removed.
func (p *reverseProxy) spooled(t *testing.T) (files []string) {
	t.Helper()
	_ = filepath.WalkDir(p.dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() && strings.Contains(path, "spool") {
			files = append(files, path)
		}
		return nil
	})
	processes, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	group := strconv.Itoa(p.cmd.Process.Pid)
	for _, stat := range processes {
		data, _ := os.ReadFile(stat)
		_, rest, _ := strings.Cut(string(data), ") ")
		if fields := strings.Fields(rest); len(fields) < 3 || fields[2] != group {
			continue
		}
		open, _ := filepath.Glob(filepath.Dir(stat) + "/fd/*")
		for _, fd := range open {
			target, _ := os.Readlink(fd)
			info, err := os.Stat(fd)
			if err == nil && info.Mode().IsRegular() && strings.HasSuffix(target, " (deleted)") && info.Size() > 0 {
				files = append(files, target)
			}
		}
	}
	return files
}

// proxiedPages: the player's page and its parts are compressed and whole.
func proxiedPages(t *testing.T, p *reverseProxy) {
	res, plain := p.do(t, "GET", "/watch/1")
	if res.StatusCode != 200 || res.Header.Get("Content-Encoding") != "" {
		t.Fatalf("%s, encoding %q", res.Status, res.Header.Get("Content-Encoding"))
	}
	paths := []string{"/watch/1"}
	for _, m := range regexp.MustCompile(`(?:src|href)="?(/[^" >]+\.(?:js|css|svg))`).FindAllSubmatch(plain, -1) {
		paths = append(paths, string(m[1]))
	}
	if len(paths) < 3 {
		t.Fatalf("the page names only %q", paths)
	}
	for _, path := range paths {
		_, want := p.do(t, "GET", path)
		res, body := p.do(t, "GET", path, "Accept-Encoding: gzip")
		if res.StatusCode != 200 || len(want) > 2000 && res.Header.Get("Content-Encoding") != "gzip" {
			t.Errorf("%s: %s, %d bytes, encoding %q", path, res.Status, len(body), res.Header.Get("Content-Encoding"))
			continue
		}
		if res.Header.Get("Content-Encoding") == "gzip" {
			r, err := gzip.NewReader(bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			if body, err = io.ReadAll(r); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(body, want) {
			t.Errorf("%s: %d bytes after decompression, want %d", path, len(body), len(want))
		}
	}
}

// metricOf is the value of a metric without labels.
func metricOf(t *testing.T, g *gateway, name string) float64 {
	t.Helper()
	res, err := http.Get(g.admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^` + name + ` (\S+)$`).FindSubmatch(text)
	if m == nil {
		t.Fatalf("no metric %s", name)
	}
	value, err := strconv.ParseFloat(string(m[1]), 64)
	if err != nil {
		t.Fatal(err)
	}
	return value
}
