package stream

import "sync"

// registry is the set of running exchanges, for what walks over all of them: the
// watchers and a shutdown. Safe for concurrent use.
type registry struct {
	mu        sync.Mutex
	exchanges map[*exchange]struct{} // guarded by mu
}

func (r *registry) add(x *exchange) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.exchanges[x] = struct{}{}
}

func (r *registry) remove(x *exchange) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.exchanges, x)
}

func (r *registry) len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.exchanges)
}

// appendTo appends the exchanges that keep accepts to list, and returns it. keep runs
// under the lock and must not block.
func (r *registry) appendTo(list []*exchange, keep func(*exchange) bool) []*exchange {
	r.mu.Lock()
	defer r.mu.Unlock()
	for x := range r.exchanges {
		if keep(x) {
			x.seen = true
			list = append(list, x)
		}
	}
	return list
}

// all accepts every exchange.
func all(*exchange) bool { return true }
