package auth

import (
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

// Rule names one of the two access rules. Any other value means strict.
type Rule string

// The rules. Strict closes the platform's leak: a recording for chosen students
// is not also shown to the groups in its list, and the other way round.
const (
	RuleStrict   Rule = "strict"
	RulePlatform Rule = "platform"
)

// retryProcessing is the Retry-After of a recording that is being archived.
const retryProcessing = 30 * time.Second

// Decide decides whether a user may watch a recording now: nil, or why not. It is pure. The
// first failed check is reported, so that a refusal reveals no more than it must: the user
// is inactive, the recording does not exist, it is not the user's, it is not available
// now.
func Decide(rule Rule, u media.User, rec media.Recording, m media.Membership, now time.Time) *media.Refusal {
	if !u.Active {
		return inactive()
	}
	if r := exists(rec); r != nil {
		return r
	}
	if !mayWatch(rule, u, rec, m) {
		return media.Refuse(media.CodeNoAccess, "You do not have access to this recording.")
	}
	return available(u, rec, now)
}

// exists refuses a recording that is deleted or has no bytes. One that is still being
// processed exists: available refuses it with a Retry-After.
func exists(rec media.Recording) *media.Refusal {
	if rec.Deleted || rec.Status == media.StatusDeleted {
		return notFound()
	}
	switch rec.Status {
	case media.StatusProcessing:
		return nil
	case media.StatusReady, media.StatusArchived:
		if rec.Location.Key != "" {
			return nil
		}
	}
	return media.Refuse(media.CodeNoMedia, "This recording has no video.")
}

func inactive() *media.Refusal {
	return media.Refuse(media.CodeUserInactive, "User is inactive")
}

func notFound() *media.Refusal {
	return media.Refuse(media.CodeNotFound, "There is no such recording.")
}

// available refuses a recording that the user may watch, but not any more or not yet. The
// end of retention applies to students; the owner and admins may still watch.
func available(u media.User, rec media.Recording, now time.Time) *media.Refusal {
	if u.Role == media.RoleStudent && retentionEnded(rec, now) {
		return media.Refuse(media.CodeExpired, "This recording is no longer available.")
	}
	if rec.Status == media.StatusProcessing {
		r := media.Refuse(media.CodeProcessing, "This recording is still being processed.")
		r.RetryAfter = retryProcessing
		return r
	}
	return nil
}

// retentionEnded reports whether a recording's retention has ended.
func retentionEnded(rec media.Recording, now time.Time) bool {
	return !rec.AvailableUntil.IsZero() && !rec.AvailableUntil.After(now)
}

func mayWatch(rule Rule, u media.User, rec media.Recording, m media.Membership) bool {
	switch u.Role {
	case media.RoleAdmin:
		return true
	case media.RoleTeacher:
		return rec.OwnerID != 0 && rec.OwnerID == u.ID
	case media.RoleStudent:
		return studentMayWatch(rule, rec, m)
	default:
		return false
	}
}

// studentMayWatch reads the lists. The platform looks at both whatever the
// visibility says, except for all_teacher_groups, which looks at neither.
func studentMayWatch(rule Rule, rec media.Recording, m media.Membership) bool {
	if rec.Visibility == media.VisibleAllGroups {
		return rec.OwnerID != 0 && m.InTeachersGroup
	}
	listed := m.ListedStudent || m.InAllowedGroup
	if rule == RulePlatform {
		return listed
	}
	switch rec.Visibility {
	case media.VisibleLessonGroup:
		return listed
	case media.VisibleCustomGroups:
		return m.InAllowedGroup
	case media.VisibleCustomStudents:
		return m.ListedStudent
	default:
		return false
	}
}
