package media

import "time"

// Status is where a recording stands in its life.
type Status string

// The statuses of the platform; any other word plays nothing.
const (
	StatusProcessing Status = "processing"
	StatusReady      Status = "ready"
	StatusArchived   Status = "archived"
	StatusFailed     Status = "failed"
	StatusDeleted    Status = "deleted"
)

// Visibility is who a recording was meant for.
type Visibility string

// The visibilities of the platform.
const (
	VisibleLessonGroup    Visibility = "lesson_group"
	VisibleAllGroups      Visibility = "all_teacher_groups"
	VisibleCustomGroups   Visibility = "custom_groups"
	VisibleCustomStudents Visibility = "custom_students"
)

// Recording is what streaming needs to know of one row of the catalog.
type Recording struct {
	ID int64
	// LessonID is 0 for a standalone video.
	LessonID int64
	// OwnerID is the lesson's teacher, or the recording's own when there is no
	// lesson; 0 when nobody owns it. The group's owner does not count.
	OwnerID    int64
	Title      string // own title, else the lesson's, else the group's name, else ""
	Status     Status
	Visibility Visibility
	Deleted    bool
	// AvailableUntil is the end of retention; zero = for ever.
	AvailableUntil time.Time
	Location       Location // Key is "" when nothing has been archived
	// Size and Duration are the catalog's word, for pages only; 0 = not known.
	Size     int64
	Duration time.Duration
}

// Membership says how one user stands to one recording, each fact by itself,
// so that the access rule stays a pure function.
type Membership struct {
	ListedStudent   bool // in the recording's allowed students
	InAllowedGroup  bool // member of a group in the recording's allowed groups
	InTeachersGroup bool // member of any group whose teacher is the recording's owner
}
