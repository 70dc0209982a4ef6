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
	"github.com/lectiospace/lectern/internal/syncer/queue"
	syncstore "github.com/lectiospace/lectern/internal/syncer/store"
)

// Mode warns of a syncer that only observes.
func (r *Report) Mode(cfg syncer.Config) {
	if cfg.Observes() {
		r.warn(nameMode, "set sync-mode to active when the platform's own jobs are switched off", "observe: nothing is archived, changed or deleted")
		return
	}
	r.pass(nameMode, "%s", cfg.Mode)
}

// workSpace is what the largest usual meeting needs: an hour is about 300 MiB, and
// its parts and their join are on the disk at the same time.
const workSpace = 4 << 30

// WorkDir checks the directory of the syncer's temporary files and its space.
func (r *Report) WorkDir(ctx context.Context, cfg syncer.Config) {
	if r.WritableDir(nameWorkDir, "sync-work-dir", cfg.WorkDir) {
		r.Space(ctx, nameWorkSpace, "free some space or move sync-work-dir: a long meeting needs twice its size while it is joined",
			cfg.WorkDir, min(workSpace, cfg.WorkSize), func() media.Size { return sizeBelow(cfg.WorkDir) }, cfg.WorkMinFree)
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
	const check = nameFFmpeg
	version, err := ffmpeg.Tool{}.Version(ctx)
	if err != nil {
		r.fail(check, "install ffmpeg, with ffprobe", "segments cannot be joined: %v", err)
		return
	}
	r.pass(check, "%s", version)
}

// Transcribe checks that the program for speech recognition can be started, where there is
// one. It is not run.
func (r *Report) Transcribe(cfg syncer.Config) {
	program, err := cfg.TranscribeProgram()
	if err == nil && program.IsNone() {
		return
	}
	if err == nil {
		err = program.Check()
	}
	if err != nil {
		r.fail(nameTranscribe, "install the program, or correct or clear sync-transcribe-command", "recordings without captions get none: %v", err)
		return
	}
	r.pass(nameTranscribe, "the program for speech recognition is there")
}

// Tenants checks that the webhook secrets of teachers' own Zoom apps can be unsealed.
func (r *Report) Tenants(ctx context.Context, store *catalog.Store, hasSecretsKey bool) {
	const check = nameTenants
	var n int
	err := store.View(ctx, "doctor: tenants", func(x syncstore.Session) error {
		all, err := syncstore.Tenants(ctx, x)
		n = len(all)
		return err
	})
	switch {
	case err != nil:
		r.fail(check, fixDatabase, "%v", err)
	case n > 0 && !hasSecretsKey:
		r.fail(check, "set LECTERN_SECRETS_KEY to the key they were sealed with", "%d teacher(s) have a webhook secret of their own, and secrets-key is not set", n)
	default:
		r.pass(check, "%d teacher(s) have a webhook secret of their own", n)
	}
}

// syncers names the syncers of the database with version, public address and last
// heartbeat, and what another program does in their job queue. It returns how many are at work.
func (r *Report) syncers(ctx context.Context, store *catalog.Store, version string) (alive int) {
	var (
		all     []syncstore.Syncer
		foreign string
	)
	err := store.View(ctx, "doctor: syncers", func(x syncstore.Session) (err error) {
		if all, err = syncstore.Syncers(ctx, x); err != nil {
			return err
		}
		foreign, err = syncstore.ForeignQueue(ctx, x, queue.Kinds)
		return err
	})
	if err != nil {
		r.fail(nameSyncers, fixDatabase, "%v", err)
		return 0
	}
	for _, one := range all {
		if r.heartbeat(nameSyncers, program{id: one.ID, version: one.Version, address: one.Address, beatAt: one.BeatAt}, version, "start it again; another syncer of this database releases what it held") {
			alive++
		}
	}
	if foreign != "" {
		r.warn(nameJobQueue, "let only syncers of one version and one installation use this database", "%s", foreign)
	} else {
		r.pass(nameJobQueue, "used by the syncers alone")
	}
	return alive
}

// Syncers reports which syncers are at work, of another version than this program's too,
// and when the last reconciliation ended.
func (r *Report) Syncers(ctx context.Context, store *catalog.Store, reconcileEvery time.Duration, version string) {
	if r.syncers(ctx, store, version) == 0 {
		r.warn(nameSyncers, "start `syncer serve`: webhooks are lost until then, and only reconciliation brings them back", "none is at work")
		return
	}
	var last syncstore.Run
	err := store.View(ctx, "doctor: last reconciliation", func(x syncstore.Session) (err error) {
		last, err = syncstore.LastRun(ctx, x, "reconcile")
		return err
	})
	switch {
	case err != nil:
		r.fail(nameReconciliation, fixDatabase, "%v", err)
	case last.Finished.IsZero():
		r.warn(nameReconciliation, "wait for the first one, or run `syncer reconcile`", "nothing has been compared with Zoom yet")
	case time.Since(last.Finished) > 3*reconcileEvery:
		r.warn(nameReconciliation, "look at `syncer jobs --state running` and the log", "the last one ended %s", last.Finished.UTC().Format(time.RFC3339))
	default:
		r.pass(nameReconciliation, "the last one ended %s", last.Finished.UTC().Format(time.RFC3339))
	}
}

// Alerts warns when alerts go nowhere.
func (r *Report) Alerts(urls int) {
	if urls == 0 {
		r.warn(nameAlerts, "set alert-urls, or watch the metrics with configs/monitoring/alerts.yml", "failures are reported nowhere")
		return
	}
	r.pass(nameAlerts, "sent to %d URL(s)", urls)
}
