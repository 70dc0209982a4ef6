package doctor

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lectiospace/lectern/internal/catalog"
	syncstore "github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/zoom"
)

// zoomConcurrency bounds how many teachers are checked at a time.
const zoomConcurrency = 4

// ZoomTeachers lists the recordings of today as each teacher's Zoom app, which proves
// its credentials and scopes. deletes says that archived recordings are to be trashed at
// Zoom, which needs a scope that listing does not.
func (r *Report) ZoomTeachers(ctx context.Context, store *catalog.Store, cfg zoom.Config, deletes bool) {
	const check = "zoom"
	var all []syncstore.Teacher
	err := store.View(ctx, "doctor: teachers", func(x syncstore.Session) (err error) {
		all, err = syncstore.ZoomTeachers(ctx, x)
		return err
	})
	if err != nil {
		r.Fail(check, "", "%v", err)
		return
	}
	if len(all) == 0 {
		r.Warn(check, "give a teacher all three of Zoom's credentials", "no teacher has complete credentials: there is nothing to reconcile")
		return
	}
	client := zoom.NewClient(cfg, slog.New(slog.DiscardHandler))
	defer client.Close()
	faults, keeps := make([]error, len(all)), make([]bool, len(all))
	group := new(errgroup.Group)
	group.SetLimit(zoomConcurrency)
	for i, t := range all {
		group.Go(func() error {
			account := zoom.Account{ID: t.AccountID, ClientID: t.ClientID, ClientSecret: t.ClientSecret, UserID: t.ZoomUserID}.Trimmed()
			now := time.Now()
			faults[i] = client.List(ctx, account, now, now, func(zoom.Meeting) error { return nil })
			if faults[i] == nil && deletes {
				may, err := client.MayDelete(ctx, account)
				keeps[i] = err == nil && !may
			}
			return nil
		})
	}
	_ = group.Wait() // the errors are in faults
	good := 0
	for i, err := range faults {
		if err == nil {
			good++
			continue
		}
		r.Fail(check, "look at this teacher's app in Zoom's Marketplace: activated, scopes, credentials", "teacher %d: %v", all[i].ID, err)
	}
	for i, keep := range keeps {
		if keep {
			r.Warn("zoom scopes", "add cloud_recording:delete:recording_file:admin to this teacher's app, or set sync-delete-from-zoom=false", "teacher %d: archived recordings stay at Zoom, the app lacks the scope to delete them", all[i].ID)
		}
	}
	if good > 0 {
		r.Pass(check, "the recordings of %d of %d teacher(s) can be listed", good, len(all))
	}
}

// ZoomClock compares our clock with Zoom's: signed webhooks are accepted for a few
// minutes only.
func (r *Report) ZoomClock(ctx context.Context, cfg zoom.Config) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout/2)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, cfg.OAuthURL, nil)
	if err != nil {
		return // the check of the configuration reports it
	}
	asked := time.Now()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		if !errors.Is(err, context.Canceled) {
			r.Fail("zoom host", "check the network and zoom-oauth-url", "%s cannot be reached", req.URL.Host)
		}
		return
	}
	res.Body.Close()
	if date, err := http.ParseTime(res.Header.Get("Date")); err == nil {
		r.Clock(req.URL.Host, date, asked, time.Now(), cfg.WebhookTolerance)
	}
}
