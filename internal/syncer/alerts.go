package syncer

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/riverqueue/river"

	"github.com/lectiospace/lectern/internal/alert"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// raise tells operators of trouble, once per state: the alert becomes a job in the
// same transaction, and is tried until somebody has it.
func (s *Syncer) raise(ctx context.Context, x store.Session, a alertArgs) error {
	changed, since, err := store.SetAlert(ctx, x, a.Key, a.State, a.Title, s.now())
	if err != nil || !changed {
		return err
	}
	a.State, a.Since, a.At = alert.Firing, since, s.now()
	s.log.Warn("alert", slog.String("key", a.Key), slog.String("title", a.Title))
	return s.send(ctx, x, a)
}

// resolve tells them that it is over, if they were told that it began.
func (s *Syncer) resolve(ctx context.Context, x store.Session, key, title, text string) error {
	changed, since, err := store.SetAlert(ctx, x, key, "", "", s.now())
	if err != nil || !changed {
		return err
	}
	return s.send(ctx, x, alertArgs{Key: key, State: alert.Resolved, Severity: "info", Title: title, Text: text, Since: since, At: s.now()})
}

func (s *Syncer) send(ctx context.Context, x store.Session, a alertArgs) error {
	if !s.deps.Alerts.Any() {
		return nil
	}
	return s.enqueue(ctx, x, a, time.Time{})
}

// workAlert sends one alert.
func (s *Syncer) workAlert(ctx context.Context, job *river.Job[alertArgs]) error {
	a := job.Args
	text := a.Text
	if !a.Since.IsZero() {
		text += fmt.Sprintf("\nSince %s.", a.Since.UTC().Format("2006-01-02 15:04 UTC"))
	}
	return s.deps.Alerts.Send(ctx, alert.Message{Key: a.Key, State: a.State, Severity: a.Severity, Title: a.Title, Text: text, Since: a.Since, At: a.At})
}

// warnQuota tells that a teacher has reached 80 %.
func (s *Syncer) warnQuota(ctx context.Context, x store.Session, q store.Quota) error {
	return s.send(ctx, x, alertArgs{
		Key: fmt.Sprintf("quota:%d", q.TeacherID), State: alert.Firing, Severity: "info", Since: s.now(), At: s.now(),
		Title: fmt.Sprintf("Teacher %d has used %d %% of the storage", q.TeacherID, q.Share()),
		Text:  fmt.Sprintf("%s of %s. When it is full, new recordings wait at Zoom until there is room: raise the quota or remove old recordings.", media.Size(q.Used), media.Size(q.Total)),
	})
}
