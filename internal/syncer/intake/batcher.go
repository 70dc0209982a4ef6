package intake

import (
	"context"
	"errors"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/queue"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// What became of a webhook, as it is answered.
const (
	resultAccepted  = "accepted"
	resultDuplicate = "duplicate"
	resultIgnored   = "ignored"
)

const (
	// maxBatch bounds how many events share a transaction.
	maxBatch = 64
)

// eventBatcher stores events (group commit). Those that arrive while one transaction is committing share
// the next: with many senders each still waits for about two commits, and the disk
// syncs once for all of them.
type eventBatcher struct {
	db    *catalog.Store
	queue *queue.Queue
	in    chan *pendingEvent
}

// pendingEvent is an event that waits to be stored. done gets exactly one outcome.
type pendingEvent struct {
	event store.Event
	// traceparent is of its webhook, "" when that is not traced.
	traceparent string
	done        chan outcome
}

type outcome struct {
	result string
	err    error
}

func newEventBatcher(db *catalog.Store, q *queue.Queue) *eventBatcher {
	return &eventBatcher{db: db, queue: q, in: make(chan *pendingEvent, maxBatch)}
}

// store stores an event and returns its result: accepted, duplicate or ignored. It
// returns when the event is durable, or when ctx ends.
func (b *eventBatcher) store(ctx context.Context, e store.Event) (string, error) {
	p := &pendingEvent{event: e, traceparent: media.TraceparentOf(ctx), done: make(chan outcome, 1)}
	select {
	case b.in <- p:
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
func (b *eventBatcher) run(ctx context.Context) {
	for {
		var first *pendingEvent
		select {
		case <-ctx.Done():
			b.refuseRest()
			return
		case first = <-b.in:
		}
		all := []*pendingEvent{first}
		for more := true; more && len(all) < maxBatch; {
			select {
			case p := <-b.in:
				all = append(all, p)
			default:
				more = false
			}
		}
		b.commit(ctx, all)
	}
}

func (b *eventBatcher) refuseRest() {
	for {
		select {
		case p := <-b.in:
			p.done <- outcome{err: media.Faultf(media.Unavailable, "syncer: store an event", "the syncer is stopping")}
		default:
			return
		}
	}
}

// commit stores a batch in one transaction, and one by one when that fails for a
// reason that may lie in a single event.
func (b *eventBatcher) commit(ctx context.Context, all []*pendingEvent) {
	results, err := b.insert(ctx, all)
	if err != nil && len(all) > 1 && !errors.Is(err, context.DeadlineExceeded) && media.KindOf(err) == media.Other {
		for _, p := range all {
			b.commit(ctx, []*pendingEvent{p})
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

func (b *eventBatcher) insert(ctx context.Context, all []*pendingEvent) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, storeWithin-300*time.Millisecond)
	defer cancel()
	var results []string
	err := b.db.Update(ctx, "syncer: store events", func(x store.Session) (err error) {
		results, err = b.insertIn(ctx, x, all)
		return err
	})
	return results, err
}

// insertIn stores events and their jobs within a transaction.
func (b *eventBatcher) insertIn(ctx context.Context, x store.Session, all []*pendingEvent) ([]string, error) {
	events := make([]store.Event, len(all))
	for i, p := range all {
		events[i] = p.event
	}
	added, err := store.AddEvents(ctx, x, events)
	if err != nil {
		return nil, err
	}
	results := make([]string, len(all))
	var jobs []queue.StoredEvent
	for i, p := range all {
		results[i] = resultOf(p.event, added[i])
		if p.event.State == store.EventNew && (added[i].New || added[i].Again) {
			jobs = append(jobs, queue.StoredEvent{ID: added[i].ID, Traceparent: p.traceparent})
		}
	}
	return results, b.queue.EnqueueEvents(ctx, x, jobs)
}

func resultOf(e store.Event, added store.AddedEvent) string {
	switch {
	case !added.New:
		return resultDuplicate
	case e.State == store.EventIgnored:
		return resultIgnored
	default:
		return resultAccepted
	}
}
