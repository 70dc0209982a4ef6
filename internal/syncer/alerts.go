package syncer

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/lectiospace/lectern/internal/alert"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/queue"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// alerts sends alerts to operators, as jobs. It is safe for concurrent use.
type alerts struct {
	sender *alert.Sender
	queue  *queue.Queue
	log    *slog.Logger
	now    func() time.Time
	// observing marks every alert.
	observing bool
}

// newAlerts makes alerts and adds their handler to the queue.
func newAlerts(sender *alert.Sender, q *queue.Queue, observing bool, log *slog.Logger, now func() time.Time) *alerts {
	s := &alerts{sender: sender, queue: q, log: log, now: now, observing: observing}
	queue.Handle(q, queue.HandlerOptions{Timeout: 2 * time.Minute, RetryDelay: q.RetryDelay}, s.sendJob)
	return s
}

// Raise tells operators of trouble, once per state of it: the alert becomes a job in
// the same transaction, and is sent until somebody has received it.
func (a *alerts) Raise(ctx context.Context, x store.Session, m queue.AlertArgs) error {
	changed, since, err := store.SetAlert(ctx, x, m.Key, m.State, m.Title, a.now())
	if err != nil || !changed {
		return err
	}
	m.State, m.Since, m.At = alert.Firing, since, a.now()
	a.log.Warn("alert: raised", slog.String("key", m.Key), slog.String("title", m.Title))
	return a.send(ctx, x, m)
}

// Resolve tells operators that it is over, if it was raised.
func (a *alerts) Resolve(ctx context.Context, x store.Session, key, title, text string) error {
	changed, since, err := store.SetAlert(ctx, x, key, "", "", a.now())
	if err != nil || !changed {
		return err
	}
	return a.send(ctx, x, queue.AlertArgs{Key: key, State: alert.Resolved, Severity: "info", Title: title, Text: text, Since: since, At: a.now()})
}

func (a *alerts) send(ctx context.Context, x store.Session, m queue.AlertArgs) error {
	if !a.sender.Any() {
		return nil
	}
	if a.observing {
		m.Title = ModeObserve + ": " + m.Title
		m.Text += "\nThis syncer observes (sync-mode: observe) and changes nothing."
	}
	return a.queue.Enqueue(ctx, x, m, time.Time{})
}

// sendJob sends one alert.
func (a *alerts) sendJob(ctx context.Context, job *queue.Job[queue.AlertArgs]) error {
	m := job.Args
	text := m.Text
	if !m.Since.IsZero() {
		text += fmt.Sprintf("\nSince %s.", m.Since.UTC().Format("2006-01-02 15:04 UTC"))
	}
	return a.sender.Send(ctx, alert.Message{Key: m.Key, State: m.State, Severity: m.Severity, Title: m.Title, Text: text, Since: m.Since, At: m.At})
}

// WarnQuota tells that a teacher has reached 80 %.
func (a *alerts) WarnQuota(ctx context.Context, x store.Session, q store.Quota) error {
	return a.send(ctx, x, queue.AlertArgs{
		Key: fmt.Sprintf("quota:%d", q.TeacherID), State: alert.Firing, Severity: "info", Since: a.now(), At: a.now(),
		Title: fmt.Sprintf("Teacher %d has used %d %% of the storage", q.TeacherID, q.Share()),
		Text:  fmt.Sprintf("%s of %s. When it is full, new recordings wait at Zoom until there is room: raise the quota or remove old recordings.", media.Size(q.Used), media.Size(q.Total)),
	})
}
