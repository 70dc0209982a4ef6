package media

import "time"

// Status is the state of a recording.
type Status string

// The statuses of the platform; a recording with any other is not played.
const (
	StatusProcessing Status = "processing"
	StatusReady      Status = "ready"
	StatusArchived   Status = "archived"
	StatusFailed     Status = "failed"
	StatusDeleted    Status = "deleted"
)

// Visibility is the audience of a recording.
type Visibility string

// The visibilities of the platform.
const (
	VisibleLessonGroup    Visibility = "lesson_group"
	VisibleAllGroups      Visibility = "all_teacher_groups"
	VisibleCustomGroups   Visibility = "custom_groups"
	VisibleCustomStudents Visibility = "custom_students"
)

// Recording is a row of the catalog, as streaming needs it.
type Recording struct {
	ID int64
	// LessonID is 0 for a standalone video.
	LessonID int64
	// OwnerID is the lesson's teacher, or the recording's own when there is no
	// lesson; 0 when nobody owns it. The group's teacher does not matter.
	OwnerID    int64
	Title      string // own title, else the lesson's, else the group's name, else ""
	Status     Status
	Visibility Visibility
	Deleted    bool
	// AvailableUntil is the end of retention; zero = for ever.
	AvailableUntil time.Time
	Location       Location // Key is "" when nothing has been archived
	// Digest is that of the bytes as the syncer archived them; the zero value where it did
	// not, or does not know it.
	Digest ArchivedDigest
	// Copy says of what the bytes are a verified copy; the zero value for no copy.
	Copy Copy
	// Size in bytes and Duration are the catalog's, for pages only; 0 = unknown.
	Size     int64
	Duration time.Duration
}

// Membership is what connects one user to one recording. It has each condition
// separately, so that the access rule is a pure function of it.
type Membership struct {
	ListedStudent   bool // in the recording's allowed students
	InAllowedGroup  bool // member of a group in the recording's allowed groups
	InTeachersGroup bool // member of any group whose teacher is the recording's owner
}
