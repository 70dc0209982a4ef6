package library

import (
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
)

// Entry is a recording as lists and its own page show it.
type Entry struct {
	media.Recording
	// OwnTitle is the recording's own, "" where it goes by its lesson's.
	OwnTitle string
	Lesson   *Lesson // nil for a standalone video
	// ZoomID is Zoom's id of the file, or of a bundle of files.
	ZoomID string
	// PlayURL, DownloadURL and ThumbnailURL are links as they are stored, Zoom's or
	// the archive's; ArchiveURL is the archive's.
	PlayURL, DownloadURL, ThumbnailURL, ArchiveURL string
	// HasPoster reports whether the syncer has made a poster of it.
	HasPoster bool
	// DriveFile is the id on Google Drive, "" when it is not there.
	DriveFile string
	// FileSize is nil when nobody knows it, which is not the same as 0.
	FileSize *int64
	// Start and End are when it was recorded; zero when not known.
	Start, End time.Time
	Views      int64
	Groups     []Named          // who is allowed, by name
	Students   []catalog.Person // who is allowed, newest registered first
	CreatedAt  time.Time
	UpdatedAt  time.Time
}

// Lesson is what a recording shows of the lesson it was made in.
type Lesson struct {
	ID         int64
	Title      string // may be ""
	Group      Named
	Teacher    catalog.Person
	Start, End time.Time // as planned
}

// Named is a row that people know by its name.
type Named struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

// Progress is a recording that cannot be watched yet, or will never be.
type Progress struct {
	ID        int64
	LessonID  int64 // 0 for a standalone video
	Title     string
	Status    media.Status
	Reason    string // the syncer's code for what keeps it, "" for nothing known
	UpdatedAt time.Time
}

// EntryMembership is a recording together with what connects one user to it.
type EntryMembership struct {
	Entry      Entry
	Membership media.Membership
}
