// Package viewer has real browsers watch lessons, and takes the times that a viewer waits.
package viewer

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/url"
	"time"
)

// Browser is a running browser with one page. Its methods may be called from one goroutine.
type Browser interface {
	// Forget makes it one that knows nothing: without cached files, cookies and connections.
	Forget() error
	// Open opens an address.
	Open(address string) error
	// Run evaluates an expression on the page, awaits what it promises, and puts it into out.
	Run(expression string, out any) error
	Close()
}

// Start starts a browser with a profile below dir. The pages of site, an address without TLS, have
// what only secure ones have, though it is not of the loopback interface.
type Start func(ctx context.Context, dir string, site *url.URL) (Browser, error)

var (
	//go:embed scripts/marks.js
	marksScript []byte
	//go:embed scripts/phases.js
	phasesScript string
	//go:embed scripts/press.js
	pressScript string
	//go:embed scripts/state.js
	stateScript string
	//go:embed scripts/watch.js
	watchScript string
)

// Phases are when each phase ended, in milliseconds after the address was entered; 0 where the
// browser does not say.
type Phases struct {
	HTML, Script, Asked, Granted, Src, FirstByte, Metadata, Data, Frame float64
	// Playing is how many milliseconds after the press the video plays.
	Playing float64 `json:"-"`
}

// visitTimeout bounds the time to the first frame.
const visitTimeout = 30 * time.Second

// NoFrame is a visit without a first frame.
type NoFrame struct {
	After time.Duration
	// Page is what the page shows and has loaded.
	Page string
	// Err is why the page could not be read; nil where it could.
	Err error
}

func (e *NoFrame) Error() string {
	text := fmt.Sprintf("no first frame after %s", e.After)
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

func (e *NoFrame) Unwrap() error { return e.Err }

// Visit opens a lesson's page, waits for the first frame, and plays. Its error is a *NoFrame where
// the browser does all that it is told.
func Visit(ctx context.Context, b Browser, address string) (Phases, error) {
	if err := b.Open(address); err != nil {
		return Phases{}, err
	}
	phases, err := awaitFrame(ctx, b, visitTimeout)
	if err != nil {
		return Phases{}, err
	}
	return *phases, b.Run(pressScript, &phases.Playing)
}

// awaitFrame returns the phases once the first frame is on the screen.
func awaitFrame(ctx context.Context, b Browser, timeout time.Duration) (phases *Phases, err error) {
	for end := time.Now().Add(timeout); ; {
		// While a page is being replaced there is none to ask.
		if err = b.Run(phasesScript, &phases); err == nil && phases != nil {
			return phases, nil
		}
		if time.Now().After(end) {
			break
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	missing := &NoFrame{After: timeout, Err: err}
	if err := b.Run(stateScript, &missing.Page); err != nil {
		missing.Page = err.Error()
	}
	return nil, missing
}

// Watched is how a viewer's time was spent, in milliseconds.
type Watched struct {
	Watched float64
	Stalled float64 // waits for bytes that no seek was the reason of
	Decoder float64 // waits though what follows was there: the machine is too busy to decode
	Sought  float64 // waits for the place that was sought
	Seeks   int
}

// Habit is how somebody watches.
type Habit struct {
	For   time.Duration
	Every time.Duration // between two decisions whether to seek
	Seeks float64       // the share of them that are seeks
	Seed  uint32
}

// Watch watches the video that plays.
func Watch(b Browser, h Habit) (w Watched, err error) {
	err = b.Run(fmt.Sprintf("(%s)(%d, %d, %v, %d)", watchScript, h.For.Milliseconds(), h.Every.Milliseconds(), h.Seeks, h.Seed), &w)
	return w, err
}

// decode decodes what an expression gave.
func decode(raw string, out any) error {
	if err := json.Unmarshal([]byte(raw), out); err != nil {
		return fmt.Errorf("%w in %s", err, raw)
	}
	return nil
}
