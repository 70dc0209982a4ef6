package simulation

import (
	"slices"
	"time"
)

// agenda is what is going to happen, apart from what the syncer does.
type agenda struct{ entries []entry }

type entry struct {
	at   time.Time
	what string
	do   func()
}

// add puts something on the agenda, behind what is there for the same moment.
func (a *agenda) add(at time.Time, what string, do func()) {
	n, _ := slices.BinarySearchFunc(a.entries, at, func(e entry, at time.Time) int {
		if e.at.After(at) {
			return 1
		}
		return -1
	})
	a.entries = slices.Insert(a.entries, n, entry{at, what, do})
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
		case <-time.After(time.Until(next.at)):
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

// work is a time of the day in which the syncer runs, between its start and its stop, apart
// from crashes. The time between is what makes simulations slow.
func (w *world) work(from time.Time, d time.Duration) {
	w.agenda.add(from, "", func() {
		w.until = from.Add(d)
		if w.process == nil {
			w.start()
		}
	})
	w.agenda.add(from.Add(d), "", func() {
		if w.process == nil {
			return
		}
		if w.faults.on && w.faults.random.IntN(5) == 0 {
			w.note("killed")
			w.process.die()
			return
		}
		w.end()
		w.checkAlways()
	})
}

// replace ends a process that died, and starts another when it is time to work.
func (w *world) replace(p *process) {
	if w.process != p {
		return
	}
	w.end()
	w.checkAlways()
	pause := time.Duration(5+w.faults.random.IntN(400)) * time.Second
	if again := time.Now().Add(pause); again.Before(w.until) {
		w.agenda.add(again, "", func() {
			if w.process == nil {
				w.start()
			}
		})
	}
}
