package lessons

import (
	"io/fs"
	"time"
)

// Companion is a file that accompanies one of the demo's recordings.
type Companion struct {
	Recording int64  // its id
	File      string // in Media
	Kind      string
	Label     string
	Type      string // media type
	Duration  time.Duration
	// Made is what a syncer would have made it of the recording as, and Name what it is
	// served as then; "" for a file of Zoom's.
	Made, Name string
	// Shared: the teacher shows it to students.
	Shared bool
}

// Companions are those of all recordings: a poster each, and everything there is for Spoken.
func Companions() []Companion {
	out := []Companion{
		{Recording: Spoken, File: "geometry.m4a", Kind: "audio", Label: "Audio", Type: "audio/mp4", Duration: 120 * time.Second},
		{Recording: Spoken, File: "geometry.chat.txt", Kind: "chat", Label: "Chat", Type: "text/plain; charset=utf-8", Shared: true},
		{Recording: Spoken, File: "geometry.summary.json", Kind: "summary", Label: "Summary", Type: "application/json", Shared: true},
		{Recording: Spoken, File: "geometry.storyboard.vtt", Kind: "storyboard", Label: "Storyboard", Type: "text/vtt; charset=utf-8", Made: "storyboard", Name: "storyboard.vtt"},
		{Recording: Spoken, File: "geometry.storyboard.jpg", Kind: "storyboard", Label: "Storyboard sheet", Type: "image/jpeg", Made: "storyboard", Name: "storyboard.jpg"},
	}
	for i, lesson := range All() {
		out = append(out, Companion{Recording: int64(i + 1), File: lesson.poster(), Kind: "poster", Label: "Poster", Type: "image/jpeg", Made: "poster", Name: "poster.jpg"})
	}
	return out
}

// Track is a track of captions of the recording Spoken.
type Track struct{ Lang, Label, Text string }

// Tracks are its captions as WebVTT, in the languages of the pages.
func Tracks() ([]Track, error) {
	tracks := []Track{{Lang: "en", Label: "English"}, {Lang: "ru", Label: "Русский"}}
	for i := range tracks {
		text, err := fs.ReadFile(media, "media/geometry."+tracks[i].Lang+".vtt")
		if err != nil {
			return nil, err
		}
		tracks[i].Text = string(text)
	}
	return tracks, nil
}

// Chapter is where a part of the recording Spoken begins.
type Chapter struct {
	Start time.Duration
	Title string
}

// Chapters are its slides.
func Chapters() []Chapter {
	var out []Chapter
	for i, title := range []string{"The theorem", "An example", "Why it is so", "Where it helps", "For next time"} {
		out = append(out, Chapter{time.Duration(i) * slide, title})
	}
	return out
}

// slide is how long each slide of the recording Spoken is shown.
const slide = 24 * time.Second
