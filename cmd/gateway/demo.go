package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/lectiospace/lectern/internal/auth"
	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/config"
	"github.com/lectiospace/lectern/internal/demo/lessons"
	syncstore "github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/telemetry"
)

type demoCommand struct {
	Keep       bool `help:"Keep the demo's data directory after Ctrl-C and print where it is."`
	WithSyncer bool `help:"Emulate Zoom too: a meeting ends, its webhook comes, and the recorded lesson appears and plays."`
}

// demoTokenLife is long enough for an afternoon with the demo.
const demoTokenLife = 12 * time.Hour

// Run prepares everything in a folder of its own, serves it, and cleans up.
func (c *demoCommand) Run(ctx context.Context, cli *CLI, term terminal) (err error) {
	dir, err := os.MkdirTemp("", "lectern-demo-")
	if err != nil {
		return err
	}
	defer func() {
		if c.Keep {
			fmt.Fprintln(term.out, "kept:", dir)
		} else if rmErr := os.RemoveAll(dir); err == nil {
			err = rmErr
		}
	}()
	settings := demoSettings(cli.Settings, dir)
	if err := lessons.WriteTo(settings.Origin.Local.Root); err != nil {
		return err
	}
	log := telemetry.NewLogger(settings.Log, term.err)
	people, err := fillDemo(ctx, &settings)
	if err != nil {
		return err
	}
	svc, err := assemble(ctx, &settings, log)
	if err != nil {
		return err
	}
	defer svc.close()
	public, admin, err := listenDemo(&settings)
	if err != nil {
		return err
	}
	if err := people.print(term, &settings, public.Addr(), admin.Addr()); err != nil {
		return err
	}
	if c.WithSyncer {
		recorded, err := startDemoSyncer(ctx, &settings, log)
		if err != nil {
			return err
		}
		defer recorded.stop()
		telling, stop := context.WithCancel(ctx)
		told := make(chan struct{})
		go func() {
			defer close(told)
			people.tell(telling, term, &settings, public.Addr(), recorded)
		}()
		defer func() { stop(); <-told }()
	}
	return svc.serve(ctx, public, admin)
}

// tell lets a meeting end and prints where the lesson plays then. A failure is told
// too; the demo goes on without that lesson.
func (p demoPeople) tell(ctx context.Context, term terminal, s *config.Settings, public net.Addr, d *demoSyncer) {
	err := d.play(ctx, func(format string, args ...any) { fmt.Fprintf(term.out, format+"\n", args...) })
	var (
		id     int64
		token  string
		minter *auth.Minter
	)
	if err == nil {
		id, err = d.recording(ctx)
	}
	if err == nil {
		minter, err = auth.NewMinter(s.Auth, time.Now)
	}
	if err == nil {
		token, err = minter.Access(p.student, demoTokenLife)
	}
	switch {
	case ctx.Err() != nil: // Ctrl-C came first
	case err != nil:
		fmt.Fprintln(term.err, "the demo's syncer:", err)
	default:
		fmt.Fprintf(term.out, "Watch it:\n\n  %s\n  %s/watch/%d#token=%s\n\n", demoLesson, demoBase(s, public), id, token)
	}
}

// demoBase is where the gateway is reached.
func demoBase(s *config.Settings, public net.Addr) string {
	if s.PublicURL != "" {
		return strings.TrimSuffix(s.PublicURL, "/")
	}
	return "http://" + public.String()
}

// demoSettings are the given settings with everything that must be prepared
// replaced by something in dir: the demo never touches a real catalog.
func demoSettings(s config.Settings, dir string) config.Settings {
	s.DataDir = dir
	s.DatabaseURL = "sqlite://" + filepath.Join(dir, "lectern.db")
	s.Cache.Dir = filepath.Join(dir, "cache")
	s.Origin.Local.Root = filepath.Join(dir, "recordings")
	s.Origin.Drive.Credentials = ""
	s.Auth = auth.Config{
		JWTSecret:    rand.Text() + rand.Text(),
		QueryTokens:  "any",
		AccessRule:   s.Auth.AccessRule,
		OutageGrace:  s.Auth.OutageGrace,
		MaxStaleness: s.Auth.MaxStaleness,
	}
	return s
}

// listenDemo opens the listeners where the settings say or, when somebody is
// there already, on free ports: a newcomer's port 8080 is often taken.
func listenDemo(s *config.Settings) (public, admin net.Listener, err error) {
	public, admin, err = listen(s)
	if !errors.Is(err, syscall.EADDRINUSE) {
		return public, admin, err
	}
	free := *s
	for _, address := range []*string{&free.Listen, &free.AdminListen} {
		if host, _, splitErr := net.SplitHostPort(*address); splitErr == nil {
			*address = net.JoinHostPort(host, "0")
		}
	}
	return listen(&free)
}

// demoPeople is who the demo prints lines for.
type demoPeople struct {
	lessons          []lessons.Lesson
	student, teacher int64
	stranger         int64
}

// fillDemo makes the demo's catalog and finds out who got which id.
func fillDemo(ctx context.Context, s *config.Settings) (demoPeople, error) {
	store, err := catalog.Open(ctx, s.DatabaseURL, slog.New(slog.DiscardHandler))
	if err != nil {
		return demoPeople{}, err
	}
	defer store.Close()
	if err := store.EnsureFresh(ctx); err != nil {
		return demoPeople{}, err
	}
	now := time.Now()
	document, err := lessons.Catalog(now)
	if err != nil {
		return demoPeople{}, err
	}
	if _, err := store.Apply(ctx, bytes.NewReader(document), false); err != nil {
		return demoPeople{}, err
	}
	if err := fillDemoLedger(ctx, store, now); err != nil {
		return demoPeople{}, err
	}
	// Ids count from 1 in a fresh catalog, in the document's order.
	return demoPeople{lessons: lessons.All(), student: 1, teacher: 2, stranger: 3}, nil
}

// fillDemoLedger adds what a syncer would have written: captions, why one lesson
// failed, and how full the teachers' storage is.
func fillDemoLedger(ctx context.Context, store *catalog.Store, now time.Time) error {
	captions, err := lessons.Captions()
	if err != nil {
		return err
	}
	return store.Update(ctx, "demo: fill the ledger", func(x catalog.Session) error {
		if err := syncstore.PutCaption(ctx, x, lessons.Spoken, syncstore.Caption{Lang: "en", Label: "English", Body: captions}, now); err != nil {
			return err
		}
		lesson, err := syncstore.LoadLesson(ctx, x, lessons.BrokenLesson)
		if err != nil {
			return err
		}
		ingest, _, err := syncstore.RequestIngest(ctx, x, lesson, now)
		if err != nil {
			return err
		}
		ingest.RecordingID, ingest.State, ingest.Reason = lessons.Broken, "failed", "gone_at_zoom"
		if _, err := syncstore.SaveIngest(ctx, x, ingest, "", now); err != nil {
			return err
		}
		teachers, err := syncstore.QuotaTeachers(ctx, x)
		if err != nil {
			return err
		}
		for _, teacher := range teachers {
			if _, _, _, err := syncstore.RecomputeUsage(ctx, x, teacher, now); err != nil {
				return err
			}
		}
		return nil
	})
}

// print tells the newcomer what to open and what to paste.
func (p demoPeople) print(term terminal, s *config.Settings, public, admin net.Addr) error {
	minter, err := auth.NewMinter(s.Auth, time.Now)
	if err != nil {
		return err
	}
	tokens := map[int64]string{}
	for _, id := range []int64{p.student, p.teacher, p.stranger} {
		if tokens[id], err = minter.Access(id, demoTokenLife); err != nil {
			return err
		}
	}
	base := demoBase(s, public)
	var b strings.Builder
	fmt.Fprintf(&b, "\nLectern's demo is running. The library, as a student and as a teacher:\n\n")
	fmt.Fprintf(&b, "  %s/#token=%s\n\n  %s/#token=%s\n\n", base, tokens[p.student], base, tokens[p.teacher])
	fmt.Fprintf(&b, "A lesson, as a student:\n\n")
	for i, lesson := range p.lessons {
		fmt.Fprintf(&b, "  %s\n  %s/watch/%d#token=%s\n\n", lesson.Title, base, i+1, tokens[p.student])
	}
	fmt.Fprintf(&b, "The first KiB of one, as a player asks for it:\n\n")
	fmt.Fprintf(&b, "  curl -v -o /dev/null -H 'Authorization: Bearer %s' -H 'Range: bytes=0-1023' %s/api/recordings/1/stream/\n\n", tokens[p.student], base)
	fmt.Fprintf(&b, "A student who is in no group (403):\n\n  %s\n\n", tokens[p.stranger])
	fmt.Fprintf(&b, "Metrics: http://%s/metrics\n\nCtrl-C ends it", admin)
	fmt.Fprintln(&b, ".")
	_, err = fmt.Fprintln(term.out, b.String())
	return err
}
