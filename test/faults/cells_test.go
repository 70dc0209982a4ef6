package faults

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	cellCount    = flag.Int("cells", 10, "how many cells of the product are run")
	cellSeed     = flag.Uint64("seed", 1, "which cells these are, and in which order")
	oneCell      = flag.Int("cell", -1, "run this cell only, and print its log")
	cellsFor     = flag.Duration("for", 24*time.Hour, "begin no cell after so long")
	mostFailures = flag.Int("failures", 20, "end after so many failing cells")
	cellsAtATime = flag.Int("workers", 8, "cells that run at a time; they mostly wait")
)

// product is how many cells there are.
func product() int { return len(allFaults) * len(states) * len(viewers) * len(upstreamKinds) }

// cell is one combination of an origin's fault, a state of the cache, a viewer's behaviour
// and a kind of origin.
type cell struct {
	t        *testing.T
	number   int
	fault    fault
	state    state
	viewer   viewer
	kind     upstreamKind
	dir      string
	upstream *upstream
	gateway  *gateway
	log      *lockedBuffer

	content  []byte // of the lesson
	next     []byte // of what may replace it
	sameSize []byte // has the size of content
	tag      string // the ETag of content, where the viewer needs it
	swaps    atomic.Int64

	mu   sync.Mutex
	tags map[string]string // ETags that were seen, and whose bytes came with them; guarded by mu

	recovered time.Duration // after the fault had ceased
	hits      int
}

// lockedBuffer keeps a log.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// bytesOfAll is what every object is cut from.
var bytesOfAll = func() []byte {
	data := make([]byte, 8<<20)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(data)
	return data
}()

// sizes are those of the lesson: several chunks and a rest, more than one request of the
// cache, and whole chunks.
var sizes = []int{12*chunkSize + 1234, 12*chunkSize + 1234, 40*chunkSize + 1, 88 * chunkSize}

func newCell(t *testing.T, number int) *cell {
	c := &cell{t: t, number: number, log: &lockedBuffer{}, tags: map[string]string{}}
	p := placeOf(number)
	c.fault, c.state, c.viewer, c.kind = *allFaults[p[0]], states[p[1]], viewers[p[2]], upstreamKind(p[3])
	r := c.random()
	c.content = bytesOfAll[:sizes[r.IntN(len(sizes))]]
	c.next = bytesOfAll[1<<20:][:len(c.content)-r.IntN(100_000)]
	c.sameSize = bytesOfAll[1<<20:][:len(c.content)]
	c.fault.at = []int{0, 1, 1000, chunkSize - 1, chunkSize, 70_000, 300_000, 1 << 20}[r.IntN(8)]
	return c
}

// random is the cell's own, the same each time.
func (c *cell) random() *rand.Rand { return rand.New(rand.NewPCG(uint64(c.number), 7)) }

func (c *cell) String() string {
	return fmt.Sprintf("cell %d: %s; %s (byte %d); %s; %s", c.number, upstreamKinds[c.kind], c.fault.name, c.fault.at, c.state.name, c.viewer.name)
}

// cellFailure ends a cell.
type cellFailure struct{ text string }

func (c *cell) fatalf(format string, args ...any) {
	panic(cellFailure{fmt.Sprintf(format, args...)})
}

// guarded runs a part of a cell, and returns what has failed; "" for nothing.
func (c *cell) guarded(f func()) (wrong string) {
	defer func() {
		p := recover()
		if failure, ok := p.(cellFailure); ok {
			wrong = failure.text
		} else if p != nil {
			panic(p)
		}
	}()
	f()
	return ""
}

func (c *cell) must(err error) {
	if err != nil {
		c.fatalf("%v", err)
	}
}

// await waits until f returns "".
func (c *cell) await(what string, f func() string) {
	var why string
	wait := 5 * time.Millisecond
	for began := time.Now(); time.Since(began) < hang; time.Sleep(wait) {
		if why = f(); why == "" {
			return
		}
		wait = min(2*wait, 200*time.Millisecond) // a look costs more than what is waited for
	}
	c.fatalf("waited in vain for %s: %s", what, why)
}

// swapVersions replaces the lesson by its other version.
func (c *cell) swapVersions() {
	if c.swaps.Add(1)%2 == 0 {
		c.upstream.put(lessonKey, c.content)
	} else {
		c.upstream.put(lessonKey, c.next)
	}
}

// run runs the cell, and returns what is wrong; "" for nothing.
func (c *cell) run() (wrong string) {
	dir, err := os.MkdirTemp("", "faults")
	if err != nil {
		return err.Error()
	}
	c.dir = dir
	defer os.RemoveAll(dir)
	defer func() {
		p := recover()
		if f, ok := p.(cellFailure); ok {
			wrong = f.text
		} else if p != nil {
			panic(p)
		}
		if c.gateway != nil {
			if err := c.gateway.close(); err != nil && wrong == "" {
				wrong = fmt.Sprintf("closing the gateway: %v", err)
			}
		}
		if c.upstream != nil {
			c.upstream.close()
		}
		if open := openFiles(dir); len(open) > 0 && wrong == "" {
			wrong = fmt.Sprintf("%d files are open after the end: %s", len(open), open[0])
		}
	}()
	c.start()
	c.state.prepare(c)
	if c.viewer.tag {
		for _, r := range over(c.gateway.addr, request{method: http.MethodHead}) {
			if r.Response != nil {
				c.tag = r.Header.Get("ETag")
			}
		}
		if c.tag == "" {
			c.fatalf("no ETag without a fault")
		}
	}
	c.upstream.begin(&c.fault)
	if c.fault.begin != nil {
		c.fault.begin(c)
	}
	c.visit()
	if c.fault.begin != nil || c.fault.on != onMedia && c.upstream.hitCount() == 0 {
		// What the state has left of a description may have lasted for all of the visit. The next
		// one needs a new description, and what comes of that must not outlast the fault.
		time.Sleep(recheckOf(&c.fault))
		c.visit()
	}
	c.hits = c.upstream.hitCount()
	c.upstream.cease()
	if c.fault.end != nil {
		c.fault.end(c)
	}
	c.recover()
	c.checkSlots()
	c.await("an idle gateway", func() string { return c.gateway.idle(c.state.unlinks) })
	c.await("the end of all requests to the origin", func() string {
		if n := c.upstream.running(); n != 0 {
			return fmt.Sprintf("%d run", n)
		}
		return ""
	})
	return ""
}

// visit has the viewer request what it wants while the fault lasts.
func (c *cell) visit() {
	exact := c.fault.invisible || c.state.whole && c.fault.on == onMedia && c.fault.begin == nil
	for _, r := range c.viewer.do(c, c.gateway.addr) {
		if why := c.wrong(r, exact); why != "" {
			c.fatalf("during the fault: %s", why)
		}
	}
}

// met: the fault has been for a request.
func (c *cell) met() bool { return c.hits > 0 || c.fault.unseen }

// start starts the origin and the gateway.
func (c *cell) start() {
	var err error
	c.upstream, err = newUpstream(c.kind, c.number)
	c.must(err)
	c.upstream.put(lessonKey, c.content)
	c.upstream.put(otherKey, bytesOfAll[3<<20:][:900_000])
	for i := range slots {
		c.upstream.put(keyOf(firstSlotID+int64(i)), bytesOfAll[i<<20:][:slotObjectLen])
	}
	size := c.state.size
	if size == 0 {
		size = 64 << 20
	}
	c.gateway, err = startGateway(gatewayConfig{
		dir: c.dir, cacheSize: size, memory: 24 * chunkSize, recheck: recheckOf(&c.fault), origin: c.upstream.url(), kind: c.kind, log: c.log,
	})
	c.must(err)
}

// recover repeats the viewer's requests until all are answered with exact bytes.
func (c *cell) recover() {
	began := time.Now()
	if c.fault.rests && !c.state.whole {
		c.checkRest()
		return
	}
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, 500*time.Millisecond) {
		why := ""
		for _, r := range c.viewer.do(c, c.gateway.addr) {
			if why = c.wrong(r, false); why != "" {
				c.fatalf("after the fault: %s", why) // wrong bytes are wrong at any time
			}
			if why = c.wrong(r, true); why != "" {
				break
			}
		}
		if why == "" {
			c.recovered = time.Since(began)
			return
		}
		if time.Since(began) > hang {
			c.fatalf("no recovery: %s", why)
		}
		time.Sleep(wait)
	}
}

// checkRest: while the object rests a viewer is told so, and other objects are read.
func (c *cell) checkRest() {
	for _, r := range over(c.gateway.addr, request{}, request{recording: otherID}) {
		if why := c.wrong(r, r.request.recording == otherID); why != "" {
			c.fatalf("while the object rests: %s", why)
		}
		if r.Response != nil && r.StatusCode >= 400 {
			if after, err := strconv.Atoi(r.Header.Get("Retry-After")); r.StatusCode != 503 || err != nil || after > 300 {
				c.fatalf("while the object rests: %s, Retry-After %q", r.Status, r.Header.Get("Retry-After"))
			}
		}
	}
}

// checkSlots: as many reads of the origin run at a time as may.
func (c *cell) checkSlots() {
	released := c.upstream.hold(slots)
	requests := make([]request, slots)
	for i := range requests {
		requests[i].recording = firstSlotID + int64(i)
	}
	answers := make(chan []response, 1)
	go func() { answers <- together(c.gateway.addr, requests...) }()
	select {
	case <-released:
	case got := <-answers:
		c.fatalf("not all slots of the origin are free: answered %d before all were requested", len(got))
	case <-time.After(hang):
		c.fatalf("not all slots of the origin are free")
	}
	for _, r := range <-answers {
		if why := c.wrong(r, true); why != "" {
			c.fatalf("of another object: %s", why)
		}
	}
}

// versions are the bytes that a recording may have.
func (c *cell) versions(recording int64) map[string][]byte {
	switch {
	case recording == 0 || recording == lessonID:
		return map[string][]byte{"lesson": c.content, "next": c.next}
	case recording == otherID:
		return map[string][]byte{"other": bytesOfAll[3<<20:][:900_000]}
	default:
		return map[string][]byte{"slot": bytesOfAll[(recording-firstSlotID)<<20:][:slotObjectLen]}
	}
}

// wrong is what is wrong with an answer; "" for nothing. exact: it has to be a success.
func (c *cell) wrong(r response, exact bool) string {
	describe := func(format string, args ...any) string {
		return fmt.Sprintf("%s %q: ", r.request.method, r.request.byteRange) + fmt.Sprintf(format, args...)
	}
	if r.Response == nil {
		return describe("no answer: %v", r.err)
	}
	if r.err != nil && strings.Contains(r.err.Error(), "timeout") {
		return describe("nothing more for %v after %d bytes", hang, len(r.body))
	}
	if r.StatusCode >= 400 {
		if exact && !(c.fault.begin != nil && c.beyond(r)) { // what begins may last: an object that is shorter now
			return describe("%s %s", r.Status, r.body)
		}
		return c.wrongError(r, describe)
	}
	if r.StatusCode == http.StatusNotModified {
		if len(r.body) > 0 || r.request.header == "" {
			return describe("%s with %d bytes", r.Status, len(r.body))
		}
		return ""
	}
	if len(r.TransferEncoding) > 0 || r.ContentLength < 0 {
		return describe("no Content-Length")
	}
	if exact && r.err != nil {
		return describe("cut after %d of %d bytes: %v", len(r.body), r.ContentLength, r.err)
	}
	if r.request.method == http.MethodHead {
		return ""
	}
	parts, err := r.parts()
	if err != nil {
		return describe("%v", err)
	}
	if len(parts) == 0 && r.err == nil {
		return describe("no part")
	}
	return c.wrongParts(r, parts, describe)
}

// beyond: a range is refused as what lies behind the end, and does by the size that the origin says.
func (c *cell) beyond(r response) bool {
	var from int
	if r.StatusCode != http.StatusRequestedRangeNotSatisfiable || c.fault.size == nil {
		return false
	}
	_, err := fmt.Sscanf(r.request.byteRange, "%d-", &from)
	size := c.fault.size(c)
	return err == nil && from >= size && r.Header.Get("Content-Range") == fmt.Sprintf("bytes */%d", size)
}

// wrongError checks an error's form.
func (c *cell) wrongError(r response, describe func(string, ...any) string) string {
	switch {
	case r.StatusCode == c.fault.status, c.beyond(r):
	case r.StatusCode == 502, r.StatusCode == 503, r.StatusCode == 504:
	default:
		return describe("%s %s", r.Status, r.body)
	}
	if r.request.method == http.MethodHead || r.left && int64(len(r.body)) < r.ContentLength {
		return "" // no body, or the viewer has left in it
	}
	var problem struct{ Code, Detail string }
	if err := json.Unmarshal(r.body, &problem); err != nil || problem.Code == "" || problem.Detail == "" {
		return describe("%s without a code: %.100q", r.Status, r.body)
	}
	if r.StatusCode == 503 && r.Header.Get("Retry-After") == "" {
		return describe("%s without Retry-After", r.Status)
	}
	return ""
}

// wrongParts checks that all bytes are of one version, which is the ETag's.
func (c *cell) wrongParts(r response, parts []part, describe func(string, ...any) string) string {
	tag := r.Header.Get("ETag")
	if tag == "" || strings.HasPrefix(tag, "W/") {
		return describe("ETag %q", tag)
	}
	why := "no version has these bytes"
	var fits []string
	for name, want := range c.versions(r.request.recording) {
		if problem := differs(r, parts, want); problem == "" {
			fits = append(fits, name)
		} else if name != "next" {
			why = problem
		}
	}
	if len(fits) == 0 {
		return describe("%s: %s", r.Status, why)
	}
	if len(fits) > 1 || r.request.recording > lessonID {
		return "" // too few bytes to tell
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if known, ok := c.tags[tag]; ok && known != fits[0] {
		return describe("ETag %s was that of %s and comes with bytes of %s", tag, known, fits[0])
	}
	c.tags[tag] = fits[0]
	return ""
}

// differs is where an answer is not of this version; "" when it is.
func differs(r response, parts []part, want []byte) string {
	for _, p := range parts {
		first, last, size := 0, len(want)-1, len(want)
		if r.StatusCode == http.StatusPartialContent {
			if _, err := fmt.Sscanf(p.contentRange, "bytes %d-%d/%d", &first, &last, &size); err != nil {
				return fmt.Sprintf("Content-Range %q", p.contentRange)
			}
		} else if r.ContentLength != int64(len(want)) {
			return fmt.Sprintf("%d bytes of %d", r.ContentLength, len(want))
		}
		if size != len(want) || first < 0 || last < first || last >= size {
			return fmt.Sprintf("Content-Range %q of %d bytes", p.contentRange, len(want))
		}
		full := want[first : last+1]
		if len(p.data) > len(full) || !p.cut && len(p.data) != len(full) {
			return fmt.Sprintf("%d bytes for %d-%d", len(p.data), first, last)
		}
		if !bytes.Equal(p.data, full[:len(p.data)]) {
			at := 0
			for p.data[at] == full[at] {
				at++
			}
			return fmt.Sprintf("wrong byte at %d of %d-%d", first+at, first, last)
		}
	}
	return ""
}

// lastLines are the last of the gateway's log that say more than usual.
func (c *cell) lastLines(n int) (lines []string) {
	for _, line := range strings.Split(strings.TrimSpace(c.log.String()), "\n") {
		if strings.Contains(line, "level=WARN") || strings.Contains(line, "level=ERROR") {
			lines = append(lines, line)
		}
	}
	return lines[max(0, len(lines)-n):]
}

// lateness is by how much this process's timers were late.
type lateness struct {
	mu     sync.Mutex
	recent []time.Duration // of the last minutes, each of a tenth of a second; guarded by mu
}

const lateTick = 100 * time.Millisecond

// startLateness measures until the test's end.
func startLateness(t *testing.T) *lateness {
	l := &lateness{}
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			began := time.Now()
			select {
			case <-stop:
				return
			case <-time.After(lateTick):
			}
			l.mu.Lock()
			if l.recent = append(l.recent, time.Since(began)-lateTick); len(l.recent) > 1800 {
				l.recent = l.recent[900:]
			}
			l.mu.Unlock()
		}
	}()
	t.Cleanup(func() { close(stop); <-ended })
	return l
}

// most is the most of the last minutes.
func (l *lateness) most() (most time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range l.recent {
		most = max(most, d)
	}
	return most
}

// TestCells runs cells of the product, and fails with the first lines of those that fail.
func TestCells(t *testing.T) {
	numbers := covering(len(allFaults), *cellSeed, unmetByOrigin)[:min(*cellCount, product())]
	if *oneCell >= 0 {
		numbers = []int{*oneCell % product()}
	}
	late := startLateness(t)
	began := time.Now()
	next := make(chan int) // places in the order
	var group sync.WaitGroup
	var mu sync.Mutex
	var done, reached int
	var failures []string
	var slowest []*cell
	run, met, metFaults := newPairs(len(allFaults)), newPairs(len(allFaults)), map[int]bool{}
	for range *cellsAtATime {
		group.Go(func() {
			for before := range next {
				number := numbers[before]
				c := newCell(t, number)
				wrong := c.run()
				for attempts := 0; wrong != "" && attempts < 3 && late.most() > time.Second && !strings.Contains(wrong, "wrong byte"); attempts++ {
					// The machine did not run this process: deadlines passed although nothing was
					// slow. That is no finding unless it is one again.
					t.Logf("%s: the process had to wait %v for a processor, the cell is run again: %s", c, late.most().Round(time.Millisecond), wrong)
					c = newCell(t, number)
					wrong = c.run()
				}
				mu.Lock()
				done++
				place := placeOf(number)
				run.add(place)
				if c.met() {
					reached++
					met.add(place)
					metFaults[place[0]] = true
				}
				if *oneCell >= 0 {
					t.Logf("%s\nrecovered after %v, the fault was met %d times\n%s", c, c.recovered, c.hits, c.log)
				}
				if wrong != "" {
					failures = append(failures, fmt.Sprintf("%s\n\t%s\n\trepeat it: make torture-faults CELL=%d (after %d others)", c, wrong, number, before))
					t.Error(failures[len(failures)-1] + "\n\t" + strings.Join(c.lastLines(4), "\n\t"))
				}
				slowest = append(slowest, &cell{number: c.number, fault: c.fault, state: c.state, viewer: c.viewer, kind: c.kind, recovered: c.recovered})
				mu.Unlock()
			}
		})
	}
	for before := range numbers {
		mu.Lock()
		enough := len(failures) >= *mostFailures
		mu.Unlock()
		if enough || time.Since(began) > *cellsFor {
			break
		}
		next <- before
	}
	close(next)
	group.Wait()
	sort.Slice(slowest, func(i, j int) bool { return slowest[i].recovered > slowest[j].recovered })
	var longest strings.Builder
	for _, c := range slowest[:min(3, len(slowest))] {
		fmt.Fprintf(&longest, "\n%v: %s", c.recovered.Round(time.Millisecond), c)
	}
	t.Logf("%d cells of %d, seed %d, in %v: the fault was met in %d, %d failed; the longest recoveries:%s",
		done, product(), *cellSeed, time.Since(began).Round(time.Second), reached, len(failures), &longest)
	t.Logf("%d of %d pairs of a fault, a state, a viewer and a kind of origin, %d of them where the fault was met; %d of %d faults were met",
		run.count, run.sum, met.count, len(metFaults), len(allFaults))
}
