package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/catalog/schema"
	"github.com/lectiospace/lectern/internal/config"
	"github.com/lectiospace/lectern/internal/doctor"
	"github.com/lectiospace/lectern/internal/ffmpeg"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/origin/drive"
	"github.com/lectiospace/lectern/internal/syncer"
	syncstore "github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/zoom"
)

type doctorCommand struct {
	JSON bool `name:"json" help:"Print an array of {check, status, detail, fix} instead of lines."`
}

// doctorWithin bounds the whole examination.
const doctorWithin = 90 * time.Second

// Run examines what a syncer needs, a line each, and exits 0 only without FAIL.
func (c *doctorCommand) Run(ctx context.Context, cli *CLI, t terminal) error {
	ctx, cancel := context.WithTimeout(ctx, doctorWithin)
	defer cancel()
	e := &examination{settings: &cli.SyncerSettings}
	e.configuration()
	e.machine(ctx)
	e.archive(ctx)
	if e.openCatalog(ctx) {
		defer e.store.Close()
		e.tenants(ctx)
		e.others(ctx)
		e.teachers(ctx)
	}
	e.zoomClock(ctx)
	e.alerts()
	return e.Finish(t.out, c.JSON)
}

// examination is one run of the doctor.
type examination struct {
	doctor.Report
	settings *config.SyncerSettings
	store    *catalog.Store
}

func (e *examination) configuration() {
	const check = "configuration"
	s := e.settings
	ok := true
	for _, f := range []func() error{s.Zoom.Check, s.Sync.Check, s.Alert.Check, func() error { _, err := syncer.ParseSecretsKey(s.SecretsKey); return err }} {
		if err := f(); err != nil {
			name, problem, _ := strings.Cut(err.Error(), ": ")
			e.Fail(check, "set "+name+": see `syncer --help`", "%s: %s", name, problem)
			ok = false
		}
	}
	if ok {
		e.Pass(check, "complete; %d webhook secret(s), archiving into %s", len(s.Zoom.Secrets()), s.Sync.Provider)
	}
}

func (e *examination) machine(ctx context.Context) {
	s := e.settings
	running := doctor.Running(ctx, s.AdminListen)
	e.Listener("listen", "listen", s.Listen, running)
	e.Listener("admin listen", "admin-listen", s.AdminListen, running)
	if e.WritableDir("work dir", "sync-work-dir", s.Sync.WorkDir) {
		// A meeting of an hour is about 300 MiB; it is there twice while it is joined.
		const wanted = 4 << 30
		e.Space("work space", "free some space or move sync-work-dir: a long meeting needs twice its size while it is joined",
			s.Sync.WorkDir, min(wanted, s.Sync.WorkSize), sizeBelow(s.Sync.WorkDir), s.Sync.WorkMinFree)
	}
	const check = "ffmpeg"
	version, err := ffmpeg.Tool{}.Version(ctx)
	if err != nil {
		e.Fail(check, "install ffmpeg, with ffprobe", "segments cannot be joined: %v", err)
	} else {
		e.Pass(check, "%s", version)
	}
}

// sizeBelow is what a folder's files take.
func sizeBelow(dir string) (n media.Size) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil // what cannot be looked into counts as nothing
		}
		if info, err := d.Info(); err == nil && info.Mode().IsRegular() {
			n += media.Size(info.Size())
		}
		return nil
	})
	return n
}

// archive asks the place where new recordings go for a key, as each ingest does.
func (e *examination) archive(ctx context.Context) {
	const check = "archive"
	s := e.settings
	if s.Sync.Provider == media.ProviderLocal {
		e.WritableDir(check, "origin-local-root", s.Origin.Local.Root)
		return
	}
	remote, err := drive.New(ctx, s.Origin.Drive, slog.New(slog.DiscardHandler))
	if err != nil {
		e.Fail(check, "correct origin-drive-credentials", "%v", err)
		return
	}
	defer remote.Close()
	if _, err := drive.NewArchive(remote, s.Sync.Drive).NewKey(ctx, "doctor"); err != nil {
		e.Fail(check, "check the credentials, that the Drive API is switched on for them, and the network", "Drive gives no id for a new file: %v", err)
		return
	}
	if s.Sync.Drive.SharedDrive == "" && s.Origin.Drive.Subject == "" {
		e.Warn(check, "set sync-drive-shared-drive, or origin-drive-subject for delegation, when the credentials are a service account's", "Drive answers; a service account can store only in a shared drive")
		return
	}
	e.Pass(check, "Drive answers")
}

func (e *examination) openCatalog(ctx context.Context) bool {
	const check = "database"
	if file, ok := strings.CutPrefix(e.settings.DatabaseURL, "sqlite://"); ok {
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			e.Warn(check, "nothing, when it is new; else correct database-url or data-dir", "%s is not there yet and is made at the first start", file)
			return false
		}
	}
	store, err := catalog.Open(ctx, e.settings.DatabaseURL, slog.New(slog.DiscardHandler))
	if err == nil {
		err = store.Ping(ctx)
		if err != nil {
			store.Close()
		}
	}
	if err != nil {
		e.Fail(check, "check database-url, and that the server runs and lets this machine in", "%v", err)
		return false
	}
	e.Pass(check, "answers")
	if err := schema.Ready(ctx, store); err != nil {
		e.Fail("schema", "run `gateway migrate status`, then `gateway migrate up`", "%v", err)
		store.Close()
		return false
	}
	e.Pass("schema", "as needed")
	e.store = store
	return true
}

func (e *examination) tenants(ctx context.Context) {
	const check = "tenants"
	var n int
	err := e.store.View(ctx, "doctor: tenants", func(x syncstore.Session) error {
		all, err := syncstore.Tenants(ctx, x)
		n = len(all)
		return err
	})
	switch {
	case err != nil:
		e.Fail(check, "", "%v", err)
	case n > 0 && e.settings.SecretsKey == "":
		e.Fail(check, "set LECTERN_SECRETS_KEY to the key they were sealed with", "%d teacher(s) have a webhook secret of their own, and secrets-key is not set", n)
	default:
		e.Pass(check, "%d teacher(s) have a webhook secret of their own", n)
	}
}

// others tells who works and when everything was last compared with Zoom.
func (e *examination) others(ctx context.Context) {
	const check = "syncers"
	alive := 0
	var last syncstore.Run
	err := e.store.View(ctx, "doctor: syncers", func(x syncstore.Session) error {
		all, err := syncstore.Syncers(ctx, x)
		if err != nil {
			return err
		}
		for _, one := range all {
			if time.Since(one.BeatAt) < time.Minute {
				alive++
			}
		}
		last, err = syncstore.LastRun(ctx, x, "reconcile")
		return err
	})
	switch {
	case err != nil:
		e.Fail(check, "", "%v", err)
	case alive == 0:
		e.Warn(check, "start `syncer serve`: webhooks are lost until then, and only reconciliation brings them back", "none is at work")
	case last.Finished.IsZero():
		e.Warn(check, "wait for the first reconciliation, or run `syncer reconcile`", "%d at work; nothing has been compared with Zoom yet", alive)
	case time.Since(last.Finished) > 3*e.settings.Sync.ReconcileEvery:
		e.Warn(check, "look at `syncer jobs --state running` and the log", "%d at work; the last reconciliation ended %s", alive, last.Finished.UTC().Format(time.RFC3339))
	default:
		e.Pass(check, "%d at work; the last reconciliation ended %s", alive, last.Finished.UTC().Format(time.RFC3339))
	}
}

// teachers asks Zoom, as each teacher's app, for what was recorded today: that proves
// the credentials and the scopes.
func (e *examination) teachers(ctx context.Context) {
	const check = "zoom"
	var all []syncstore.Teacher
	err := e.store.View(ctx, "doctor: teachers", func(x syncstore.Session) (err error) {
		all, err = syncstore.ZoomTeachers(ctx, x)
		return err
	})
	if err != nil {
		e.Fail(check, "", "%v", err)
		return
	}
	if len(all) == 0 {
		e.Warn(check, "give a teacher all three of Zoom's credentials", "no teacher has complete credentials: there is nothing to reconcile")
		return
	}
	client := zoom.NewClient(e.settings.Zoom, slog.New(slog.DiscardHandler))
	defer client.Close()
	faults := make([]error, len(all))
	group := new(errgroup.Group)
	group.SetLimit(4)
	for i, t := range all {
		group.Go(func() error {
			account := zoom.Account{ID: t.AccountID, ClientID: t.ClientID, ClientSecret: t.ClientSecret, UserID: t.ZoomUserID}.Trimmed()
			now := time.Now()
			faults[i] = client.List(ctx, account, now, now, func(zoom.Meeting) error { return nil })
			return nil
		})
	}
	_ = group.Wait() // faults has the errors
	good := 0
	for i, err := range faults {
		if err == nil {
			good++
			continue
		}
		e.Fail(check, "look at this teacher's app in Zoom's Marketplace: activated, scopes, credentials", "teacher %d: %v", all[i].ID, err)
	}
	if good > 0 {
		e.Pass(check, "the recordings of %d of %d teacher(s) can be listed", good, len(all))
	}
}

// zoomClock compares our clock with Zoom's: signed webhooks are taken for a few
// minutes only.
func (e *examination) zoomClock(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, e.settings.Zoom.OAuthURL, nil)
	if err != nil {
		return // configuration has told of it
	}
	asked := time.Now()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		if !errors.Is(err, context.Canceled) {
			e.Fail("zoom host", "check the network and zoom-oauth-url", "%s cannot be reached", req.URL.Host)
		}
		return
	}
	res.Body.Close()
	if date, err := http.ParseTime(res.Header.Get("Date")); err == nil {
		e.Clock(req.URL.Host, date, asked, time.Now())
	}
}

func (e *examination) alerts() {
	const check = "alerts"
	if n := len(e.settings.Alert.URLs); n == 0 {
		e.Warn(check, "set alert-urls, or watch the metrics with configs/prometheus/alerts.yml", "nobody is told of failures")
	} else {
		e.Pass(check, "%s", fmt.Sprintf("sent to %d place(s)", n))
	}
}
