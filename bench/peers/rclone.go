package peers

import (
	"context"
	"fmt"
	"io"
	"path/filepath"

	"github.com/lectiospace/lectern/bench/load"
)

// Rclone serves its VFS, which keeps parts of files on disk and reads ahead in
// several streams.
func Rclone() Starter { return Starter{Name: "rclone", Start: startRclone} }

func startRclone(ctx context.Context, site *Site) (_ *Peer, err error) {
	if site.Tools.RcloneError != nil {
		return nil, fmt.Errorf("it could not be built: %w", site.Tools.RcloneError)
	}
	p := &Peer{Name: "rclone"}
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
	if err := p.run(ctx, dir, addr, []string{"RCLONE_CONFIG=" + filepath.Join(dir, "rclone.conf")}, site.Tools.Rclone,
		"serve", "http", ":http:", "--http-url", "http://"+site.Origin.Addr()+"/plain/",
		"--addr", addr, "--read-only", "--cache-dir", filepath.Join(dir, "cache"),
		"--vfs-cache-mode", "full", "--vfs-cache-max-size", fmt.Sprintf("%dB", site.CacheBytes),
		"--vfs-cache-poll-interval", "1s", // how often it looks at the size, by default once a minute
		"--vfs-read-chunk-size", "4M", "--vfs-read-chunk-streams", "4",
		"--dir-cache-time", "24h", "--poll-interval", "0", "--transfers", "64", "--log-level", "ERROR"); err != nil {
		return nil, err
	}
	p.Target = func(l Lesson) load.Target {
		return load.Target{Addr: addr, Path: "/" + l.Name, Content: l.Content}
	}
	// Its directory is read now, not under the first viewer.
	if err := Fetch(ctx, "http://"+addr+"/", io.Discard); err != nil {
		return nil, fmt.Errorf("rclone's directory: %w", err)
	}
	return p, nil
}
