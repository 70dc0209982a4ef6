package queue

import (
	"context"
	"database/sql"
	"sync"
	"time"

	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivertype"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/catalog/schema"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

const (
	// DefaultBusyPoll is how often a queue is asked for jobs while there is work.
	DefaultBusyPoll = 500 * time.Millisecond
	// busyFor is how long after the last sign of work there is still some.
	busyFor = 10 * time.Second
	// DefaultIdlePoll is how often it is asked otherwise. An idle syncer shall not be seen
	// in the database's load: polling every 500 ms would alone be six statements a second.
	DefaultIdlePoll = 10 * time.Second
	// pollTimeout ends a poll. The library polls without a deadline, one poll of a queue at a
	// time: on a connection that never answers the queue would stand still. Jobs that were
	// fetched all the same are found by LostEnds.
	pollTimeout = 10 * time.Second
	// settingsAge is how old the answer may be whether somebody has paused a queue.
	settingsAge = 30 * time.Second
)

// pace decides whether a queue's poll reaches the database. Safe for concurrent use.
type pace struct {
	idlePoll time.Duration
	now      func() time.Time

	mu        sync.Mutex
	busyUntil time.Time            // guarded by mu
	asked     map[string]time.Time // when a queue was last asked; guarded by mu
}

func newPace(idlePoll time.Duration) *pace {
	return &pace{idlePoll: idlePoll, now: time.Now, asked: map[string]time.Time{}}
}

// busy notes a sign of work: a job was inserted here, began or ended.
func (p *pace) busy() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.busyUntil = p.now().Add(busyFor)
}

// due reports whether a queue is to be asked now, and notes that it is.
func (p *pace) due(queue string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if now.Before(p.busyUntil) || now.Sub(p.asked[queue]) >= p.idlePoll {
		p.asked[queue] = now
		return true
	}
	return false
}

// pacedDriver is a driver of the job library whose polls follow a pace.
type pacedDriver struct {
	riverdriver.Driver[*sql.Tx]
	pace *pace
	// available reports whether a queue has an available job; nil = it is not looked up
	// before a poll. SQLite parses and plans the library's UPDATE … RETURNING at each poll,
	// which takes a hundred times what the look-up does, and takes the writer's lock for it.
	available func(ctx context.Context, queue string) (bool, error)
}

// newPacedDriver is the driver for a database.
func newPacedDriver(db *catalog.Store, pace *pace) pacedDriver {
	d := pacedDriver{Driver: schema.JobDriver(db), pace: pace}
	if db.Dialect() == catalog.SQLite {
		d.available = func(ctx context.Context, queue string) (bool, error) { return store.JobAvailable(ctx, db, queue) }
	}
	return d
}

// GetExecutor implements riverdriver.Driver.
func (d pacedDriver) GetExecutor() riverdriver.Executor {
	return &pacedExecutor{Executor: d.Driver.GetExecutor(), pace: d.pace, available: d.available, settings: map[string]queueSettings{}}
}

// pacedExecutor leaves out the polls that are not due, and those that would find nothing.
type pacedExecutor struct {
	riverdriver.Executor
	pace      *pace
	available func(ctx context.Context, queue string) (bool, error) // see pacedDriver

	mu       sync.Mutex
	settings map[string]queueSettings // guarded by mu
}

// queueSettings are what the library polls of a queue.
type queueSettings struct {
	queue *rivertype.Queue
	read  time.Time
}

// JobGetAvailable implements riverdriver.Executor.
func (e *pacedExecutor) JobGetAvailable(ctx context.Context, params *riverdriver.JobGetAvailableParams) (*riverdriver.JobGetAvailableResult, error) {
	if !e.pace.due(params.Queue) {
		return &riverdriver.JobGetAvailableResult{}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	if e.available != nil {
		found, err := e.available(ctx, params.Queue)
		if err != nil {
			return nil, err
		}
		if !found {
			return &riverdriver.JobGetAvailableResult{}, nil
		}
	}
	return e.Executor.JobGetAvailable(ctx, params)
}

// QueueGet implements riverdriver.Executor.
func (e *pacedExecutor) QueueGet(ctx context.Context, params *riverdriver.QueueGetParams) (*rivertype.Queue, error) {
	now := e.pace.now()
	e.mu.Lock()
	known, ok := e.settings[params.Name]
	e.mu.Unlock()
	if ok && now.Sub(known.read) < settingsAge {
		return known.queue, nil
	}
	queue, err := e.Executor.QueueGet(ctx, params)
	if err != nil {
		return queue, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.settings[params.Name] = queueSettings{queue, now}
	return queue, nil
}
