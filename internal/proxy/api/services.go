package api

import (
	"context"
	"net/netip"
	"time"

	"github.com/lectiospace/lectern/internal/library"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/watchstate"
)

// Access decides who may watch. Its methods are called from many goroutines; they
// return a *media.Refusal for a refusal, and another error when they cannot decide.
type Access interface {
	// Authenticate returns the user of the first of a request's tokens that is valid and,
	// where it is a playback token, for the recording; 0 is a request for no recording.
	// client is the client's address.
	Authenticate(ctx context.Context, client netip.Addr, tokens []media.Token, recordingID int64) (media.Viewer, error)
	// Authorize returns the recording when the viewer may watch it.
	Authorize(ctx context.Context, v media.Viewer, recordingID int64) (media.Recording, error)
}

// Origins resolves a location into the immutable identity of the object there.
type Origins interface {
	Stat(ctx context.Context, loc media.Location) (media.Object, error)
}

// StatPrefetcher is the optional interface of Origins that fetch the bytes from off on while
// they resolve the location. release ends the prefetch: it is called once the bytes have been
// read in earnest, or will not be.
type StatPrefetcher interface {
	StatPrefetch(ctx context.Context, loc media.Location, copied media.Copy, off int64) (obj media.Object, release func(), err error)
}

// Prefetcher reads what a player asks for first. Prefetch returns at once, and calls release
// when nothing is being read any more.
type Prefetcher interface {
	Prefetch(obj media.Object, release func())
}

// GrantSigner signs the tokens that a <video> element plays with.
type GrantSigner interface {
	Grant(userID int64, rec media.Recording) (media.Grant, error)
}

// CaptionLister lists the caption tracks of a recording.
type CaptionLister interface {
	Captions(ctx context.Context, recordingID int64) ([]media.Caption, error)
}

// StartCounter counts playback starts. The error is a *media.Refusal when the user's
// limit is reached. undo, where it is not nil, takes the count back; it is called at
// most once.
type StartCounter interface {
	Count(ctx context.Context, userID, recordingID int64, direct bool) (undo func(), err error)
}

// Services are what the recordings API needs of the catalog. Errors have a media.Kind;
// NotFound means that a row certainly does not exist.
type Services struct {
	Viewability ViewabilityChecker
	Recordings  RecordingsReader
	Editor      RecordingsEditor
	Quotas      QuotaEditor
	Views       ViewCounter
	Captions    CaptionReader
	Companions  CompanionReader // nil: no companions
	Chapters    ChapterReader   // nil: no chapters
	Search      Searcher
	WatchStates WatchStates // nil: no watch states
	Audience    AudienceReader
	Analytics   string // AnalyticsOff, AnalyticsOwn or AnalyticsAudience
}

// ViewabilityChecker applies the access rule to a recording and a membership that the
// caller has read. The error is a *media.Refusal.
type ViewabilityChecker interface {
	CheckViewable(v media.Viewer, rec media.Recording, m media.Membership) error
}

// RecordingsReader reads lists of recordings, single recordings with all that is shown
// of them, and quotas.
type RecordingsReader interface {
	StudentPage(ctx context.Context, user int64, f library.Filter) (library.Listing, error)
	TeacherPage(ctx context.Context, user int64, f library.Filter) (library.Listing, error)
	// Entry returns a removed recording too, with Deleted.
	Entry(ctx context.Context, id, user int64) (library.Entry, media.Membership, error)
	// LessonEntries returns a lesson's recordings, newest first; member is true when the
	// user teaches the lesson or is in its group.
	LessonEntries(ctx context.Context, lesson, user int64) (list []library.EntryMembership, member bool, err error)
	Progress(ctx context.Context, user int64) ([]library.Progress, error)
	Quotas(ctx context.Context, f library.QuotaFilter) (library.QuotaListing, error)
	Quota(ctx context.Context, id int64) (library.Account, error)
	Storage(ctx context.Context, top int64) (library.Storage, error)
}

// RecordingsEditor makes the edits that a teacher requests. Besides NotFound an error may be
// Denied, with one of the reasons subscription, not_owner, purged, quota_exceeded,
// no_meeting, no_account and gone_at_zoom.
type RecordingsEditor interface {
	// May returns the error with which Rename would be refused.
	May(ctx context.Context, teacher, recordingID int64) error
	Rename(ctx context.Context, teacher, recordingID int64, title string) error
	Remove(ctx context.Context, teacher, recordingID int64, reason string) error
	Restore(ctx context.Context, teacher, recordingID int64) error
	Resync(ctx context.Context, teacher, recordingID int64) (library.Resync, error)
	// ShareCompanion says whether students see a companion of a recording. An admin may do
	// it for every recording.
	ShareCompanion(ctx context.Context, user media.User, recordingID, companionID int64, shared bool) error
	// SetChapters writes a recording's chapters; none brings Zoom's back. An admin may do it
	// for every recording.
	SetChapters(ctx context.Context, user media.User, recordingID int64, chapters []media.Chapter) error
	// MayEdit returns the error with which EditCaptions and SetChapters would be refused.
	MayEdit(ctx context.Context, user media.User, recordingID int64) error
	// EditCaptions replaces a recording's captions in a language by a body that is valid
	// WebVTT. An admin may do it for every recording.
	EditCaptions(ctx context.Context, user media.User, recordingID int64, lang, body string) error
	// RemoveCaptions removes them. NotFound: there is no such recording, or no captions.
	RemoveCaptions(ctx context.Context, user media.User, recordingID int64, lang string) error
}

// QuotaEditor edits quotas.
type QuotaEditor interface {
	RaiseQuota(ctx context.Context, id, bytes, wholeGB int64) error
	// OwnQuota returns the id of a teacher's quota, which it creates where there is none.
	OwnQuota(ctx context.Context, teacher int64) (id int64, err error)
}

// ViewCounter counts views of recordings, one per user and recording in a while.
// pending is how many views the catalog's number lacks so far, this one included.
type ViewCounter interface {
	Count(ctx context.Context, userID, recordingID int64) (pending int64, err error)
}

// CaptionReader reads captions as WebVTT.
type CaptionReader interface {
	CaptionText(ctx context.Context, recordingID int64, lang string) (string, error)
}

// CompanionReader reads the files that accompany recordings.
type CompanionReader interface {
	// Companions are a recording's, by kind and time.
	Companions(ctx context.Context, recordingID int64) ([]media.Companion, error)
	Companion(ctx context.Context, id int64) (media.Companion, error)
}

// ChapterReader reads the chapters of recordings.
type ChapterReader interface {
	// Chapters are a recording's in the order of time.
	Chapters(ctx context.Context, recordingID int64) ([]media.Chapter, error)
}

// Searcher searches titles and transcripts of what a user may watch.
type Searcher interface {
	Search(ctx context.Context, user media.User, text string, w library.Window) (library.Hits, error)
}

// WatchStates keeps how far users are in recordings.
type WatchStates interface {
	// Put merges a report of a user's player. It does not wait for the database.
	Put(user, recording int64, position time.Duration, pieces []watchstate.Piece) error
	// States are a user's in some recordings, without those that they never watched.
	States(ctx context.Context, user int64, recordings []int64) (map[int64]watchstate.State, error)
}

// AudienceReader reads who watched recordings.
type AudienceReader interface {
	// Attendees are the students who have watched a recording, and those who may and have
	// not, by name.
	Attendees(ctx context.Context, recording int64) ([]library.Attendee, error)
}
