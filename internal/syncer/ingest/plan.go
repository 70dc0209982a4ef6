package ingest

import (
	"slices"
	"time"

	"github.com/lectiospace/lectern/internal/syncer/parts"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// plan is what a lesson's recording is to be made of.
type plan struct {
	// parts are the files to join, in time order.
	parts []store.File
	// view of the first part.
	view string
	// processing: Zoom has not finished a file that would be a part.
	processing bool
	// unlisted: a file that would be a part is not listed any more, or not yet.
	unlisted bool
	// settled is when the parts may be joined.
	settled time.Time
	// gone: there were parts, and Zoom's copies of them were removed before they were
	// archived.
	gone bool
	// missing are files whose minutes no part shows, since their downloads give no
	// recording, and archived parts whose other version at Zoom gives none or is kept there.
	missing []store.File
	// changed: Zoom has another version of an archived part, which replaces it.
	changed bool
	// kept are archived parts of which Zoom has another version that cannot replace them:
	// the archived recording has the only copy of another part, and is not taken apart.
	kept []store.File
	// elsewhere are files that another recording was made of and that Zoom no longer has.
	elsewhere []store.File
	// lacking are names of parts of the archived recording of which nothing is known here:
	// without them no version of it may be published.
	lacking []string
}

const (
	// stuck is how long a file may be in processing before the others no longer wait for
	// it: Zoom needs up to a day.
	stuck = 48 * time.Hour
	// unlistedFor is how long Zoom may fail to list a file before that is believed: Zoom
	// denies recordings that it lists seconds later.
	unlistedFor = time.Hour
)

// makePlan chooses among all files of a lesson's meetings: see parts.Choose. archived are
// the names of the parts that the archived recording was made of. It is pure.
func makePlan(meetings []store.Meeting, archived []string, settle time.Duration, now time.Time) plan {
	known := map[string]store.File{}
	var files, listed []parts.File
	var p plan
	for _, m := range meetings {
		for _, f := range m.Files {
			video := f.LessonVideo()
			if !video && !f.LessonSound() {
				continue
			}
			if f.Start.IsZero() {
				f.Start = m.Start
			}
			held := slices.Contains(archived, f.Name())
			state, ok := stateOf(f, held, now)
			if state == parts.Gone && !f.ArchivedAt.IsZero() {
				p.elsewhere, ok = append(p.elsewhere, f), false
			}
			if !ok {
				continue
			}
			known[f.Name()] = f
			file := parts.File{
				Key: f.Name(), Meeting: f.MeetingUUID, View: f.View, Sound: !video, Start: f.Start, End: f.End,
				Measured: f.Measured, State: state, Archived: held, Only: held && f.LeftZoom(),
			}
			files = append(files, file)
			if f.UnlistedAt.IsZero() || state != parts.Processing {
				listed = append(listed, file)
			}
		}
	}
	choice := parts.Choose(files)
	p.processing, p.gone = choice.Awaited, choice.Gone
	p.unlisted = choice.Awaited && !parts.Choose(listed).Awaited
	for _, f := range choice.Parts {
		p.parts = append(p.parts, known[f.Key])
	}
	for _, f := range choice.Missing {
		p.missing = append(p.missing, known[f.Key])
	}
	p.addChanged(now)
	for _, name := range archived {
		if _, ok := known[name]; !ok {
			p.lacking = append(p.lacking, name)
		}
	}
	for _, f := range p.parts {
		p.settled = latest(p.settled, latest(f.Start, f.End))
	}
	p.settled = p.settled.Add(settle)
	if len(p.parts) > 0 {
		p.view = p.parts[0].View
	}
	return p
}

// addChanged notes of which archived parts Zoom has another version.
func (p *plan) addChanged(now time.Time) {
	whole := !slices.ContainsFunc(p.parts, onlyInArchive)
	for _, f := range p.parts {
		switch {
		case !f.Changed():
		case !whole:
			p.kept = append(p.kept, f)
			f.Fault.Detail = "Zoom has another version, which stays there: the archived recording has the only copy of another part, and is not taken apart"
			p.missing = append(p.missing, f)
		case f.Fault.Count >= store.DownloadTries && f.Fault.RetryAt.After(now):
			p.missing = append(p.missing, f)
		default:
			p.changed = true
		}
	}
}

// isKept reports whether Zoom's version of a part is not the one that is archived.
func (p plan) isKept(f store.File) bool {
	return slices.ContainsFunc(p.kept, func(k store.File) bool { return k.Name() == f.Name() })
}

// onlyInArchive reports whether the archive has the only copy of a file.
func onlyInArchive(f store.File) bool { return !f.ArchivedAt.IsZero() && f.LeftZoom() }

// stateOf is what can be done with a file; held says that the archived recording was made
// of it. ok is false for one that Zoom will not finish any more.
func stateOf(f store.File, held bool, now time.Time) (state parts.State, ok bool) {
	switch {
	case held:
		return parts.Ready, true
	case !f.GoneAt.IsZero(), !f.TrashedAt.IsZero(), !f.UnlistedAt.IsZero() && now.Sub(f.UnlistedAt) >= unlistedFor:
		return parts.Gone, true
	case !f.UnlistedAt.IsZero():
		return parts.Processing, true
	case !f.Completed():
		return parts.Processing, now.Sub(f.Start) < stuck
	case f.Fault.Count >= store.DownloadTries && f.Fault.RetryAt.After(now):
		return parts.Unusable, true
	}
	return parts.Ready, true
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

// nextTry is when the first of the missing files is worth a download again; zero when
// nothing is missing.
func (p plan) nextTry() (at time.Time) {
	for _, f := range p.missing {
		if !f.Fault.RetryAt.IsZero() && (at.IsZero() || f.Fault.RetryAt.Before(at)) {
			at = f.Fault.RetryAt
		}
	}
	return at
}

// lostAtZoom reports whether a part was removed at Zoom before it was archived,
// according to what is known of the meetings now.
func lostAtZoom(names []string, meetings []store.Meeting) bool {
	for _, m := range meetings {
		if slices.ContainsFunc(m.Files, func(f store.File) bool { return f.LostUnarchived() && slices.Contains(names, f.Name()) }) {
			return true
		}
	}
	return false
}
