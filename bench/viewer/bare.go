package viewer

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/lectiospace/lectern/bench/link"
)

// barePage is a page with nothing but a video, as the gateway's has it. The icon keeps browsers
// from requesting one.
const barePage = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Bare</title><link rel="icon" href="data:,"></head>` +
	`<body><video controls playsinline preload="metadata" src="clip.mp4"></video></body></html>
`

const bareConf = `%s
pid %s/pid;
error_log %s/error.log warn;
events { }
http {
	sendfile on;
	tcp_nopush off;
	types { text/html html; video/mp4 mp4; }
	access_log off;
	client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
	server {
		listen %s;
		root %s;
	}
}
`

// ServeBare starts nginx, with its files below dir, at the far end of line, or without one on the
// loopback interface. It serves a clip as a file and a page with nothing but a video, to anybody:
// what a browser takes for those two is what no page can do without.
func ServeBare(ctx context.Context, dir string, clip []byte, line *link.Link) (_ *Site, err error) {
	s := &Site{}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	listen, start, host := network(line)
	free, err := listen()
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(free.Addr().String())
	_ = free.Close()
	s.URL = &url.URL{Scheme: "http", Host: net.JoinHostPort(host, port)}
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;" // whose folders are closed to others
	}
	conf := filepath.Join(dir, "nginx.conf")
	for name, content := range map[string][]byte{
		conf:                             fmt.Appendf(nil, bareConf, user, dir, dir, s.URL.Host, dir),
		filepath.Join(dir, "index.html"): []byte(barePage),
		filepath.Join(dir, "clip.mp4"):   clip,
	} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			return nil, err
		}
	}
	cmd := exec.CommandContext(ctx, "nginx", "-p", dir, "-c", conf, "-g", "daemon off;")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if err := start(cmd.Start); err != nil {
		return nil, err
	}
	s.stop = append(s.stop, func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	return s, s.awaitListening(ctx)
}

// awaitListening waits until the site accepts connections.
func (s *Site) awaitListening(ctx context.Context) error {
	var d net.Dialer
	for end := time.Now().Add(startTimeout); ; {
		conn, err := d.DialContext(ctx, "tcp", s.URL.Host)
		if err == nil {
			return conn.Close()
		}
		if time.Now().After(end) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// startTimeout bounds the time until a server listens.
const startTimeout = 10 * time.Second
