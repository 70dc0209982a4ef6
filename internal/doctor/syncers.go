package doctor

import (
	"context"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/ffmpeg"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer"
	syncstore "github.com/lectiospace/lectern/internal/syncer/store"
)

// workSpace is what the largest usual meeting needs: an hour is about 300 MiB, and
// its parts and their join are on the disk at the same time.
const workSpace = 4 << 30

// WorkDir checks the directory of the syncer's temporary files and its space.
func (r *Report) WorkDir(cfg syncer.Config) {
	if r.WritableDir("work dir", "sync-work-dir", cfg.WorkDir) {
		r.Space("work space", "free some space or move sync-work-dir: a long meeting needs twice its size while it is joined",
			cfg.WorkDir, min(workSpace, cfg.WorkSize), sizeBelow(cfg.WorkDir), cfg.WorkMinFree)
	}
}

// sizeBelow is the size of the files below a directory. Files that cannot be looked
// at count as nothing.
func sizeBelow(dir string) (n media.Size) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		if info, err := d.Info(); err == nil && info.Mode().IsRegular() {
			n += media.Size(info.Size())
		}
		return nil
	})
	return n
}

// FFmpeg checks that the programs are installed.
func (r *Report) FFmpeg(ctx context.Context) {
	const check = "ffmpeg"
	version, err := ffmpeg.Tool{}.Version(ctx)
	if err != nil {
		r.Fail(check, "install ffmpeg, with ffprobe", "segments cannot be joined: %v", err)
		return
	}
	r.Pass(check, "%s", version)
}

// Tenants checks that the webhook secrets of teachers' own Zoom apps can be unsealed.
func (r *Report) Tenants(ctx context.Context, store *catalog.Store, hasSecretsKey bool) {
	const check = "tenants"
	var n int
	err := store.View(ctx, "doctor: tenants", func(x syncstore.Session) error {
		all, err := syncstore.Tenants(ctx, x)
		n = len(all)
		return err
	})
	switch {
	case err != nil:
		r.Fail(check, "", "%v", err)
	case n > 0 && !hasSecretsKey:
		r.Fail(check, "set LECTERN_SECRETS_KEY to the key they were sealed with", "%d teacher(s) have a webhook secret of their own, and secrets-key is not set", n)
	default:
		r.Pass(check, "%d teacher(s) have a webhook secret of their own", n)
	}
}

// syncerSilence is how old the heartbeat of a syncer at work may be.
const syncerSilence = time.Minute

// Syncers reports how many syncers are at work and when the last reconciliation ended.
func (r *Report) Syncers(ctx context.Context, store *catalog.Store, reconcileEvery time.Duration) {
	const check = "syncers"
	alive := 0
	var last syncstore.Run
	err := store.View(ctx, "doctor: syncers", func(x syncstore.Session) error {
		all, err := syncstore.Syncers(ctx, x)
		if err != nil {
			return err
		}
		for _, one := range all {
			if time.Since(one.BeatAt) < syncerSilence {
				alive++
			}
		}
		last, err = syncstore.LastRun(ctx, x, "reconcile")
		return err
	})
	switch {
	case err != nil:
		r.Fail(check, "", "%v", err)
	case alive == 0:
		r.Warn(check, "start `syncer serve`: webhooks are lost until then, and only reconciliation brings them back", "none is at work")
	case last.Finished.IsZero():
		r.Warn(check, "wait for the first reconciliation, or run `syncer reconcile`", "%d at work; nothing has been compared with Zoom yet", alive)
	case time.Since(last.Finished) > 3*reconcileEvery:
		r.Warn(check, "look at `syncer jobs --state running` and the log", "%d at work; the last reconciliation ended %s", alive, last.Finished.UTC().Format(time.RFC3339))
	default:
		r.Pass(check, "%d at work; the last reconciliation ended %s", alive, last.Finished.UTC().Format(time.RFC3339))
	}
}
