package ingest

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/lectiospace/lectern/internal/syncer/store"
)

// views are the videos that Zoom makes of one meeting, the best first. A view that is
// not listed comes after all of them.
var views = []string{
	"shared_screen_with_speaker_view", "shared_screen_with_gallery_view", "shared_screen", "active_speaker", "speaker_view", "gallery_view",
}

func rank(view string) int {
	if i := slices.Index(views, view); i >= 0 {
		return i
	}
	return len(views)
}

// plan is what a lesson's recording is to be made of.
type plan struct {
	// parts are the files to join, in time order.
	parts []store.File
	// view of the first part.
	view string
	// processing: Zoom has not finished one of the files.
	processing bool
	// settled is when the parts may be joined.
	settled time.Time
	// gone: there were parts, and Zoom's copies of them were removed before they were
	// archived.
	gone bool
}

// stuck is how long a file may be in processing before the others no longer wait for
// it: Zoom needs up to a day.
const stuck = 48 * time.Hour

// makePlan chooses among all files of a lesson's meetings: every segment of the best
// view; where that view does not reach, the best other one, so that nothing of the
// lesson is lost; sound only where there are no pictures at all. It is pure.
func makePlan(meetings []store.Meeting, settle time.Duration, now time.Time) plan {
	var videos, sounds []store.File
	var p plan
	for _, m := range meetings {
		for _, f := range m.Files {
			video := f.LessonVideo()
			if !video && !f.LessonSound() || f.ID == "" {
				continue
			}
			if f.LostUnarchived() {
				p.gone = true
				continue
			}
			if f.Start.IsZero() {
				f.Start = m.Start
			}
			if !f.Completed() {
				if now.Sub(f.Start) < stuck {
					p.processing = p.processing || video
				}
				continue
			}
			if video {
				videos = append(videos, f)
			} else {
				sounds = append(sounds, f)
			}
		}
	}
	files := videos
	if len(files) == 0 && !p.processing {
		files = sounds
	}
	slices.SortFunc(files, func(a, b store.File) int {
		return cmp.Or(rank(a.View)-rank(b.View), a.Start.Compare(b.Start), strings.Compare(a.ID, b.ID))
	})
	for _, f := range files {
		if !slices.ContainsFunc(p.parts, func(chosen store.File) bool { return sameTime(chosen, f) }) {
			p.parts = append(p.parts, f)
		}
	}
	slices.SortStableFunc(p.parts, func(a, b store.File) int { return a.Start.Compare(b.Start) })
	for _, f := range p.parts {
		p.settled = latest(p.settled, latest(f.Start, f.End))
	}
	p.settled = p.settled.Add(settle)
	if len(p.parts) > 0 {
		p.view = p.parts[0].View
		p.gone = false
	}
	return p
}

// sameTime reports whether two files show the same minutes. Without an end they do
// when they begin together.
func sameTime(a, b store.File) bool {
	if a.Start.Equal(b.Start) {
		return true
	}
	if a.End.IsZero() || b.End.IsZero() {
		return a.MeetingUUID == b.MeetingUUID && a.Start.Sub(b.Start).Abs() < 2*time.Second
	}
	return a.Start.Before(b.End) && b.Start.Before(a.End)
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// names are the parts as the ingest stores them.
func (p plan) names() []string {
	out := make([]string, len(p.parts))
	for i, f := range p.parts {
		out[i] = f.Name()
	}
	return out
}

// size is the parts' together in bytes; parts whose size Zoom does not say count 0.
func (p plan) size() (n int64) {
	for _, f := range p.parts {
		n += f.Size
	}
	return n
}

// zoomID is how the platform knows the recording: by its file, or as a bundle.
func (p plan) zoomID() string {
	if len(p.parts) == 1 {
		return p.parts[0].ID
	}
	return "bundle_" + p.parts[0].MeetingUUID
}

// start and end of the recording.
func (p plan) start() time.Time { return p.parts[0].Start }

func (p plan) end() (at time.Time) {
	for _, f := range p.parts {
		at = latest(at, f.End)
	}
	return at
}

// lostAtZoom reports whether a part was removed at Zoom before it was archived,
// according to what is known of the meetings now.
func (p plan) lostAtZoom(meetings []store.Meeting) bool {
	names := p.names()
	for _, m := range meetings {
		if slices.ContainsFunc(m.Files, func(f store.File) bool { return f.LostUnarchived() && slices.Contains(names, f.Name()) }) {
			return true
		}
	}
	return false
}
