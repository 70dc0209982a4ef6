// Package demo is `gateway demo`: sample lessons in a catalog of their own, the texts
// that show a newcomer what to open, and, on request, a syncer with an emulated Zoom
// where a meeting has just ended.
package demo

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/lectiospace/lectern/internal/auth"
	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/catalog/document"
	"github.com/lectiospace/lectern/internal/catalog/schema"
	"github.com/lectiospace/lectern/internal/demo/lessons"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/origin/local"
	"github.com/lectiospace/lectern/internal/syncer"
)

// tokenLifetime is long enough for an afternoon with the demo.
const tokenLifetime = 12 * time.Hour

// Config is what the demo shares with the gateway that serves it.
type Config struct {
	// DatabaseURL names an empty database, which the demo fills.
	DatabaseURL string
	// Local is the folder of the provider local; the sample media are written there.
	Local local.Config
	// Bucket holds the lessons; nil means that they are in the folder.
	Bucket *Bucket
	// SignIn is where people sign in; nil means by the printed links only.
	SignIn *SignIn
	// Auth signs the tokens that the demo prints.
	Auth auth.Config
	// PublicURL is the base of printed links; "" means the address of the listener.
	PublicURL string
	// Sync is the syncer's configuration with a WorkDir that may be written.
	Sync syncer.Config
	// Version is the program's, which the syncer's heartbeat names.
	Version string
}

// provider is where the lessons are.
func (c Config) provider() string {
	if c.Bucket != nil {
		return media.ProviderS3
	}
	return media.ProviderLocal
}

// Demo is a catalog with sample lessons and, after StartMeeting, a syncer.
type Demo struct {
	cfg      Config
	log      *slog.Logger
	meeting  *meeting
	playing  sync.WaitGroup
	stopPlay context.CancelFunc
}

// The ids of the people that the demo prints tokens for: ids count from 1 in a fresh
// catalog, in the document's order.
const (
	student  = 1
	teacher  = 2
	stranger = 3
)

// New writes the sample media and fills the catalog.
func New(ctx context.Context, cfg Config, log *slog.Logger) (*Demo, error) {
	if err := lessons.WriteTo(cfg.Local.Root); err != nil {
		return nil, err
	}
	store, err := catalog.Open(ctx, cfg.DatabaseURL, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	defer store.Close()
	if err := schema.EnsureFresh(ctx, store); err != nil {
		return nil, err
	}
	now := time.Now()
	text, err := lessons.Catalog(now, cfg.provider())
	if err != nil {
		return nil, err
	}
	if _, err := document.Apply(ctx, store, bytes.NewReader(text), false); err != nil {
		return nil, err
	}
	if err := fillSyncerTables(ctx, store, cfg.provider(), now); err != nil {
		return nil, err
	}
	return &Demo{cfg: cfg, log: log}, nil
}

// baseURL is where the gateway is reached, without a final slash.
func (d *Demo) baseURL(public net.Addr) string {
	if d.cfg.PublicURL != "" {
		return strings.TrimSuffix(d.cfg.PublicURL, "/")
	}
	return "http://" + public.String()
}

// tokens signs an access token for each user.
func (d *Demo) tokens(users ...int64) (map[int64]string, error) {
	minter, err := auth.NewMinter(d.cfg.Auth, time.Now)
	if err != nil {
		return nil, err
	}
	out := map[int64]string{}
	for _, id := range users {
		if out[id], err = minter.Access(id, tokenLifetime); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// PrintWelcome writes what a newcomer may open and paste. The sign-in works from then on: only
// now the gateway's address is known.
func (d *Demo) PrintWelcome(w io.Writer, public, admin net.Addr) error {
	tokens, err := d.tokens(student, teacher, stranger)
	if err != nil {
		return err
	}
	base := d.baseURL(public)
	var b strings.Builder
	fmt.Fprintf(&b, "\nLectern's demo is running. The library, as a student and as a teacher:\n\n")
	fmt.Fprintf(&b, "  %s/#token=%s\n\n  %s/#token=%s\n\n", base, tokens[student], base, tokens[teacher])
	fmt.Fprintf(&b, "A lesson, as a student:\n\n")
	for i, lesson := range lessons.All() {
		fmt.Fprintf(&b, "  %s\n  %s/watch/%d#token=%s\n\n", lesson.Title, base, i+1, tokens[student])
	}
	fmt.Fprintf(&b, "The first KiB of one, as a player asks for it:\n\n")
	fmt.Fprintf(&b, "  curl -v -o /dev/null -H 'Authorization: Bearer %s' -H 'Range: bytes=0-1023' %s/api/recordings/1/stream/\n\n", tokens[student], base)
	if d.cfg.SignIn != nil {
		d.cfg.SignIn.register(base, public)
		fmt.Fprintf(&b, "Sign in at the emulated provider of OpenID Connect, as whom you like:\n\n  %s/\n\n", base)
	}
	if d.cfg.Bucket != nil {
		fmt.Fprintf(&b, "The lessons are in an emulated bucket of S3, which the gateway reads by\n\n  LECTERN_ORIGIN_S3_URL='%s'\n\n", d.cfg.Bucket.Config().URL)
	}
	fmt.Fprintf(&b, "A student who is in no group (403):\n\n  %s\n\n", tokens[stranger])
	fmt.Fprintf(&b, "Metrics: http://%s/metrics\n\nCtrl-C ends it", admin)
	fmt.Fprintln(&b, ".")
	_, err = fmt.Fprintln(w, b.String())
	return err
}

// StartMeeting starts an emulated Zoom and a syncer, lets a meeting end, and prints
// where its recording plays once it is archived. A failure after the start is printed
// to stderr; the rest of the demo goes on. Stop ends all of it.
func (d *Demo) StartMeeting(ctx context.Context, public net.Addr, stdout, stderr io.Writer) error {
	m, err := startMeeting(ctx, d.cfg, d.log)
	if err != nil {
		return err
	}
	d.meeting = m
	ctx, d.stopPlay = context.WithCancel(ctx)
	d.playing.Go(func() {
		err := d.play(ctx, public, stdout)
		if err != nil && ctx.Err() == nil { // else Ctrl-C came first
			fmt.Fprintln(stderr, "the demo's syncer:", err)
		}
	})
	return nil
}

// play has the meeting recorded and prints the recording's page.
func (d *Demo) play(ctx context.Context, public net.Addr, out io.Writer) error {
	id, err := d.meeting.record(ctx, out)
	if err != nil {
		return err
	}
	tokens, err := d.tokens(student)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "Watch it:\n\n  %s\n  %s/watch/%d#token=%s\n\n", meetingTitle, d.baseURL(public), id, tokens[student])
	return err
}

// Stop ends what StartMeeting started and waits for it. It may be called twice.
func (d *Demo) Stop() {
	if d.stopPlay != nil {
		d.stopPlay()
	}
	d.playing.Wait()
	if d.meeting != nil {
		d.meeting.stop()
		d.meeting = nil
	}
}
