package doctor

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
	syncstore "github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/zoom"
)

const (
	// zoomConcurrency bounds how many teachers are checked at a time.
	zoomConcurrency = 16
	// zoomTimeout bounds the check of one teacher.
	zoomTimeout = 6 * time.Second
	// namedTeachers bounds how many teachers of one fault are named.
	namedTeachers = 10
)

// zoomFixes say what to do about an error of Zoom's by its reason. The reasons of zoomPassing
// end by themselves.
var (
	zoomFixes = map[string]string{
		zoom.ReasonCredentials: "copy account id, client id and client secret of this teacher's app from Zoom's Marketplace, and activate the app there",
		zoom.ReasonScope:       "add the scope to this teacher's app in Zoom's Marketplace",
		zoom.ReasonPermission:  "let this teacher's app read recordings: its scopes, and the role of its owner in Zoom",
		zoom.ReasonNoUser:      "correct this teacher's zoom_user_id, or leave it empty",
		zoom.ReasonNotAPI:      "check zoom-api-url, zoom-oauth-url and HTTPS_PROXY: a proxy or a captive portal answers in Zoom's place",
		zoom.ReasonNoList:      "check zoom-api-url and HTTPS_PROXY: a proxy or a captive portal answers in Zoom's place",
		zoom.ReasonRateLimited: "wait a minute and run this again",
		zoom.ReasonDailyLimit:  "wait until the account's daily limit is renewed",
	}
	zoomPassing = []string{zoom.ReasonRateLimited, zoom.ReasonDailyLimit}
)

const fixZoom = "check the network, zoom-api-url and zoom-oauth-url"

// teacherCheck is what was found about one teacher's Zoom app.
type teacherCheck struct {
	teacher int64
	begun   bool
	err     error
	keeps   bool // the app may not trash files
}

// ZoomTeachers lists the recordings of today as each teacher's Zoom app, which proves
// its credentials and scopes. deletes says that archived recordings are to be trashed at
// Zoom, which needs a scope that listing does not.
func (r *Report) ZoomTeachers(ctx context.Context, store *catalog.Store, cfg zoom.Config, deletes bool) {
	var all []syncstore.Teacher
	err := store.View(ctx, "doctor: teachers", func(x syncstore.Session) (err error) {
		all, err = syncstore.ZoomTeachers(ctx, x)
		return err
	})
	if err != nil {
		r.fail(nameZoom, fixDatabase, "%v", err)
		return
	}
	if len(all) == 0 {
		r.warn(nameZoom, "give a teacher zoom_account_id, zoom_client_id and zoom_client_secret: on the platform, or without one by `gateway catalog apply`", "no teacher has complete credentials: there is nothing to reconcile")
		return
	}
	client := zoom.NewClient(cfg, slog.New(slog.DiscardHandler))
	defer client.Close()
	checks := make([]teacherCheck, len(all))
	group := new(errgroup.Group)
	group.SetLimit(zoomConcurrency)
	for i, t := range all {
		checks[i].teacher = t.ID
		group.Go(func() error {
			if ctx.Err() == nil {
				checks[i].run(ctx, client, zoom.Account{ID: t.AccountID, ClientID: t.ClientID, ClientSecret: t.ClientSecret, UserID: t.ZoomUserID}.Trimmed(), deletes)
			}
			return nil
		})
	}
	_ = group.Wait() // the errors are in checks
	r.zoomFindings(checks)
}

func (c *teacherCheck) run(ctx context.Context, client *zoom.Client, account zoom.Account, deletes bool) {
	c.begun = true
	ctx, cancel := context.WithTimeout(ctx, zoomTimeout)
	defer cancel()
	now := time.Now()
	c.err = client.List(ctx, account, now, now, func(zoom.Meeting) error { return nil })
	if c.err == nil && deletes {
		may, err := client.MayDelete(ctx, account)
		c.keeps = err == nil && !may
	}
}

// zoomFindings reports what was found, teachers with the same fault together.
func (r *Report) zoomFindings(checks []teacherCheck) {
	type fault struct {
		err      error
		teachers []int64
	}
	var (
		faults      []*fault
		keeps, left []int64
		good        int
	)
	for _, c := range checks {
		switch {
		case !c.begun:
			left = append(left, c.teacher)
		case c.err != nil:
			i := slices.IndexFunc(faults, func(f *fault) bool { return f.err.Error() == c.err.Error() })
			if i < 0 {
				i, faults = len(faults), append(faults, &fault{err: c.err})
			}
			faults[i].teachers = append(faults[i].teachers, c.teacher)
		default:
			good++
		}
		if c.keeps {
			keeps = append(keeps, c.teacher)
		}
	}
	for _, f := range faults {
		reason := zoom.ReasonOf(f.err)
		add := r.fail
		if slices.Contains(zoomPassing, reason) {
			add = r.warn
		}
		add(nameZoom, cmp.Or(zoomFixes[reason], fixZoom), "%s: %v", teachers(f.teachers), f.err)
	}
	if len(left) > 0 {
		r.warn(nameZoom, "run this again when Zoom answers faster", "%s: not checked within the time", teachers(left))
	}
	if len(keeps) > 0 {
		r.warn(nameZoomScopes, "add cloud_recording:delete:recording_file:admin to the app, or set sync-delete-from-zoom=false",
			"%s: archived recordings stay at Zoom, the app lacks the scope to delete them", teachers(keeps))
	}
	if good > 0 {
		r.pass(nameZoom, "the recordings of %d of %d teacher(s) can be listed", good, len(checks))
	}
}

// teachers names the first of the teachers.
func teachers(ids []int64) string {
	var b strings.Builder
	for i, id := range ids[:min(len(ids), namedTeachers)] {
		if i == 0 {
			fmt.Fprintf(&b, "teacher %d", id)
		} else {
			fmt.Fprintf(&b, ", %d", id)
		}
	}
	if more := len(ids) - namedTeachers; more > 0 {
		fmt.Fprintf(&b, " and %d more", more)
	}
	return b.String()
}

// ZoomClock compares our clock with Zoom's: signed webhooks are accepted for a few
// minutes only.
func (r *Report) ZoomClock(ctx context.Context, cfg zoom.Config) {
	if err := r.serverClock(ctx, cfg.OAuthURL, cfg.WebhookTolerance); err != nil && media.KindOf(err) != media.Canceled {
		host := cfg.OAuthURL
		if u, err := url.Parse(host); err == nil {
			host = u.Host
		}
		r.fail(nameZoomHost, "check the network and zoom-oauth-url", "%s cannot be reached", host)
	}
}
