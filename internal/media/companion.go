package media

import "time"

// CompanionKind is what a companion of a recording is.
type CompanionKind string

// The kinds of companions.
const (
	CompanionTranscript CompanionKind = "transcript" // what was said, as text
	CompanionCaptions   CompanionKind = "captions"   // written along during the meeting
	CompanionChat       CompanionKind = "chat"
	CompanionTimeline   CompanionKind = "timeline" // who spoke when
	CompanionAudio      CompanionKind = "audio"
	CompanionView       CompanionKind = "view" // another picture of the same minutes
	CompanionSummary    CompanionKind = "summary"
	CompanionChapters   CompanionKind = "chapters"
	CompanionPoll       CompanionKind = "poll"
	CompanionPoster     CompanionKind = "poster"
	CompanionStoryboard CompanionKind = "storyboard"
	CompanionOther      CompanionKind = "other"
)

// PosterName is the name of the poster among the files that are made of a recording.
const PosterName = "poster.jpg"

// CompanionKinds are all kinds of companions.
func CompanionKinds() []CompanionKind {
	return []CompanionKind{
		CompanionTranscript, CompanionCaptions, CompanionChat, CompanionTimeline, CompanionAudio, CompanionView,
		CompanionSummary, CompanionChapters, CompanionPoll, CompanionPoster, CompanionStoryboard, CompanionOther,
	}
}

// Personal reports whether companions of a kind may hold what people said among themselves:
// viewers other than the owner and admins see them only where the teacher has shared them.
func (k CompanionKind) Personal() bool {
	switch k {
	case CompanionChat, CompanionPoll, CompanionSummary, CompanionOther:
		return true
	}
	return false
}

// Companion is a file that accompanies a recording.
type Companion struct {
	ID          int64
	RecordingID int64
	Kind        CompanionKind
	Label       string // for people
	Lang        string // BCP 47; "" = none
	ContentType string
	Shared      bool // the teacher shows it to students
	Location    Location
	Size        int64         // bytes
	Duration    time.Duration // 0 where it does not play
	// Digest is that of the bytes as they were archived, and Copy says of what they are a
	// verified copy, as of a Recording.
	Digest ArchivedDigest
	Copy   Copy
}

// VisibleTo reports whether a viewer who may watch the recording may have the companion too.
func (c Companion) VisibleTo(v Viewer, rec Recording) bool {
	return c.Shared || !c.Kind.Personal() || v.User.Role == RoleAdmin || rec.OwnerID != 0 && v.User.ID == rec.OwnerID
}
