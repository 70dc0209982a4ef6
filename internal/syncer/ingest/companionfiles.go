package ingest

import (
	"cmp"
	"slices"
	"time"

	"github.com/lectiospace/lectern/internal/syncer/store"
)

// companionPlan is what is to be done about the companions of a recording.
type companionPlan struct {
	// wanted are the files that Zoom lists and has finished and that the archive lacks in
	// their present version, documents before videos.
	wanted []store.File
	// processing: Zoom has not finished a file that is wanted.
	processing bool
	// joined are companions that are parts of the recording by now.
	joined []store.RecordingFile
}

// planCompanions decides which files of a recording's meetings are archived beside it: all
// that Zoom lists but those that the recording is made of, or will be, and those that another
// recording was made of. parts are beside the recording for want of a join. It is pure.
func (s *Ingester) planCompanions(meetings []store.Meeting, i store.Ingest, parts, companions []store.RecordingFile) companionPlan {
	var out companionPlan
	archived := archivedNames(i, parts)
	p := makePlan(meetings, archived, s.cfg.Settle, s.now())
	taken := append(p.names(), archived...)
	for _, f := range p.missing {
		taken = append(taken, f.Name())
	}
	for _, m := range meetings {
		for _, f := range m.Files {
			kind, _ := f.CompanionKind()
			switch {
			case slices.Contains(taken, f.Name()), !f.ArchivedAt.IsZero(), leftForGood(f), f.DownloadURL == "", !s.cfg.Companions.Wants(kind):
			case !f.Completed():
				out.processing = out.processing || s.now().Sub(latest(f.Start, m.Start)) < stuck
			case !slices.ContainsFunc(companions, func(c store.RecordingFile) bool { return holds(c, f) }):
				out.wanted = append(out.wanted, f)
			}
		}
	}
	slices.SortStableFunc(out.wanted, func(a, b store.File) int {
		return cmp.Or(boolCompare(a.Media(), b.Media()), cmp.Compare(a.Size, b.Size))
	})
	for _, c := range companions {
		if slices.Contains(archived, c.ZoomFile) {
			out.joined = append(out.joined, c)
		}
	}
	return out
}

// leftForGood reports whether a file is not worth another try. One that has failed often is gone
// when Zoom has been found not to list its meeting, and again unlistedFor later: what it says
// once may be an error.
func leftForGood(f store.File) bool {
	if f.UnlistedAt.IsZero() || f.Fault.Count < absentTries {
		return f.LeftZoom()
	}
	return !f.TrashedAt.IsZero() || !f.GoneAt.IsZero() || f.Fault.At.Sub(f.UnlistedAt) >= unlistedFor
}

// holds reports whether a companion is a file in the version that Zoom lists. A file whose
// size Zoom does not list has one version. Another size counts only once it is believed: a
// download may have been the version before.
func holds(c store.RecordingFile, f store.File) bool {
	return c.MadeOf(f) && sizeBelieved(f, c.Size)
}

// due are the wanted files whose pause after a fault is over.
func (p companionPlan) due(now time.Time) []store.File {
	return slices.DeleteFunc(slices.Clone(p.wanted), func(f store.File) bool { return f.Fault.RetryAt.After(now) })
}

// nextTry is when the first of the wanted files is tried again by itself, zero for none: one
// that has failed too often waits for reconciliation.
func (p companionPlan) nextTry() (at time.Time) {
	for _, f := range p.wanted {
		if f.Fault.Count < companionTries && (at.IsZero() || f.Fault.RetryAt.Before(at)) {
			at = f.Fault.RetryAt
		}
	}
	return at
}

func boolCompare(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	default:
		return 1
	}
}
