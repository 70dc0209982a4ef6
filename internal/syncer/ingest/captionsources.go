package ingest

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/lectiospace/lectern/internal/syncer/store"
)

// captionSource is a file of captions and where its segment begins in the archived
// recording.
type captionSource struct {
	file   store.File
	offset time.Duration
}

// captionSources finds the captions of the archived segments, in time order: a segment's
// transcript, or its live captions where it has none. Segments begin where the ones
// before them end, as long as those were measured to play: Zoom's times include the
// pauses of a recording.
func captionSources(segments []store.File, meetings []store.Meeting) (sources []captionSource) {
	segments = slices.Clone(segments)
	slices.SortFunc(segments, func(a, b store.File) int { return a.Start.Compare(b.Start) })
	offset := time.Duration(0)
	for i, segment := range segments {
		first := !slices.ContainsFunc(segments[:i], func(s store.File) bool { return s.MeetingUUID == segment.MeetingUUID })
		if f, ok := captionFile(segment, first, meetings); ok {
			sources = append(sources, captionSource{f, offset})
		}
		offset += playedFor(segment)
	}
	return sources
}

// playedFor is how long a segment plays: as measured, else as Zoom says.
func playedFor(f store.File) time.Duration {
	if f.Measured > 0 {
		return f.Measured
	}
	return max(0, f.End.Sub(f.Start))
}

// captionFile is the best file of captions of a segment. One without a time belongs to
// the first segment of its meeting.
func captionFile(segment store.File, first bool, meetings []store.Meeting) (store.File, bool) {
	var found []store.File
	for _, m := range meetings {
		for _, f := range m.Files {
			usable := (f.Transcript() || f.LiveCaptions()) && f.Completed() && f.GoneAt.IsZero() && f.DownloadURL != ""
			if usable && m.UUID == segment.MeetingUUID && (f.Start.IsZero() && first || !f.Start.IsZero() && speaksOf(f, segment)) {
				found = append(found, f)
			}
		}
	}
	if len(found) == 0 {
		return store.File{}, false
	}
	return slices.MinFunc(found, func(a, b store.File) int {
		switch {
		case a.Transcript() != b.Transcript() && a.Transcript():
			return -1
		case a.Transcript() != b.Transcript():
			return 1
		}
		return cmp.Or(cmp.Compare(a.Start.Sub(segment.Start).Abs(), b.Start.Sub(segment.Start).Abs()), strings.Compare(a.ID, b.ID))
	}), true
}

// speaksOf reports whether captions are those of a segment: they begin together, or
// share most of the captions' time.
func speaksOf(captions, segment store.File) bool {
	const together = 2 * time.Second
	if captions.Start.Sub(segment.Start).Abs() <= together {
		return true
	}
	from, to := captions.Start, captions.End
	if !to.After(from) {
		return !from.Before(segment.Start) && from.Before(segment.End.Add(-together))
	}
	if segment.Start.After(from) {
		from = segment.Start
	}
	if segment.End.Before(to) {
		to = segment.End
	}
	return 2*to.Sub(from) > captions.End.Sub(captions.Start)
}
