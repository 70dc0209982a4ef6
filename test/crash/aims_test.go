package crash

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/failpoint/points"
)

// aims decides where lives end, and remembers where they have. Safe for concurrent use.
type aims struct {
	began time.Time
	most  int // lives

	mu    sync.Mutex
	kinds map[string]*kind
	died  map[string]int // lives that ended at a point
	tried map[string]int // lives that a point was to end
	begun int            // lives
	ended map[string]int // lives, by what ended them
	lives int            // that have ended
	out   *os.File       // the report, nil for none
}

// kind is what lives of one kind have passed: those of a command that does the same.
type kind struct {
	most  map[string]int // the most passings of a point within one life
	total int            // the most passings of all points within one life
}

func newAims(t *testing.T, lives int) *aims {
	t.Helper()
	a := &aims{began: time.Now(), most: lives, kinds: map[string]*kind{}, died: map[string]int{}, tried: map[string]int{}, ended: map[string]int{}}
	if *report != "" {
		var err error
		if a.out, err = os.OpenFile(*report, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { a.out.Close() })
	}
	return a
}

// aim is where a life is to end.
type aim struct {
	point string // "" = at any point, "moment" = by a signal
	rules string // "" for a signal
	after time.Duration
}

// moment is the aim of a life that a signal ends.
const moment = "a moment"

// kindOf is what is known of a kind of lives; a.mu is held.
func (a *aims) kindOf(name string) *kind {
	if a.kinds[name] == nil {
		a.kinds[name] = &kind{most: map[string]int{}}
	}
	return a.kinds[name]
}

// begin reports whether there is to be another life.
func (a *aims) begin() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.begun == a.most || *within > 0 && time.Since(a.began) > *within {
		return false
	}
	a.begun++
	return true
}

// next chooses where the next life of a kind ends: mostly at a point that has ended the
// fewest, else at any passing, or at a moment.
func (a *aims) next(random *rand.Rand, name string) aim {
	a.mu.Lock()
	defer a.mu.Unlock()
	k := a.kindOf(name)
	switch n := random.IntN(10); {
	case n == 0, len(k.most) == 0:
		return aim{point: moment, after: time.Duration(random.IntN(2000)) * time.Millisecond}
	case n == 1:
		return aim{rules: fmt.Sprintf("*=kill@%d", 1+random.IntN(max(k.total, 20)))}
	}
	var best []string
	least := 0
	points := slices.Sorted(maps.Keys(k.most))
	if near := slices.DeleteFunc(slices.Clone(points), func(point string) bool { return !strings.HasPrefix(point, *aimed) }); len(near) > 0 {
		points = near
	}
	for _, point := range points {
		// A point that was aimed at in vain comes later again.
		weight := a.died[point] + a.tried[point]
		if len(best) == 0 || weight < least {
			best, least = nil, weight
		}
		if weight == least {
			best = append(best, point)
		}
	}
	point := best[random.IntN(len(best))]
	n := 1 + random.IntN(min(k.most[point], 1+a.died[point]))
	a.tried[point]++
	return aim{point: point, rules: fmt.Sprintf("%s=kill@%d", point, n)}
}

// vainTries is how many lives a point may have been to end in vain before its kind is no
// longer preferred for it.
const vainTries = 3

// neediest is the kind of lives that has passed the most points that have ended none, "" where
// there is no such kind.
func (a *aims) neediest() (name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	most := 0
	for _, of := range slices.Sorted(maps.Keys(a.kinds)) {
		open := 0
		for point := range a.kinds[of].most {
			if a.died[point] == 0 && a.tried[point] < vainTries {
				open++
			}
		}
		if open > most {
			name, most = of, open
		}
	}
	return name
}

// TestNeediest: a kind is preferred for the points that have ended no life, as long as they
// have not been tried in vain too often.
func TestNeediest(t *testing.T) {
	a := newAims(t, 0)
	a.kindOf("archive").most = map[string]int{"begin": 1, "commit": 1}
	a.kindOf("move").most = map[string]int{"begin": 1, "rename": 1, "remove": 1, "sync": 1}
	a.died["begin"] = 2
	if got := a.neediest(); got != "move" {
		t.Errorf("with three open points of a move and one of an archive: %q", got)
	}
	a.died["rename"], a.died["sync"], a.tried["remove"] = 1, 1, vainTries
	if got := a.neediest(); got != "archive" {
		t.Errorf("with none of a move and one of an archive: %q", got)
	}
	a.died["commit"] = 1
	if got := a.neediest(); got != "" {
		t.Errorf("with none: %q", got)
	}
}

// note records how a life that has ended went.
func (a *aims) note(t *testing.T, p *process, name string, to aim) {
	t.Helper()
	points, died := p.passed(t)
	a.mu.Lock()
	defer a.mu.Unlock()
	k, counts := a.kindOf(name), map[string]int{}
	for _, point := range points {
		counts[point]++
		k.most[point] = max(k.most[point], counts[point])
	}
	k.total = max(k.total, len(points))
	a.lives++
	by := "a signal"
	switch {
	case died != "":
		by = "a failpoint"
		a.died[died]++
	case p.exitCode() >= 0:
		by = fmt.Sprintf("itself, status %d", p.exitCode())
	}
	a.ended[by]++
	if a.out != nil {
		fmt.Fprintf(a.out, "%d\t%s\t%s\tended by %s\t%s\t%d points passed\n", a.lives, name, strings.TrimSpace(to.point+" "+to.rules), by, died, len(points))
		for _, line := range p.errors() {
			fmt.Fprintf(a.out, "%d\tlog\t%s\n", a.lives, line)
		}
	}
}

// verdict is a line of the report for a check.
func (a *aims) verdict(format string, args ...any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.out != nil {
		fmt.Fprintf(a.out, "%d\tcheck\t%s\n", a.lives, fmt.Sprintf(format, args...))
	}
}

// summary are the figures of the campaign.
func (a *aims) summary() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	passed := map[string]int{}
	for _, k := range a.kinds {
		for point, n := range k.most {
			passed[point] = max(passed[point], n)
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d lives in %s, ended by:", a.lives, time.Since(a.began).Round(time.Second))
	for _, by := range slices.Sorted(maps.Keys(a.ended)) {
		fmt.Fprintf(&b, " %s %d;", by, a.ended[by])
	}
	fmt.Fprintf(&b, " %d points passed, %d of them ended a life\n", len(passed), len(a.died))
	for _, point := range slices.Sorted(maps.Keys(passed)) {
		fmt.Fprintf(&b, "  %-60s passed up to %4d times in a life, ended %d of %d tried\n", point, passed[point], a.died[point], a.tried[point])
	}
	return b.String()
}

// reached reports whether a life has ended at a point, at one of its operations where it has
// several.
func (a *aims) reached(p points.Point) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for died := range a.died {
		name, _, of := strings.Cut(died, "[")
		if name == p.Name && of == p.Of {
			return true
		}
	}
	return false
}
