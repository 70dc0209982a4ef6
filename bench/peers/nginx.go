package peers

import (
	"context"
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/lectiospace/lectern/bench/load"
)

// Auth is how nginx checks who is asking.
type Auth string

// The ways: not at all, by a subrequest per request, or by one whose answer is
// kept for half a minute.
const (
	AuthNone   Auth = ""
	AuthEach   Auth = "auth each"
	AuthCached Auth = "auth cached"
)

// Log is whether nginx logs.
type Log string

// Nginx is compared without a log, as benchmarks do, and with a line of JSON for each request
// that is gathered before it is written, as it is run.
const (
	Unlogged Log = ""
	Logged   Log = "logged"
)

// NginxStatic serves the lesson from a file.
func NginxStatic(auth Auth, log Log) Starter {
	return nginx{name: label("nginx static", auth, log), auth: auth, log: log, location: fromFile}.starter()
}

// NginxStaticTLS is the least that a server over TLS does: it knows nobody and logs nothing.
func NginxStaticTLS() Starter {
	return nginx{name: "limit: nginx static, TLS", tls: true, location: fromFile}.starter()
}

func fromFile(site *Site) string {
	return fmt.Sprintf(`
			root %s;
			# One lookup of the file instead of one per request.
			open_file_cache max=1000 inactive=60s;
			open_file_cache_valid 60s;`, site.Static)
}

// NginxSlice fetches from the origin in slices of a size, "1m" for one, and
// keeps them.
func NginxSlice(size string, auth Auth, log Log) Starter {
	return nginx{name: label("nginx slice "+size, auth, log), auth: auth, log: log, location: inSlices(size)}.starter()
}

// NginxSliceTLS is NginxSlice as it is deployed: TLS, a log, and each request asked about.
func NginxSliceTLS(size string) Starter {
	return nginx{name: label("nginx slice "+size, AuthEach, Logged) + ", TLS", auth: AuthEach, log: Logged, tls: true, location: inSlices(size)}.starter()
}

func inSlices(size string) func(*Site) string {
	return func(*Site) string {
		return fmt.Sprintf(`
			slice %s;
			proxy_cache lessons;
			proxy_cache_key $uri$slice_range;
			proxy_cache_valid 200 206 1d;
			proxy_cache_lock on;
			proxy_cache_lock_timeout 60s;
			proxy_set_header Range $slice_range;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_buffers 16 64k;
			proxy_busy_buffers_size 128k;
			proxy_pass http://origin/plain/;`, size)
	}
}

func label(name string, auth Auth, log Log) string {
	if auth != AuthNone {
		name += " + " + string(auth)
	}
	if log != Unlogged {
		name += ", " + string(log)
	}
	return name
}

// nginx is one way to set nginx up.
type nginx struct {
	name     string
	auth     Auth
	log      Log
	tls      bool
	location func(site *Site) string
}

func (n nginx) starter() Starter { return Starter{Name: n.name, Start: n.start} }

func (n nginx) start(ctx context.Context, site *Site) (_ *Peer, err error) {
	p := &Peer{Name: n.name}
	defer func() {
		if err != nil {
			p.Stop()
		}
	}()
	dir, err := p.folder(site)
	if err != nil {
		return nil, err
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	authAddr, location := "127.0.0.1:9", n.location(site) // nobody's, where it is not asked
	if n.auth != AuthNone {
		if authAddr, err = p.startAuthServer(ctx, site, dir); err != nil {
			return nil, err
		}
		location = "auth_request /auth;" + location
	}
	log := "access_log off;"
	if n.log == Logged {
		log = fmt.Sprintf(nginxLog, filepath.Join(dir, "access.log"))
	}
	listen, clientTLS := addr, (*tls.Config)(nil)
	if n.tls {
		cert, err := newCertificate(dir)
		if err != nil {
			return nil, err
		}
		clientTLS = cert.client
		listen += " ssl"
		log += fmt.Sprintf("\n\tssl_certificate %s;\n\tssl_certificate_key %s;\n\tssl_protocols TLSv1.2 TLSv1.3;\n\t%s", cert.pem, cert.key, kernelTLSOption())
	}
	files, err := nginxFiles()
	if err != nil {
		return nil, err
	}
	conf := fmt.Sprintf(nginxConf, nginxUser(), files, filepath.Join(dir, "pid"), filepath.Join(dir, "error.log"), log, dir, site.CacheBytes,
		site.Origin.Addr(), authAddr, listen, location, nginxAuth[n.auth])
	p.logs = append(p.logs, filepath.Join(dir, "error.log"))
	path := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
		return nil, err
	}
	if err := p.run(ctx, dir, addr, nil, "nginx", "-p", dir, "-c", path, "-g", "daemon off;"); err != nil {
		return nil, err
	}
	p.Target = func(l Lesson) load.Target {
		t := load.Target{Addr: addr, Path: "/" + l.Name, Content: l.Content}
		if n.auth != AuthNone {
			t.Headers = site.People.Headers
		}
		return t
	}
	if n.tls {
		p.overTLS(addr, clientTLS)
	}
	return p, nil
}

// nginxLog has about what the gateway's access record has.
const nginxLog = `log_format json escape=json '{"time":"$time_iso8601","remote_addr":"$remote_addr","method":"$request_method",'
		'"uri":"$uri","range":"$http_range","status":$status,"bytes":$body_bytes_sent,"duration":$request_time,'
		'"cache":"$upstream_cache_status","upstream":"$upstream_response_time","user_agent":"$http_user_agent","connection":$connection}';
	access_log %s json buffer=64k flush=1s;`

// nginxUser keeps the workers able to read what we write: root's folders are
// closed to others.
func nginxUser() string {
	if os.Geteuid() == 0 {
		return "user root;"
	}
	return ""
}

// nginxFiles is how many files a worker may have open: as many as the benchmark may. A range
// without an end of a cached file opens all slices that are left of it at once, and an answer
// whose slice cannot be opened ends within its body.
func nginxFiles() (uint64, error) {
	var limit syscall.Rlimit
	err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit)
	return limit.Max, err
}

// nginxConf is the same for all variants. tcp_nopush costs small ranges a fifth
// of their rate, and with slices a delayed acknowledgement each; without
// sendfile_max_chunk one fast client keeps a worker from the others.
const nginxConf = `%s
worker_rlimit_nofile %d;
pid %s;
error_log %s warn;
worker_processes auto;
events { worker_connections 16384; }
http {
	sendfile on;
	sendfile_max_chunk 512k;
	tcp_nopush off;
	tcp_nodelay on;
	keepalive_requests 1000000000;
	keepalive_timeout 75s;
	%s
	default_type video/mp4;
	client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
	proxy_cache_path %s/cache levels=1:2 keys_zone=lessons:32m max_size=%d inactive=1d use_temp_path=off;
	proxy_cache_path auth-cache keys_zone=answers:8m max_size=64m;
	upstream origin { server %s; keepalive 64; }
	upstream auth { server %s; keepalive 64; }
	server {
		listen %s backlog=4096;
		location / {%s
		}%s
	}
}
`

var nginxAuth = map[Auth]string{
	AuthEach: `
		location = /auth {
			internal;
			proxy_pass http://auth;
			proxy_pass_request_body off;
			proxy_set_header Content-Length "";
			proxy_http_version 1.1;
			proxy_set_header Connection "";
		}`,
	AuthCached: `
		location = /auth {
			internal;
			proxy_cache answers;
			proxy_cache_key $http_authorization;
			proxy_cache_valid 200 30s;
			proxy_cache_lock on;
			proxy_pass http://auth;
			proxy_pass_request_body off;
			proxy_set_header Content-Length "";
			proxy_set_header Range "";
			proxy_http_version 1.1;
			proxy_set_header Connection "";
		}`,
}
