package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// viewers are players that report, each on a connection of its own.
type viewers struct {
	client  *http.Client
	url     string
	bearers []string
	rounds  int // that all have reported

	mu    sync.Mutex
	wrong error // the first problem of a report; guarded by mu
}

func newViewers(g *gateway, n int) (*viewers, error) {
	v := &viewers{
		client: &http.Client{Timeout: every, Transport: &http.Transport{MaxIdleConns: n, MaxIdleConnsPerHost: n, IdleConnTimeout: 10 * every}},
		url:    g.url,
	}
	for _, header := range g.people.Headers {
		_, bearer, ok := strings.Cut(strings.TrimSpace(header), ": ")
		if !ok {
			return nil, fmt.Errorf("%q is no header", header)
		}
		v.bearers = append(v.bearers, bearer)
	}
	return v, nil
}

// report has all viewers report every ten seconds for a time, spread evenly over each ten
// seconds. A report's wait is counted from the moment at which it is due: one that is late,
// because the one before it was, counts as what it is to the viewer.
func (v *viewers) report(length time.Duration) (waits []time.Duration, refused int) {
	rounds := max(1, int(length/every))
	all := make([][]time.Duration, len(v.bearers))
	begin := time.Now().Add(100 * time.Millisecond)
	var watching sync.WaitGroup
	for i := range v.bearers {
		watching.Go(func() {
			first := begin.Add(every * time.Duration(i) / time.Duration(len(v.bearers)))
			for round := range rounds {
				due := first.Add(every * time.Duration(round))
				time.Sleep(time.Until(due))
				if err := v.put(i, v.rounds+round); err != nil {
					v.note(err)
					continue
				}
				all[i] = append(all[i], time.Since(due))
			}
		})
	}
	watching.Wait()
	v.rounds += rounds
	for _, some := range all {
		waits = append(waits, some...)
	}
	return waits, rounds*len(v.bearers) - len(waits)
}

// put reports that a viewer has played ten more seconds.
func (v *viewers) put(viewer, round int) error {
	from := round * int(every/time.Second) % (lessonLength - 10)
	body := fmt.Sprintf(`{"position": %d, "played": [[%d, %d]]}`, from+10, from, from+10)
	req, err := http.NewRequest(http.MethodPut, fmt.Sprintf("%s/api/recordings/%d/watch-state/", v.url, viewer/perGroup+1), strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", v.bearers[viewer])
	res, err := v.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusNoContent {
		err = fmt.Errorf("viewer %d: %s %s", viewer, res.Status, answer)
	}
	return err
}

func (v *viewers) note(err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.wrong == nil {
		v.wrong = err
	}
}

// problem is the first that a report had.
func (v *viewers) problem() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.wrong
}
