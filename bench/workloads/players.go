package workloads

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lectiospace/lectern/bench/load"
)

// Recording is what one player asked for in one session. testdata/players/README.md says how
// the sessions were recorded.
type Recording struct {
	Player string `json:"player"` // with its version
	// Share is how many of twenty viewers of the mix have this player.
	Share int   `json:"share"`
	Size  int64 `json:"size"` // of the file, in bytes
	// Watched is how long the session took, in milliseconds.
	Watched  int64           `json:"watched_ms"`
	Requests []PlayerRequest `json:"requests"`
}

// PlayerRequest is one request of a session.
type PlayerRequest struct {
	At         int64 `json:"at_ms"`  // since the first request
	For        int64 `json:"for_ms"` // until its last byte was taken, or the player hung up
	Connection int   `json:"connection"`
	From       int64 `json:"from"`
	Last       int64 `json:"last"`  // -1 for the file's end
	Bytes      int64 `json:"bytes"` // of the body that were taken
}

// ParseRange reads a Range header of one range of bytes. No header is the whole file. It
// reports false for what no player of a video sends.
func (r *PlayerRequest) ParseRange(header string) bool {
	r.From, r.Last = 0, load.OpenEnd
	if header == "" {
		return true
	}
	value, ok := strings.CutPrefix(header, "bytes=")
	if !ok {
		return false
	}
	from, last, ok := strings.Cut(value, "-")
	if !ok {
		return false
	}
	var err error
	if r.From, err = strconv.ParseInt(from, 10, 64); err != nil || r.From < 0 {
		return false
	}
	if last == "" {
		return true
	}
	r.Last, err = strconv.ParseInt(last, 10, 64)
	return err == nil && r.Last >= r.From
}

// Arrange puts the requests into the order in which they came and counts time from the first.
// ended is when the session ended, on the clock of the requests: a player that has all it
// wants still plays.
func (r *Recording) Arrange(ended time.Duration) {
	if len(r.Requests) == 0 {
		return
	}
	slices.SortStableFunc(r.Requests, func(a, b PlayerRequest) int { return int(a.At - b.At) })
	began := r.Requests[0].At
	r.Watched = ended.Milliseconds() - began
	for i := range r.Requests {
		r.Requests[i].At -= began
		r.Watched = max(r.Watched, r.Requests[i].At+r.Requests[i].For)
	}
}

// Write writes the recording as JSON, a line for each request.
func (r Recording) Write(to io.Writer) error {
	head, err := json.Marshal(r.Player)
	if err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "{\"player\": %s, \"share\": %d, \"size\": %d, \"watched_ms\": %d, \"requests\": [", head, r.Share, r.Size, r.Watched)
	for i, one := range r.Requests {
		line, err := json.Marshal(one)
		if err != nil {
			return err
		}
		if i > 0 {
			b.WriteString(",")
		}
		b.WriteString("\n\t" + string(line))
	}
	b.WriteString("\n]}\n")
	_, err = io.WriteString(to, b.String())
	return err
}

// ReadRecording reads a recording and refuses what cannot be replayed.
func ReadRecording(from io.Reader) (r Recording, err error) {
	d := json.NewDecoder(from)
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return r, err
	}
	if r.Player == "" || r.Share <= 0 || r.Size <= 0 || r.Watched <= 0 || len(r.Requests) == 0 {
		return r, errors.New("no player, no share, no size, no time or no requests")
	}
	at := int64(0)
	for i, one := range r.Requests {
		last := one.Last
		if last == load.OpenEnd {
			last = r.Size - 1
		}
		switch {
		case one.At < at:
			return r, fmt.Errorf("request %d comes before the one in front of it", i)
		case one.From < 0 || last < one.From || last >= r.Size:
			return r, fmt.Errorf("request %d: bytes %d-%d of %d", i, one.From, one.Last, r.Size)
		case one.Bytes < 0 || one.Bytes > last-one.From+1:
			return r, fmt.Errorf("request %d: %d bytes of a range of %d", i, one.Bytes, last-one.From+1)
		case one.At+one.For > r.Watched || one.For < 0 || one.Connection < 0:
			return r, fmt.Errorf("request %d: for %d ms on connection %d", i, one.For, one.Connection)
		}
		at = one.At
	}
	return r, nil
}

//go:embed testdata/players/*.json
var playerFiles embed.FS

// Recordings are the sessions of the mix: one for each of twenty viewers, each player's spread
// evenly.
func Recordings() ([]Recording, error) {
	recorded, err := recordings()
	if err != nil {
		return nil, err
	}
	var mix []Recording
	due := make([]int, len(recorded))
	for range mixViewers {
		next := 0
		for i, r := range recorded {
			if due[i] += r.Share; due[i] > due[next] {
				next = i
			}
		}
		due[next] -= mixViewers
		mix = append(mix, recorded[next])
	}
	return mix, nil
}

// mixViewers is what the shares are of.
const mixViewers = 20

// recordings are the recorded sessions, in the order of their files' names.
func recordings() (all []Recording, err error) {
	names, err := fs.Glob(playerFiles, "testdata/players/*.json")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		f, err := playerFiles.Open(name)
		if err != nil {
			return nil, err
		}
		r, err := ReadRecording(f)
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, r)
	}
	shares := 0
	for _, r := range all {
		shares += r.Share
		if r.Size != all[0].Size {
			return nil, fmt.Errorf("%s was recorded with a file of %d bytes, the others with one of %d", r.Player, r.Size, all[0].Size)
		}
	}
	if shares != mixViewers {
		return nil, fmt.Errorf("the players' shares are of %d viewers, not of %d", shares, mixViewers)
	}
	return all, nil
}

// watched is the session's length.
func (r Recording) watched() time.Duration { return time.Duration(r.Watched) * time.Millisecond }

// steps are the requests with all times divided by faster.
func (r Recording) steps(faster int64) (steps []load.Step) {
	compressed := func(ms int64) time.Duration { return time.Duration(ms) * time.Millisecond / time.Duration(faster) }
	for _, one := range r.Requests {
		steps = append(steps, load.Step{
			At: compressed(one.At), For: compressed(one.For), Connection: one.Connection, Off: one.From, Last: one.Last, Want: one.Bytes,
		})
	}
	return steps
}
