package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lectiospace/lectern/internal/alert"
	"github.com/lectiospace/lectern/internal/archive"
	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/config"
	"github.com/lectiospace/lectern/internal/emulator"
	zoomemu "github.com/lectiospace/lectern/internal/emulator/zoom"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/origin/local"
	"github.com/lectiospace/lectern/internal/syncer"
	syncstore "github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/zoom"
)

// What the demo's Zoom is told.
const (
	demoMeeting  = 81234567890
	demoUUID     = "demo/meeting+1=="
	demoAccount  = "demo-account"
	demoLesson   = "Live from Zoom"
	demoPatience = 2 * time.Minute
)

// demoSyncer is a whole syncer beside the demo's gateway, and the Zoom it listens to.
type demoSyncer struct {
	zoom    *zoomemu.Server
	store   *catalog.Store
	client  *zoom.Client
	files   *local.Archive
	syncer  *syncer.Syncer
	server  *http.Server
	webhook string // where events go
	secret  string
	lesson  int64
}

// startDemoSyncer emulates Zoom with one meeting that has just been recorded, puts
// its lesson into the demo's catalog, and starts a syncer for both.
func startDemoSyncer(ctx context.Context, settings *config.Settings, log *slog.Logger) (_ *demoSyncer, err error) {
	d := &demoSyncer{zoom: zoomemu.New(), secret: "demo-webhook-secret"}
	defer func() {
		if err != nil {
			d.stop()
		}
	}()
	if err := d.zoom.Start(); err != nil {
		return nil, err
	}
	video, err := os.ReadFile(filepath.Join(settings.Origin.Local.Root, "algebra.mp4"))
	if err != nil {
		return nil, err
	}
	end := time.Now().UTC().Truncate(time.Second)
	start := end.Add(-75 * time.Second) // as long as the video is
	d.zoom.AddAccount(zoomemu.Account{ID: demoAccount, ClientID: "demo-client", ClientSecret: "demo-client-secret", Owner: "demo-host"})
	d.zoom.AddMeeting(zoomemu.Meeting{
		Account: demoAccount, ID: demoMeeting, UUID: demoUUID, Host: "demo-host", Topic: demoLesson, Start: start, Minutes: 1,
		Files: []zoomemu.File{{ID: "demo-file", Type: "MP4", View: "shared_screen_with_speaker_view", Start: start, End: end, Content: emulator.Bytes(video)}},
	})
	if d.store, err = catalog.Open(ctx, settings.DatabaseURL, slog.New(slog.DiscardHandler)); err != nil {
		return nil, err
	}
	if err := d.addLesson(ctx, start); err != nil {
		return nil, err
	}
	if err := d.assemble(ctx, settings, log); err != nil {
		return nil, err
	}
	return d, d.syncer.Start(ctx)
}

// addLesson gives the demo's teacher a Zoom app and the lesson that was recorded.
func (d *demoSyncer) addLesson(ctx context.Context, start time.Time) error {
	doc := fmt.Sprintf(`
people:
  - {email: teacher@demo.lectern, role: teacher, zoom_account_id: %s, zoom_client_id: demo-client, zoom_client_secret: demo-client-secret, zoom_user_id: demo-host}
lessons:
  - {title: %q, group: Algebra 10-A, teacher: teacher@demo.lectern, start: %s, end: %s, zoom_meeting_id: %d, record: true}
`, demoAccount, demoLesson, start.Format(time.RFC3339), start.Add(time.Hour).Format(time.RFC3339), demoMeeting)
	if _, err := d.store.Apply(ctx, strings.NewReader(doc), false); err != nil {
		return err
	}
	return d.store.View(ctx, "demo: the lesson", func(x syncstore.Session) error {
		found, err := syncstore.LessonsOfMeeting(ctx, x, fmt.Sprint(demoMeeting), demoAccount, "demo-host", 0)
		if err != nil {
			return err
		}
		if len(found) != 1 {
			return fmt.Errorf("BUG: %d lessons have the demo's meeting", len(found))
		}
		d.lesson = found[0].ID
		return nil
	})
}

// assemble wires the syncer, which archives into the demo's own folder.
func (d *demoSyncer) assemble(ctx context.Context, settings *config.Settings, log *slog.Logger) (err error) {
	cfg := config.SyncerDefaults().Sync.Config
	cfg.Settle, cfg.Provider, cfg.WorkDir = 0, media.ProviderLocal, filepath.Join(settings.DataDir, "sync")
	zooms := zoom.Config{
		WebhookSecret: d.secret, WebhookTolerance: 5 * time.Minute,
		APIURL:      d.zoom.APIURL(),
		FetchConfig: zoom.FetchConfig{OAuthURL: d.zoom.OAuthURL(), DownloadHosts: []string{"127.0.0.1"}},
	}
	d.client = zoom.NewClient(zooms, log)
	if d.files, err = local.NewArchive(settings.Origin.Local); err != nil {
		return err
	}
	d.syncer, err = syncer.New(cfg, syncer.Deps{
		Store: d.store, Zoom: d.client, Zooms: zooms,
		Target: d.files, Archives: map[string]archive.Archive{media.ProviderLocal: d.files},
		Alerts: alert.NewSender(alert.Config{}), PlatformRule: settings.Auth.AccessRule == "platform",
		Log: log, Metrics: prometheus.NewRegistry(), Now: time.Now,
	})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	d.webhook = "http://" + listener.Addr().String() + "/schedule/api/zoom/webhook/"
	d.server = &http.Server{Handler: d.syncer.Handler(), ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = d.server.Serve(listener) }() // ends with Close
	return nil
}

// play is the story: the meeting ends, Zoom's webhooks come, and the lesson is there.
// It tells of each step through say.
func (d *demoSyncer) play(ctx context.Context, say func(format string, args ...any)) error {
	say("A Zoom meeting ends (the emulated Zoom is at %s), its webhooks go to\n%s", d.zoom.APIURL(), d.webhook)
	began := time.Now()
	for _, event := range []string{"meeting.ended", "recording.completed"} {
		code, answer, err := zoomemu.Deliver(ctx, http.DefaultClient, d.webhook, d.secret, d.zoom.Event(event, demoUUID))
		if err != nil {
			return err
		}
		if code != http.StatusOK {
			return fmt.Errorf("the webhook %s was answered %d", event, code)
		}
		say("  %s: %s", event, strings.TrimSpace(string(answer)))
	}
	ctx, cancel := context.WithTimeout(ctx, demoPatience)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		i, err := d.look(ctx)
		switch {
		case ctx.Err() != nil:
			return errors.New("the meeting was not archived in time")
		case err != nil:
			return err
		case i.State == syncstore.Failed:
			return fmt.Errorf("the meeting could not be archived: %s", i.Reason)
		case i.State == syncstore.Done:
			say("Archived %.1f s later.", time.Since(began).Seconds())
			return nil
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// look is how far the lesson's recording has come.
func (d *demoSyncer) look(ctx context.Context) (i syncstore.Ingest, err error) {
	err = d.store.View(ctx, "demo: look", func(x syncstore.Session) error {
		i, err = syncstore.IngestOfLesson(ctx, x, d.lesson)
		if catalog.IsNotFound(err) {
			return nil
		}
		return err
	})
	return i, err
}

// recording is the recording's id, once play has ended well.
func (d *demoSyncer) recording(ctx context.Context) (int64, error) {
	i, err := d.look(ctx)
	return i.RecordingID, err
}

// stop ends everything, last first.
func (d *demoSyncer) stop() {
	if d.server != nil {
		_ = d.server.Close()
	}
	if d.syncer != nil {
		d.syncer.Stop()
	}
	if d.files != nil {
		_ = d.files.Close()
	}
	if d.client != nil {
		_ = d.client.Close()
	}
	if d.store != nil {
		_ = d.store.Close()
	}
	d.zoom.Stop()
}
