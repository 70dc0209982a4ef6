package peers

import (
	"context"
	"os"
	"path/filepath"

	"github.com/lectiospace/lectern/bench/load"
)

// The arguments by which the benchmark's own program becomes one of the servers that do the
// least.
const (
	SendfileCommand = "bound-sendfile"
	RelayCommand    = "bound-relay"
)

// SendfileBound sends the first lesson's file and does nothing else: the limit of what is
// cached.
func SendfileBound() Starter {
	return bound("limit: sendfile", func(site *Site, addr string) []string {
		return []string{SendfileCommand, addr, filepath.Join(site.Static, site.Lessons[0].Name)}
	}, "/")
}

// RelayBound passes the origin's bytes on and does nothing else: the limit of what is fetched
// through one connection for each viewer.
func RelayBound() Starter {
	return bound("limit: relay", func(site *Site, addr string) []string {
		return []string{RelayCommand, addr, site.Origin.Addr()}
	}, "/plain/")
}

func bound(name string, args func(site *Site, addr string) []string, base string) Starter {
	return Starter{Name: name, Start: func(ctx context.Context, site *Site) (_ *Peer, err error) {
		p := &Peer{Name: name}
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
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		if err := p.run(ctx, dir, addr, nil, self, args(site, addr)...); err != nil {
			return nil, err
		}
		p.Target = func(l Lesson) load.Target { return load.Target{Addr: addr, Path: base + l.Name, Content: l.Content} }
		return p, nil
	}}
}
