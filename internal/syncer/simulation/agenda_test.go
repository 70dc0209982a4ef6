package simulation

import (
	"slices"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
)

// agenda is what is going to happen, apart from what the syncers do.
type agenda struct{ entries []entry }

type entry struct {
	at   time.Time
	what string
	do   func()
	// service: it starts, stops or checks the syncers, and is nothing that happens to them.
	service bool
}

// add puts something on the agenda, behind what is there for the same moment.
func (a *agenda) add(at time.Time, what string, do func()) {
	a.insert(entry{at: at, what: what, do: do})
}

// addService puts on the agenda what starts, stops or checks the syncers.
func (a *agenda) addService(at time.Time, do func()) { a.insert(entry{at: at, do: do, service: true}) }

func (a *agenda) insert(added entry) {
	n, _ := slices.BinarySearchFunc(a.entries, added.at, func(e entry, at time.Time) int {
		if e.at.After(at) {
			return 1
		}
		return -1
	})
	a.entries = slices.Insert(a.entries, n, added)
}

// live lets time pass until a moment, with all that happens before it.
func (w *world) live(until time.Time) {
	for {
		next := entry{at: until}
		if len(w.agenda.entries) > 0 && !w.agenda.entries[0].at.After(until) {
			next = w.agenda.entries[0]
		}
		select {
		case p := <-w.died:
			w.replace(p)
			continue
		case <-time.After(next.at.Sub(w.time())):
		}
		if next.do == nil {
			return
		}
		w.agenda.entries = w.agenda.entries[1:]
		if next.what != "" {
			w.note("%s", next.what)
		}
		next.do()
	}
}

// work is a time of the day in which the syncers run, between their start and their stop,
// apart from crashes. The time between is what makes simulations slow.
func (w *world) work(from time.Time, d time.Duration) {
	for i, m := range w.machines {
		// The second machine begins and ends later.
		later := time.Duration(i) * time.Duration(w.faults.random.IntN(180)) * time.Second
		w.agenda.addService(from.Add(later), func() {
			w.until = from.Add(d)
			if m.process == nil {
				w.start(m)
			}
			w.watchIdle(m, w.time().Add(minWork))
		})
		w.agenda.addService(from.Add(d+later), func() { w.endWork(m) })
	}
	if w.faults.on {
		w.agenda.addService(from.Add(time.Duration(w.faults.random.Int64N(int64(d)))), func() { w.checkAccess(false) })
	}
}

// minWork is how long a syncer works at least.
const minWork = 3 * time.Minute

// watchIdle ends a machine's work early, from a moment on, when neither the syncers nor the
// world have anything left to do before the end: to wait takes as long as to work.
func (w *world) watchIdle(m *machine, at time.Time) {
	if !at.Before(w.until) {
		return
	}
	w.agenda.addService(at, func() {
		if m.process == nil {
			return
		}
		if w.idle() {
			w.endWork(m)
			return
		}
		w.watchIdle(m, at.Add(time.Minute))
	})
}

// idle reports whether nothing is left to do before the end of the work.
func (w *world) idle() bool {
	for _, e := range w.agenda.entries {
		if !e.service && e.at.Before(w.until) {
			return false
		}
	}
	return 0 == w.number64(`SELECT COUNT(*) FROM lectern.river_job WHERE state IN ('available', 'running', 'pending') OR state IN ('scheduled', 'retryable') AND datetime(scheduled_at) < datetime($1)`, catalog.NewDBTime(w.until.Add(w.now().Sub(w.time()))))
}

func (w *world) endWork(m *machine) {
	w.collect()
	if m.process == nil {
		return
	}
	if w.faults.on && w.faults.random.IntN(5) == 0 {
		w.note("killed")
		m.process.die()
		return
	}
	w.end(m)
	w.checkAlways()
}

// replace ends a process that died, and starts another when it is time to work.
func (w *world) replace(p *process) {
	if p.machine.process != p {
		return
	}
	w.end(p.machine)
	w.checkAlways()
	pause := time.Duration(5+w.faults.random.IntN(400)) * time.Second
	if again := w.time().Add(pause); again.Before(w.until) {
		w.agenda.addService(again, func() {
			if p.machine.process == nil {
				w.start(p.machine)
			}
		})
	}
}
