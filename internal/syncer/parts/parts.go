// Package parts chooses which of the files that Zoom lists become a lesson's recording.
// It is pure: no clock, no database, no network.
package parts

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// State is what can be done with a file at Zoom.
type State uint8

// The states of a file.
const (
	Ready      State = iota // complete at Zoom, or in the archive
	Processing              // Zoom has not finished it
	Unusable                // what was downloaded is no recording, for now
	Gone                    // no longer listed, and not archived
)

// File is a video or a sound file of a recorded meeting.
type File struct {
	Key        string // meeting uuid + "/" + file id
	Meeting    string // uuid
	View       string // Zoom's recording_type
	Sound      bool   // sound only
	Start, End time.Time
	// Measured is how long the file plays. It is 0 until the file has been downloaded;
	// Zoom's times are claims, which a paused recording and a short view break.
	Measured time.Duration
	State    State
	Archived bool
	// Only says that the archive has the only copy: Zoom has none any more. Such a file
	// is always a part, since what replaces it could not bring it back.
	Only bool
}

// Choice is the result of Choose.
type Choice struct {
	// Parts are joined in this order, the order of time.
	Parts []File
	// Awaited is a file that Zoom has not finished and that adds to the parts or
	// replaces some of them.
	Awaited bool
	// Missing are unusable files whose time no part covers.
	Missing []File
	// Gone reports that there are no parts because Zoom no longer lists any.
	Gone bool
}

// views are the pictures Zoom makes of one meeting, best first. A view that is not
// listed ranks behind all of them.
var views = []string{
	"shared_screen_with_speaker_view", "shared_screen_with_gallery_view", "shared_screen", "active_speaker", "speaker_view", "gallery_view",
}

// rank orders views, best first. Zoom's spelling varies: case, and a suffix like "(CC)".
func rank(view string) int {
	view, _, _ = strings.Cut(strings.ToLower(strings.TrimSpace(view)), "(")
	if i := slices.Index(views, view); i >= 0 {
		return i
	}
	return len(views)
}

const (
	// duplicateShare is the share of the shorter file's time from which two files show
	// the same minutes.
	duplicateShare = 0.8
	// coverShare is the share of the longest view's time that a better view must cover
	// to be preferred.
	coverShare = 0.8
	// sameStart is how far apart two files of one moment may begin where an end is unknown.
	sameStart = 2 * time.Second
)

// Choose picks, for every stretch of time, the best view that covers at least 80 % of
// what the longest view covers there. What is archived stays unless it covers less than
// that. Files of other views that share less than 80 % of their time with the chosen
// ones are parts too. Sound is chosen only where there are no pictures at all.
func Choose(files []File) Choice {
	pictures := slices.DeleteFunc(slices.Clone(files), func(f File) bool { return f.Sound })
	c := choose(pictures)
	if len(c.Parts) == 0 && !c.Awaited {
		sound := choose(slices.DeleteFunc(slices.Clone(files), func(f File) bool { return !f.Sound }))
		sound.Gone = sound.Gone || c.Gone && len(sound.Parts) == 0
		sound.Missing = append(c.Missing, sound.Missing...)
		return sound
	}
	return c
}

func choose(files []File) Choice {
	var c Choice
	byState := map[State][]File{}
	for _, f := range files {
		byState[f.State] = append(byState[f.State], f)
	}
	for _, group := range groups(byState[Ready]) {
		c.Parts = append(c.Parts, chooseOfGroup(group)...)
	}
	slices.SortFunc(c.Parts, byTime)
	for _, f := range byState[Processing] {
		c.Awaited = c.Awaited || !slices.ContainsFunc(c.Parts, func(p File) bool { return duplicates(p, f) && !replaces(f, p) })
	}
	for _, f := range byState[Unusable] {
		if !slices.ContainsFunc(c.Parts, func(p File) bool { return duplicates(p, f) }) {
			c.Missing = append(c.Missing, f)
		}
	}
	c.Gone = len(c.Parts) == 0 && len(byState[Gone]) > 0
	return c
}

// replaces reports whether an unfinished file of the same minutes would be chosen
// instead of a part.
func replaces(unfinished, part File) bool {
	return !part.Archived && rank(unfinished.View) < rank(part.View)
}

// groups parts files into those that are connected by showing the same minutes.
func groups(files []File) (out [][]File) {
	left := slices.Clone(files)
	slices.SortFunc(left, byTime)
	for len(left) > 0 {
		group := []File{left[0]}
		left = left[1:]
		for i := 0; i < len(group); i++ {
			rest := left[:0:0]
			for _, f := range left {
				if duplicates(group[i], f) {
					group = append(group, f)
				} else {
					rest = append(rest, f)
				}
			}
			left = rest
		}
		out = append(out, group)
	}
	return out
}

// chooseOfGroup picks the files of the best view that covers enough, and those of
// other views that show other minutes.
func chooseOfGroup(group []File) []File {
	byView := map[int][]File{}
	for _, f := range group {
		byView[rank(f.View)] = append(byView[rank(f.View)], f)
	}
	var candidates []view
	longest := time.Duration(0)
	for r, files := range byView {
		v := newView(r, files)
		candidates = append(candidates, v)
		longest = max(longest, v.covers)
	}
	slices.SortFunc(candidates, func(a, b view) int {
		return cmp.Or(-cmp.Compare(boolInt(a.archived), boolInt(b.archived)), a.rank-b.rank)
	})
	// Views that cover enough come first; the others follow, longest first.
	enough := func(v view) bool { return v.unknown || float64(v.covers) >= coverShare*float64(longest) }
	slices.SortStableFunc(candidates, func(a, b view) int {
		switch {
		case enough(a) != enough(b):
			return boolInt(enough(b)) - boolInt(enough(a))
		case !enough(a):
			return cmp.Compare(b.covers, a.covers)
		}
		return 0
	})
	var chosen []File
	for _, f := range group {
		if f.Only {
			chosen = append(chosen, f)
		}
	}
	add := func(files []File) {
		for _, f := range files {
			if !slices.ContainsFunc(chosen, func(c File) bool { return duplicates(c, f) }) {
				chosen = append(chosen, f)
			}
		}
	}
	for _, v := range candidates {
		add(v.files)
	}
	// A file that duplicates another of its view may show minutes of its own once that one
	// has lost to another view.
	add(group)
	return chosen
}

// view is what one view has of a stretch of time, without its own duplicates.
type view struct {
	rank     int
	files    []File
	covers   time.Duration
	unknown  bool // a file has neither an end nor a measured length
	archived bool
}

func newView(r int, files []File) view {
	v := view{rank: r}
	// The longer of two duplicates stays.
	slices.SortFunc(files, func(a, b File) int {
		la, _ := length(a)
		lb, _ := length(b)
		return cmp.Or(-cmp.Compare(boolInt(a.Archived), boolInt(b.Archived)), cmp.Compare(lb, la), byTime(a, b))
	})
	for _, f := range files {
		if slices.ContainsFunc(v.files, func(c File) bool { return duplicates(c, f) }) {
			continue
		}
		n, known := length(f)
		v.files = append(v.files, f)
		v.covers += n
		v.unknown = v.unknown || !known
		v.archived = v.archived || f.Archived
	}
	return v
}

// length is how long a file plays, as measured, else as Zoom says.
func length(f File) (time.Duration, bool) {
	if f.Measured > 0 {
		return f.Measured, true
	}
	return max(0, f.End.Sub(f.Start)), f.End.After(f.Start)
}

// duplicates reports whether two files show the same minutes: at least 80 % of the
// shorter one's time, whatever their views and meetings. It goes by Zoom's times, since
// a measured length does not tell where in the lesson a pause was.
func duplicates(a, b File) bool {
	aKnown, bKnown := a.End.After(a.Start), b.End.After(b.Start)
	if !aKnown || !bKnown {
		if a.Start.Sub(b.Start).Abs() <= sameStart {
			return true
		}
		// An unfinished file has no end yet. One that begins within another shows the
		// same minutes.
		return bKnown && within(a.Start, b) || aKnown && within(b.Start, a)
	}
	from, to := a.Start, a.End
	if b.Start.After(from) {
		from = b.Start
	}
	if b.End.Before(to) {
		to = b.End
	}
	shorter := min(a.End.Sub(a.Start), b.End.Sub(b.Start))
	return float64(to.Sub(from)) >= duplicateShare*float64(shorter)
}

// within reports whether t lies inside a file, its last seconds aside.
func within(t time.Time, f File) bool {
	return !t.Before(f.Start) && t.Before(f.End.Add(-sameStart))
}

func byTime(a, b File) int {
	return cmp.Or(a.Start.Compare(b.Start), rank(a.View)-rank(b.View), strings.Compare(a.Key, b.Key))
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
