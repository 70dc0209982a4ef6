package derive

import (
	"context"
	"time"

	"github.com/lectiospace/lectern/internal/ffmpeg"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/webvtt"
)

// Maker makes the files of one kind. Make is called by one goroutine at a time.
type Maker interface {
	// Kind names the kind in the database and in settings. It never changes, and no two
	// Makers share it.
	Kind() string
	// Revision is raised when what earlier revisions have made is to be made anew.
	Revision() int64
	// Make makes the files of a recording in dir, which is empty at first and is removed
	// afterwards. The zero value and no error: a recording like this one has none. An error of
	// kind Unavailable, Timeout or Canceled, and one of a full or failing disk, is a fault of
	// this machine and is tried again without end; any other counts as a failed attempt. It must
	// not wait for the network, and what it starts has to end by itself.
	Make(ctx context.Context, src Source, dir string) (Made, error)
}

// Chooser is a Maker that makes files of some recordings only.
type Chooser interface {
	// Choose decides about a recording before it is read from its archive. It changes nothing.
	Choose(ctx context.Context, x store.Session, rec store.Recording) (Choice, error)
}

// Choice is whether files of a recording are made; the zero value is now.
type Choice struct {
	Never bool      // not before the recording or the Maker's revision changes
	At    time.Time // later: when to decide again
	Why   string    // not now
}

// now reports whether files are made now.
func (c Choice) now() bool { return !c.Never && c.At.IsZero() }

// Source is a recording whose bytes are on the local disk. Nobody changes them.
type Source struct {
	Path      string
	Info      ffmpeg.Info
	Recording store.Recording
}

// Made is what a Maker has made of a recording; the zero value is nothing.
type Made struct {
	Files []File
	// Captions are stored with the recording, unless Zoom or a person has given it others
	// meanwhile. Those without cues are none.
	Captions webvtt.Track
}

// File is a file that was made.
type File struct {
	Path string // below the directory that Make was given
	// Name is unique among all derived files of a recording. The gateway serves
	// {base}/recordings/{id}/{name} where it has a route for it.
	Name        string
	Kind        media.CompanionKind
	Label       string // for people
	Lang        string // BCP 47; "" = none
	ContentType string
	Duration    time.Duration // 0 where it does not play
}
