package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/proxy/respond"
	"github.com/lectiospace/lectern/internal/proxy/route"
	"github.com/lectiospace/lectern/internal/watchstate"
)

// What is stored and shown of watch states: none; to each user their own; to teachers those of
// their students, too.
const (
	AnalyticsOff      = "off"
	AnalyticsOwn      = "own"
	AnalyticsAudience = "audience"
)

const (
	// maxPieces is how many played pieces one report may have, maxStates of how many
	// recordings one request reads the states.
	maxPieces = 200
	maxStates = 100
	// beyondEnd is how far behind a recording's end a player may be that knows the length
	// better than the catalog does; what is there is cut off.
	beyondEnd = 5 * time.Second
	// longestRecording bounds positions where the length is not known.
	longestRecording = 48 * time.Hour
)

// watchStateRoutes are the routes of watch states.
func (h *Handler) watchStateRoutes(base string) (out []route.Route) {
	for _, r := range []struct {
		path string
		methods
	}{
		{"/recordings/{id}/watch-state/", methods{get: (*request).watchState, put: (*request).putWatchState, embedded: true}},
		{"/watch-states/", methods{get: (*request).watchStates}},
		{"/recordings/{id}/audience/", methods{get: (*request).audience}},
	} {
		out = append(out, route.Route{Pattern: base + r.path, OptionalSlash: true, Allow: r.allow(), Serve: h.serve(r.methods)})
	}
	return out
}

// watchStateJSON is how far the asker is in a recording. Position and Duration are in seconds.
type watchStateJSON struct {
	Position  float64  `json:"position"`
	Duration  float64  `json:"duration"` // 0 = not known
	Watched   *float64 `json:"watched"`  // null while the duration is not known
	UpdatedAt instant  `json:"updated_at"`
}

func stateJSON(s watchstate.State, duration time.Duration) watchStateJSON {
	return watchStateJSON{Position: s.Position.Seconds(), Duration: duration.Seconds(), Watched: share(s, duration), UpdatedAt: instant(s.At)}
}

// share is nil while the duration is not known.
func share(s watchstate.State, duration time.Duration) *float64 {
	watched, known := s.Played.Share(duration)
	if !known {
		return nil
	}
	return &watched
}

// watchState is GET recordings/{id}/watch-state/.
func (x *request) watchState() (response, error) {
	rec, err := x.h.Access.Authorize(x.ctx, x.viewer, x.id)
	if err != nil {
		return response{}, err
	}
	states, err := x.ownStates([]media.Recording{rec})
	return response{http.StatusOK, states[x.id]}, err
}

// watchStates is GET watch-states/?ids=1,2: without those that the asker may not see.
func (x *request) watchStates() (response, error) {
	text, err := x.query("ids")
	if err != nil {
		return response{}, err
	}
	ids, problem := parseIDs(text)
	if problem != nil {
		return response{}, badRequest(problem)
	}
	visible := make([]media.Recording, 0, len(ids))
	for _, id := range ids {
		rec, err := x.h.Access.Authorize(x.ctx, x.viewer, id)
		if media.RefusalOf(err) != nil {
			continue
		}
		if err != nil {
			return response{}, err
		}
		visible = append(visible, rec)
	}
	states, err := x.ownStates(visible)
	return response{http.StatusOK, states}, err
}

// ownStates are the asker's in recordings that they may watch, by the recordings' ids.
func (x *request) ownStates(recordings []media.Recording) (map[int64]watchStateJSON, error) {
	states := map[int64]watchstate.State{}
	if len(recordings) > 0 && x.h.Services.Analytics != AnalyticsOff {
		ids := make([]int64, len(recordings))
		for i, rec := range recordings {
			ids[i] = rec.ID
		}
		var err error
		if states, err = x.h.Services.WatchStates.States(x.ctx, x.viewer.User.ID, ids); err != nil {
			return nil, err
		}
	}
	out := make(map[int64]watchStateJSON, len(recordings))
	for _, rec := range recordings {
		out[rec.ID] = stateJSON(states[rec.ID], rec.Duration)
	}
	return out, nil
}

// parseIDs reads a list with commas.
func parseIDs(text string) (ids []int64, err error) {
	for word := range strings.SplitSeq(text, ",") {
		id, err := strconv.ParseInt(strings.TrimSpace(word), 10, 64)
		if err != nil || id <= 0 {
			return nil, fmt.Errorf("ids has to be a list of recordings, as ids=1,2: %q is no id.", word)
		}
		ids = append(ids, id)
	}
	if len(ids) > maxStates {
		return nil, fmt.Errorf("ids has %d recordings; at most %d are allowed.", len(ids), maxStates)
	}
	return ids, nil
}

// putWatchState is PUT recordings/{id}/watch-state/.
func (x *request) putWatchState() (response, error) {
	rec, err := x.h.Access.Authorize(x.ctx, x.viewer, x.id)
	if err != nil {
		return response{}, err
	}
	position, pieces, problem := parseWatchState(x.c.Request.Body(), rec.Duration)
	if problem != nil {
		return response{}, badRequest(problem)
	}
	if x.h.Services.Analytics != AnalyticsOff {
		err = x.h.Services.WatchStates.Put(x.viewer.User.ID, x.id, position, pieces)
	}
	return response{status: http.StatusNoContent}, err
}

// badRequest is 400 with a text that says what is wrong.
func badRequest(problem error) error {
	return &platformError{http.StatusBadRequest, errorJSON{Detail: problem.Error(), Code: respond.CodeBadRequest}}
}

// parseWatchState reads the body of a PUT. The error is for the client, and names the number.
// duration is the recording's, 0 when unknown.
func parseWatchState(body []byte, duration time.Duration) (position time.Duration, pieces []watchstate.Piece, err error) {
	var in struct {
		Position *float64     `json:"position"`
		Played   [][]*float64 `json:"played"`
	}
	d := json.NewDecoder(bytes.NewReader(body))
	if err := d.Decode(&in); err != nil {
		return 0, nil, errors.New(`The body has to be {"position": seconds, "played": [[from, to], …]}.`)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return 0, nil, errors.New("Something follows the body's JSON.")
	}
	if len(in.Played) > maxPieces {
		return 0, nil, fmt.Errorf("played has %d pieces; at most %d are allowed.", len(in.Played), maxPieces)
	}
	at, err := milliseconds("position", in.Position, duration)
	if err != nil {
		return 0, nil, err
	}
	pieces = make([]watchstate.Piece, len(in.Played))
	for i, pair := range in.Played {
		if pieces[i], err = parsePiece(fmt.Sprintf("played[%d]", i), pair, duration); err != nil {
			return 0, nil, err
		}
	}
	return time.Duration(at) * time.Millisecond, pieces, nil
}

func parsePiece(name string, pair []*float64, duration time.Duration) (p watchstate.Piece, err error) {
	if len(pair) != 2 {
		return p, fmt.Errorf("%s has to be [from, to] in seconds.", name)
	}
	if p.From, err = milliseconds(name, pair[0], duration); err != nil {
		return p, err
	}
	if p.To, err = milliseconds(name, pair[1], duration); err != nil {
		return p, err
	}
	if *pair[1] < *pair[0] {
		return p, fmt.Errorf("%s ends before it begins.", name)
	}
	return p, nil
}

// milliseconds is a place in a recording; up to beyondEnd behind its end is its end.
func milliseconds(name string, seconds *float64, duration time.Duration) (int64, error) {
	last := duration
	if duration <= 0 {
		last = longestRecording
	}
	switch {
	case seconds == nil:
		return 0, fmt.Errorf("%s has to be in seconds.", name)
	case *seconds < 0:
		return 0, fmt.Errorf("%s is negative.", name)
	case *seconds > (last + beyondEnd).Seconds():
		return 0, fmt.Errorf("%s is beyond the end of the recording.", name)
	}
	return min(int64(math.Round(*seconds*1000)), last.Milliseconds()), nil
}
