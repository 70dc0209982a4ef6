package doctor

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/lectiospace/lectern/internal/cache"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/origin/local"
)

// CacheDir checks the cache's directory, its lock and its space. running says that
// the gateway answers on its admin listener.
func (r *Report) CacheDir(ctx context.Context, cfg cache.Config, adminListen string, running func() bool) {
	if r.WritableDir(nameCacheDir, "cache-dir", cfg.Dir) {
		r.cacheLock(cfg.Dir, adminListen, running)
	}
	r.Space(ctx, nameCacheSpace, "lower cache-size, or give the cache a larger disk", cfg.Dir, cfg.Size, func() media.Size { return media.Size(cache.ChunkFileBytes(cfg.Dir)) }, cfg.MinFree)
}

func (r *Report) cacheLock(dir, adminListen string, running func() bool) {
	const check = nameCacheLock
	inUse, err := cache.InUse(dir)
	switch {
	case err != nil:
		r.fail(check, "give this user the right to read the directory", "%v", err)
	case inUse && !running():
		r.fail(check, "end the other gateway, or give each its own cache-dir", "%s is in use by a gateway that does not answer on %s", dir, adminListen)
	case inUse:
		r.pass(check, "owned by the running gateway")
	default:
		r.pass(check, "free")
	}
}

// LocalFolder checks that the folder of the provider local can be read. A folder that
// is not there is fine: there are no recordings in it.
func (r *Report) LocalFolder(cfg local.Config) {
	const check = nameOriginLocal
	info, err := os.Stat(cfg.Root)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.pass(check, "%s is not there yet: no recordings in a local folder", cfg.Root)
		return
	case err == nil && !info.IsDir():
		err = errors.New("it is not a directory")
	case err == nil:
		_, err = os.ReadDir(cfg.Root)
	}
	if err == nil {
		var files *local.Origin
		if files, err = local.New(cfg); err == nil {
			files.Close()
		}
	}
	if err != nil {
		r.fail(check, "give this user the right to read it, or set origin-local-root to another folder", "%s cannot be read: %v", cfg.Root, err)
		return
	}
	r.pass(check, "%s can be read", cfg.Root)
}

// LocalArchive checks that new recordings can be written into the local folder.
func (r *Report) LocalArchive(cfg local.Config) {
	r.WritableDir(nameArchive, "origin-local-root", cfg.Root)
}
