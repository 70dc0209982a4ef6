package peers

import (
	"context"
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/lectiospace/lectern/bench/load"
)

// behind starts what a reverse proxy stands in front of.
type behind func(ctx context.Context, site *Site) (*Peer, error)

// DeployedNginx is the gateway behind nginx with the project's example, which ends TLS.
func DeployedNginx() Starter {
	const name = "nginx + gateway, TLS"
	return deployed(name, "nginx", "nginx.conf", GatewaySetup{Name: name}.start, func(example string, at proxyPaths) (string, error) {
		text, err := replaceEach(example, [][2]string{
			{"listen 443 ssl", "listen " + at.addr + " ssl"}, {"/etc/ssl/lessons.example.org.pem", at.cert.pem},
			{"/etc/ssl/lessons.example.org.key", at.cert.key}, {"/var/log/nginx/", at.dir + "/"}, {"127.0.0.1:8080", at.server},
		})
		if err != nil {
			return "", err
		}
		// What is around an example of conf.d: the settings of the whole server.
		return fmt.Sprintf(`daemon off;
%s
pid %s/pid;
error_log %[2]s/error.log warn;
worker_processes auto;
worker_rlimit_nofile 20000;
events { worker_connections 16384; }
http {
	client_body_temp_path %[2]s/body; proxy_temp_path %[2]s/proxy; fastcgi_temp_path %[2]s/f; uwsgi_temp_path %[2]s/u; scgi_temp_path %[2]s/s;
	keepalive_requests 1000000000;
	%s
%s}
`, nginxUser(), at.dir, kernelTLSOption(), text), nil
	}, func(config string) []string { return []string{"-p", filepath.Dir(config), "-c", config} })
}

// DeployedHAProxy is the gateway behind HAProxy with the project's example, which ends TLS.
func DeployedHAProxy() Starter {
	const name = "haproxy + gateway, TLS"
	return haproxy(name, GatewaySetup{Name: name}.start, "127.0.0.1:8080")
}

// HAProxyBound is HAProxy with the same example in front of a server that costs little, where the
// platform is in the example: what of the pair is HAProxy's.
func HAProxyBound() Starter {
	const name = "limit: haproxy + nginx static, TLS"
	return haproxy(name, nginx{name: name, location: fromFile}.start, "127.0.0.1:8000")
}

// haproxy is HAProxy in front of what takes the place of an address in its example.
func haproxy(name string, server behind, place string) Starter {
	return deployed(name, "haproxy", "haproxy.cfg", server, func(example string, at proxyPaths) (string, error) {
		return replaceEach(example, [][2]string{
			{"bind :443 ", "bind " + at.addr + " "}, {"/etc/haproxy/lessons.example.org.pem", at.cert.both},
			{"log /dev/log local0", "log stderr format raw local0"}, {place, at.server},
		})
	}, func(config string) []string { return []string{"-db", "-f", config} })
}

// proxyPaths are what an example is changed to.
type proxyPaths struct {
	dir, addr, server string
	cert              certificate
}

// deployed starts a server and a reverse proxy in front of it, whose costs are summed up.
func deployed(name, program, example string, server behind, adapt func(example string, at proxyPaths) (string, error), args func(config string) []string) Starter {
	return Starter{Name: name, Start: func(ctx context.Context, site *Site) (_ *Peer, err error) {
		p, err := server(ctx, site)
		if err != nil {
			return nil, err
		}
		defer func() {
			if err != nil {
				p.Stop()
			}
		}()
		dir, err := p.folder(site)
		if err != nil {
			return nil, err
		}
		at := proxyPaths{dir: dir, server: p.Target(site.Lessons[0]).Addr}
		if at.addr, err = freeAddr(); err != nil {
			return nil, err
		}
		if at.cert, err = newCertificate(dir); err != nil {
			return nil, err
		}
		text, err := os.ReadFile(filepath.Join(site.Configs, example))
		if err != nil {
			return nil, err
		}
		adapted, err := adapt(string(text), at)
		if err != nil {
			return nil, fmt.Errorf("configs/%s: %w", example, err)
		}
		config := filepath.Join(dir, example)
		if err := os.WriteFile(config, []byte(adapted), 0o600); err != nil {
			return nil, err
		}
		if program == "nginx" {
			p.logs = append(p.logs, filepath.Join(dir, "error.log"))
		}
		if err := p.run(ctx, dir, at.addr, nil, program, args(config)...); err != nil {
			return nil, err
		}
		p.overTLS(at.addr, at.cert.client)
		return p, nil
	}}
}

// overTLS has requests go to an address that ends TLS.
func (p *Peer) overTLS(addr string, config *tls.Config) {
	plain := p.Target
	p.Target = func(l Lesson) load.Target {
		t := plain(l)
		t.Addr, t.TLS = addr, config
		return t
	}
}

// replaceEach replaces each of the texts, which must be there.
func replaceEach(text string, by [][2]string) (string, error) {
	for _, pair := range by {
		if !strings.Contains(text, pair[0]) {
			return "", fmt.Errorf("it has no %q any more", pair[0])
		}
		text = strings.ReplaceAll(text, pair[0], pair[1])
	}
	return text, nil
}
