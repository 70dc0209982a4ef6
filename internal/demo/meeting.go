package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
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
	"github.com/lectiospace/lectern/internal/auth"
	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/catalog/document"
	"github.com/lectiospace/lectern/internal/emulator"
	zoomemu "github.com/lectiospace/lectern/internal/emulator/zoom"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/origin/local"
	"github.com/lectiospace/lectern/internal/syncer"
	syncstore "github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/zoom"
)

// The emulated Zoom's one meeting.
const (
	meetingID      = 81234567890
	meetingUUID    = "demo/meeting+1=="
	meetingAccount = "demo-account"
	meetingTitle   = "Live from Zoom"
	// archiveTimeout bounds the wait for the recording.
	archiveTimeout = 2 * time.Minute
)

// meeting is a syncer in this process and the emulated Zoom it works with.
type meeting struct {
	zoom    *zoomemu.Server
	store   *catalog.Store
	client  *zoom.Client
	files   *local.Archive
	syncer  *syncer.Syncer
	server  *http.Server
	webhook string // URL of the syncer's webhook route
	secret  string
	lesson  int64
}

// startMeeting emulates Zoom with one meeting that has just been recorded, puts
// its lesson into the demo's catalog, and starts a syncer for both.
func startMeeting(ctx context.Context, cfg Config, log *slog.Logger) (_ *meeting, err error) {
	m := &meeting{zoom: zoomemu.New(), secret: "demo-webhook-secret"}
	defer func() {
		if err != nil {
			m.stop()
		}
	}()
	if err := m.zoom.Start(); err != nil {
		return nil, err
	}
	video, err := os.ReadFile(filepath.Join(cfg.Local.Root, "algebra.mp4"))
	if err != nil {
		return nil, err
	}
	end := time.Now().UTC().Truncate(time.Second)
	start := end.Add(-75 * time.Second) // as long as the video is
	m.zoom.AddAccount(zoomemu.Account{ID: meetingAccount, ClientID: "demo-client", ClientSecret: "demo-client-secret", Owner: "demo-host"})
	m.zoom.AddMeeting(zoomemu.Meeting{
		Account: meetingAccount, ID: meetingID, UUID: meetingUUID, Host: "demo-host", Topic: meetingTitle, Start: start, Minutes: 1,
		Files: append(zoomemu.EveryKind(start, end, emulator.Bytes(video), emulator.Bytes(video)),
			zoomemu.File{ID: "demo-file", Type: "MP4", View: "shared_screen_with_speaker_view", Start: start, End: end, Content: emulator.Bytes(video)}),
	})
	if m.store, err = catalog.Open(ctx, cfg.DatabaseURL, slog.New(slog.DiscardHandler)); err != nil {
		return nil, err
	}
	if err := m.addLesson(ctx, start); err != nil {
		return nil, err
	}
	if err := m.assemble(cfg, log); err != nil {
		return nil, err
	}
	return m, m.syncer.Start(ctx)
}

// addLesson gives the demo's teacher a Zoom app and the lesson that was recorded.
func (m *meeting) addLesson(ctx context.Context, start time.Time) error {
	doc := fmt.Sprintf(`
people:
  - {email: teacher@demo.lectern, role: teacher, zoom_account_id: %s, zoom_client_id: demo-client, zoom_client_secret: demo-client-secret, zoom_user_id: demo-host}
lessons:
  - {title: %q, group: Algebra 10-A, teacher: teacher@demo.lectern, start: %s, end: %s, zoom_meeting_id: %d, record: true}
`, meetingAccount, meetingTitle, start.Format(time.RFC3339), start.Add(time.Hour).Format(time.RFC3339), meetingID)
	if _, err := document.Apply(ctx, m.store, strings.NewReader(doc), false); err != nil {
		return err
	}
	return m.store.View(ctx, "demo: the lesson", func(x syncstore.Session) error {
		found, err := syncstore.LessonsOfMeeting(ctx, x, fmt.Sprint(meetingID), meetingAccount, "demo-host", 0)
		if err != nil {
			return err
		}
		if len(found) != 1 {
			return fmt.Errorf("BUG: %d lessons have the demo's meeting", len(found))
		}
		m.lesson = found[0].ID
		return nil
	})
}

// assemble wires the syncer, which archives into the demo's own folder.
func (m *meeting) assemble(cfg Config, log *slog.Logger) (err error) {
	sync := cfg.Sync
	sync.Settle, sync.Provider = 0, media.ProviderLocal
	zooms := zoom.Config{
		WebhookSecret: m.secret, WebhookTolerance: 5 * time.Minute,
		APIURL:      m.zoom.APIURL(),
		FetchConfig: zoom.FetchConfig{OAuthURL: m.zoom.OAuthURL(), DownloadHosts: []string{"127.0.0.1"}},
	}
	m.client = zoom.NewClient(zooms, log)
	if m.files, err = local.NewArchive(cfg.Local); err != nil {
		return err
	}
	m.syncer, err = syncer.New(sync, syncer.Deps{
		Store: m.store, Zoom: m.client, Zooms: zooms,
		Target: m.files, Archives: map[string]archive.Archive{media.ProviderLocal: m.files},
		Alerts: alert.NewSender(alert.Config{}), PlatformRule: cfg.Auth.AccessRule == string(auth.RulePlatform),
		Version: cfg.Version, Log: log, Metrics: prometheus.NewRegistry(), Now: time.Now,
	})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	m.syncer.SetAddress(listener.Addr().String())
	m.webhook = "http://" + listener.Addr().String() + "/schedule/api/zoom/webhook/"
	m.server = &http.Server{Handler: m.syncer.Handler(), ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = m.server.Serve(listener) }() // ends with Close
	return nil
}

// record delivers the webhooks of a meeting that has ended and waits until its
// recording is archived, whose id it returns. It writes each step to out.
func (m *meeting) record(ctx context.Context, out io.Writer) (recording int64, err error) {
	fmt.Fprintf(out, "A Zoom meeting ends (the emulated Zoom is at %s), its webhooks go to\n%s\n", m.zoom.APIURL(), m.webhook)
	began := time.Now()
	for _, event := range []string{"meeting.ended", "recording.completed"} {
		code, answer, err := zoomemu.Deliver(ctx, http.DefaultClient, m.webhook, m.secret, m.zoom.Event(event, meetingUUID))
		if err != nil {
			return 0, err
		}
		if code != http.StatusOK {
			return 0, fmt.Errorf("the webhook %s was answered %d", event, code)
		}
		fmt.Fprintf(out, "  %s: %s\n", event, strings.TrimSpace(string(answer)))
	}
	ctx, cancel := context.WithTimeout(ctx, archiveTimeout)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		i, err := m.ingest(ctx)
		switch {
		case ctx.Err() != nil:
			return 0, errors.New("the meeting was not archived in time")
		case err != nil:
			return 0, err
		case i.State() == syncstore.Failed:
			return 0, fmt.Errorf("the meeting could not be archived: %s", i.Reason)
		case i.State() == syncstore.Done:
			fmt.Fprintf(out, "Archived %.1f s later.\n", time.Since(began).Seconds())
			return i.RecordingID, nil
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// ingest is the lesson's ingest; its zero value before there is one.
func (m *meeting) ingest(ctx context.Context) (i syncstore.Ingest, err error) {
	err = m.store.View(ctx, "demo: the meeting's ingest", func(x syncstore.Session) error {
		i, err = syncstore.IngestOfLesson(ctx, x, m.lesson)
		if catalog.IsNotFound(err) {
			return nil
		}
		return err
	})
	return i, err
}

// stop ends everything, last first.
func (m *meeting) stop() {
	if m.server != nil {
		_ = m.server.Close()
	}
	if m.syncer != nil {
		m.syncer.Stop()
	}
	if m.files != nil {
		_ = m.files.Close()
	}
	if m.client != nil {
		_ = m.client.Close()
	}
	if m.store != nil {
		_ = m.store.Close()
	}
	m.zoom.Stop()
}
