package peers

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/lectiospace/lectern/bench/load"
)

// Varnish keeps whole files in memory.
func Varnish() Starter { return Starter{Name: "varnish", Start: startVarnish} }

func startVarnish(ctx context.Context, site *Site) (_ *Peer, err error) {
	p := &Peer{Name: "varnish"}
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
	host, port, err := net.SplitHostPort(site.Origin.Addr())
	if err != nil {
		return nil, err
	}
	vcl := filepath.Join(dir, "lessons.vcl")
	if err := os.WriteFile(vcl, fmt.Appendf(nil, varnishVCL, host, port), 0o600); err != nil {
		return nil, err
	}
	if err := p.run(ctx, dir, addr, nil, "varnishd", "-F", "-j", "none", "-n", filepath.Join(dir, "work"), "-a", addr, "-f", vcl,
		"-s", fmt.Sprintf("malloc,%d", site.MemoryBytes),
		// Threads for everybody who watches, two pools as there are two cores.
		"-p", "thread_pools=2", "-p", "thread_pool_min=100", "-p", "thread_pool_max=4000", "-p", "thread_pool_timeout=300",
		"-p", "workspace_client=32k", "-p", "vsl_mask=-VCL_call"); err != nil {
		return nil, err
	}
	p.Target = func(l Lesson) load.Target {
		return load.Target{Addr: addr, Path: "/plain/" + l.Name, Content: l.Content}
	}
	return p, nil
}

const varnishVCL = `vcl 4.1;
backend origin { .host = "%s"; .port = "%s"; .first_byte_timeout = 60s; .between_bytes_timeout = 60s; }
sub vcl_recv { unset req.http.Cookie; return (hash); }
sub vcl_backend_response { set beresp.ttl = 1d; set beresp.do_stream = true; set beresp.do_gzip = false; }
`
