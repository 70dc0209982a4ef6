package syncer

import (
	"context"
	"errors"
	"time"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/zoom"
)

const (
	downloadPurpose = "download token"
	// batch bounds how many events share a transaction.
	batch = 64
)

// writer stores events. Those that arrive while one transaction is committing share
// the next: with many senders each still waits for about two commits, and the disk
// syncs once for all of them.
type writer struct {
	s  *Syncer
	in chan *pending
}

// pending is an event that waits to be stored. done gets exactly one outcome.
type pending struct {
	event store.Event
	done  chan outcome
}

type outcome struct {
	result string
	err    error
}

func newWriter(s *Syncer) *writer { return &writer{s: s, in: make(chan *pending, batch)} }

// eventRow is an event as the ledger keeps it: without secrets, but for the download
// token, which is sealed.
func (s *Syncer) eventRow(e zoom.Event, teacher int64, body []byte) store.Event {
	state := "ignored"
	if zoom.Handled(e.Name) {
		state = "new"
	}
	return store.Event{
		Identity: e.Identity(), Name: e.Name, AccountID: e.AccountID, TeacherID: teacher, MeetingUUID: e.Meeting.UUID,
		Time: e.Time, ReceivedAt: s.now(), Body: string(zoom.Scrub(body)), SealedToken: s.tokens.close(e.Meeting.DownloadToken, downloadPurpose), State: state,
	}
}

// store keeps an event and says whether it was new: accepted, duplicate or ignored.
// It returns when the event is durable, or when ctx ends.
func (w *writer) store(ctx context.Context, e store.Event) (string, error) {
	p := &pending{event: e, done: make(chan outcome, 1)}
	select {
	case w.in <- p:
	case <-ctx.Done():
		return "", media.Faultf(media.Timeout, "syncer: store an event", "too many events are waiting")
	}
	select {
	case o := <-p.done:
		return o.result, o.err
	case <-ctx.Done():
		return "", media.Faultf(media.Timeout, "syncer: store an event", "it took too long")
	}
}

// run stores what comes, until ctx ends; what waits then is refused.
func (w *writer) run(ctx context.Context) {
	for {
		var first *pending
		select {
		case <-ctx.Done():
			w.refuseRest()
			return
		case first = <-w.in:
		}
		all := []*pending{first}
		for more := true; more && len(all) < batch; {
			select {
			case p := <-w.in:
				all = append(all, p)
			default:
				more = false
			}
		}
		w.commit(ctx, all)
	}
}

func (w *writer) refuseRest() {
	for {
		select {
		case p := <-w.in:
			p.done <- outcome{err: media.Faultf(media.Unavailable, "syncer: store an event", "the syncer is stopping")}
		default:
			return
		}
	}
}

// commit stores a batch in one transaction, and one by one when that fails for a
// reason that may lie in a single event.
func (w *writer) commit(ctx context.Context, all []*pending) {
	results, err := w.transaction(ctx, all)
	if err != nil && len(all) > 1 && !errors.Is(err, context.DeadlineExceeded) && media.KindOf(err) == media.Other {
		for _, p := range all {
			w.commit(ctx, []*pending{p})
		}
		return
	}
	for i, p := range all {
		o := outcome{err: err}
		if err == nil {
			o.result = results[i]
		}
		p.done <- o
	}
}

func (w *writer) transaction(ctx context.Context, all []*pending) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, storeWithin-300*time.Millisecond)
	defer cancel()
	results := make([]string, len(all))
	err := w.s.deps.Store.Update(ctx, "syncer: store events", func(x store.Session) error {
		for i, p := range all {
			id, isNew, again, err := store.AddEvent(ctx, x, p.event)
			if err != nil {
				return err
			}
			switch {
			case !isNew:
				results[i] = "duplicate"
			case p.event.State == "ignored":
				results[i] = "ignored"
			default:
				results[i] = "accepted"
			}
			if p.event.State == "new" && (isNew || again) {
				if err := w.s.enqueue(ctx, x, eventArgs{id}, time.Time{}); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return results, err
}
