package media

import "time"

// Entry is a recording as lists and its own page show it.
type Entry struct {
	Recording
	// OwnTitle is the recording's own, "" where it goes by its lesson's.
	OwnTitle string
	Lesson   *Lesson // nil for a standalone video
	// ZoomID is Zoom's id of the file, or of a bundle of files.
	ZoomID string
	// PlayURL, DownloadURL and ThumbnailURL are links as they are stored, Zoom's or
	// the archive's; ArchiveURL is the archive's.
	PlayURL, DownloadURL, ThumbnailURL, ArchiveURL string
	// DriveFile is the id on Google Drive, "" when it is not there.
	DriveFile string
	// FileSize is nil when nobody knows it, which is not the same as 0.
	FileSize *int64
	// Start and End are when it was recorded; zero when not known.
	Start, End time.Time
	Views      int64
	Groups     []Named  // who is allowed, by name
	Students   []Person // who is allowed, newest registered first
	CreatedAt  time.Time
	UpdatedAt  time.Time
}

// Lesson is what a recording shows of the lesson it was made in.
type Lesson struct {
	ID         int64
	Title      string // may be ""
	Group      Named
	Teacher    Person
	Start, End time.Time // as planned
}

// Named is a row that people know by its name.
type Named struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

// Person is somebody with what their name is made of. Any part may be "".
type Person struct {
	ID     int64  `json:"id"`
	First  string `json:"first"`
	Last   string `json:"last"`
	Middle string `json:"middle"`
	Email  string `json:"email"`
}

// Filter narrows a list of recordings down; a zero field does not.
type Filter struct {
	Group  int64  // of the lesson, or allowed
	Status string // exact
	Search string // in the lesson's title or the recording's own, whatever the case
	Window
}

// Window is the page of a list that is wanted.
type Window struct {
	Offset, Limit int64
}

// Listing is one page of a list. Without entries Total is 0: whoever asked beyond
// the end learns only that nothing is there.
type Listing struct {
	Entries []Entry
	Total   int64
}

// Progress is a recording that cannot be watched yet, or will never be.
type Progress struct {
	ID        int64
	LessonID  int64 // 0 for a standalone video
	Title     string
	Status    Status
	Reason    string // the syncer's code for what keeps it, "" for nothing known
	UpdatedAt time.Time
}

// Account is a teacher's quota of stored bytes.
type Account struct {
	ID            int64
	Teacher       Person
	Total, Used   int64
	Recordings    int64
	PurchasedGB   int64
	Warned        bool
	Exceeded      bool
	LastWarningAt time.Time // zero: never
	CreatedAt     time.Time
	UpdatedAt     time.Time
}

// QuotaFilter narrows the list of quotas down; nil and "" do not.
type QuotaFilter struct {
	Search   string // in the teacher's name or address
	Exceeded *bool
	Warned   *bool
	// Sort is a column of QuotaSorts; a leading "-" turns it round.
	Sort string
	Window
}

// QuotaListing is one page of quotas.
type QuotaListing struct {
	Accounts []Account
	Total    int64
}

// Storage is what all quotas come to.
type Storage struct {
	Teachers, Total, Used      int64
	Exceeded, Warned, Recorded int64
	Top                        []Account // by used bytes
}

// Resync is a recording that is to be looked for at Zoom again, and what is known
// of it there.
type Resync struct {
	RecordingID int64
	Parts       int64
	Bytes       int64
	Duration    time.Duration
}

// Standing is a recording with how somebody stands to it.
type Standing struct {
	Entry      Entry
	Membership Membership
}
