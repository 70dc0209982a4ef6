package doctor

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"github.com/lectiospace/lectern/internal/cache"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/origin/drive"
	"github.com/lectiospace/lectern/internal/origin/local"
)

// CacheDir checks the cache's directory, its lock and its space. running says that
// the gateway answers on its admin listener.
func (r *Report) CacheDir(cfg cache.Config, adminListen string, running bool) {
	if r.WritableDir("cache dir", "cache-dir", cfg.Dir) {
		r.cacheLock(cfg.Dir, adminListen, running)
	}
	r.Space("cache space", "lower cache-size, or give the cache a larger disk", cfg.Dir, cfg.Size, media.Size(cache.ChunkFileBytes(cfg.Dir)), cfg.MinFree)
}

func (r *Report) cacheLock(dir, adminListen string, running bool) {
	const check = "cache lock"
	inUse, err := cache.InUse(dir)
	switch {
	case err != nil:
		r.Fail(check, "give this user the right to read the directory", "%v", err)
	case inUse && !running:
		r.Fail(check, "end the other gateway, or give each its own cache-dir", "%s is in use by a gateway that does not answer on %s", dir, adminListen)
	case inUse:
		r.Pass(check, "owned by the running gateway")
	default:
		r.Pass(check, "free")
	}
}

// LocalFolder checks that the folder of the provider local can be read. A folder that
// is not there is fine: there are no recordings in it.
func (r *Report) LocalFolder(cfg local.Config) {
	const check = "origin local"
	info, err := os.Stat(cfg.Root)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.Pass(check, "%s is not there yet: no recordings in a local folder", cfg.Root)
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
		r.Fail(check, "give this user the right to read it, or set origin-local-root to another folder", "%s cannot be read: %v", cfg.Root, err)
		return
	}
	r.Pass(check, "%s can be read", cfg.Root)
}

// driveTimeout bounds the check of Drive, so that one that is silent is reported while
// somebody still waits.
const driveTimeout = 10 * time.Second

// DriveOrigin gets a token and asks Drive which account it belongs to. clockLimit is by how
// much our clock may differ from Drive's.
func (r *Report) DriveOrigin(ctx context.Context, cfg drive.Config, clockLimit time.Duration) {
	const check = "origin drive"
	if cfg.Credentials == "" {
		r.Pass(check, "not configured")
		return
	}
	remote, err := drive.New(ctx, cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		r.Fail(check, "give the JSON of a service account or an authorised user, or its path", "%v", err)
		return
	}
	defer remote.Stop()
	ctx, cancel := context.WithTimeout(ctx, driveTimeout)
	defer cancel()
	asked := time.Now()
	account, err := remote.CheckAccess(ctx)
	answered := time.Now()
	switch kind := media.KindOf(err); {
	case kind == media.Denied:
		r.Fail(check, "let the account use the Drive API: enable it in the project, share the folder with the account", "%v", err)
		return
	case kind == media.NotFound:
		r.Warn(check, "check origin-drive-endpoint", "it answers, but knows neither about nor files")
		return
	case err != nil:
		r.Fail(check, "check origin-drive-credentials, origin-drive-endpoint and the network", "%v", err)
		return
	case account.Email == "":
		r.Pass(check, "answers")
	default:
		r.Pass(check, "answers %s", account.Email)
	}
	r.Clock("Drive", account.Date, asked, answered, clockLimit)
}

const archiveCheck = "archive"

// LocalArchive checks that new recordings can be written into the local folder.
func (r *Report) LocalArchive(cfg local.Config) {
	r.WritableDir(archiveCheck, "origin-local-root", cfg.Root)
}

// DriveArchive checks that new recordings can be stored: the configured folder is there
// and open to the account, and a small file can be written and removed again.
func (r *Report) DriveArchive(ctx context.Context, cfg drive.Config, settings drive.ArchiveConfig) {
	remote, err := drive.New(ctx, cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		r.Fail(archiveCheck, "correct origin-drive-credentials", "%v", err)
		return
	}
	defer remote.Stop()
	ctx, cancel := context.WithTimeout(ctx, driveTimeout)
	defer cancel()
	target := drive.NewArchive(remote, settings)
	setting := "sync-drive-folder"
	if settings.Folder == "" {
		setting = "sync-drive-shared-drive"
	}
	err = target.CheckFolder(ctx)
	switch kind := media.KindOf(err); {
	case err == nil:
	case kind == media.NotFound, kind == media.Invalid:
		r.Fail(archiveCheck, "set "+setting+" to a folder that is shared with the account", "the folder for new recordings is missing: %v", err)
		return
	case kind == media.Denied:
		r.Fail(archiveCheck, "share the folder of "+setting+" with the account as editor or content manager", "%v", err)
		return
	default:
		r.Fail(archiveCheck, driveUnreachable, "Drive cannot be reached: %v", err)
		return
	}
	err = target.CheckWrite(ctx)
	switch kind := media.KindOf(err); {
	case err == nil:
		r.Pass(archiveCheck, "a file can be written and removed")
	case kind == media.Quota && settings.Folder == "" && settings.SharedDrive == "":
		r.Fail(archiveCheck, "set sync-drive-shared-drive or sync-drive-folder to a place in a shared drive: a service account can store nowhere else", "there is no room for new recordings: %v", err)
	case kind == media.Quota:
		r.Fail(archiveCheck, "make room, or set "+setting+" to another place", "there is no room for new recordings: %v", err)
	case kind == media.Denied:
		r.Fail(archiveCheck, "let the account write there, and enable the Drive API in its project", "Drive cannot be written: %v", err)
	default:
		r.Fail(archiveCheck, driveUnreachable, "Drive cannot be written: %v", err)
	}
}

const driveUnreachable = "check origin-drive-credentials, origin-drive-endpoint and the network"
