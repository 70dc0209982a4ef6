package auth

import (
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

// Rule is which of the two access rules holds.
type Rule string

// The rules. Strict closes the platform's leak: a recording for chosen students
// is not also shown to the groups in its list, and the other way round.
const (
	RuleStrict   Rule = "strict"
	RulePlatform Rule = "platform"
)

// retryProcessing is when a recording that is being archived is worth another look.
const retryProcessing = 30 * time.Second

// Decide says whether a user may watch a recording now: nil, or why not. It is
// pure. The order of the reasons is the order in which they are told: who is
// unknown learns nothing, then what does not exist, then what is not theirs,
// then what is theirs but not now.
func Decide(rule Rule, u media.User, rec media.Recording, m media.Membership, now time.Time) *media.Refusal {
	if !u.Active {
		return media.Refuse(media.CodeUserInactive, "User is inactive")
	}
	if r := exists(rec); r != nil {
		return r
	}
	if !mayWatch(rule, u, rec, m) {
		return media.Refuse(media.CodeNoAccess, "You do not have access to this recording.")
	}
	return available(u, rec, now)
}

// exists refuses with 404s: what is deleted, and what has no bytes.
func exists(rec media.Recording) *media.Refusal {
	switch {
	case rec.Deleted || rec.Status == media.StatusDeleted:
		return media.Refuse(media.CodeNotFound, "There is no such recording.")
	case rec.Status == media.StatusProcessing:
		return nil
	case rec.Status != media.StatusReady && rec.Status != media.StatusArchived, rec.Location.Key == "":
		return media.Refuse(media.CodeNoMedia, "This recording has no video.")
	}
	return nil
}

// available refuses what the user may watch in principle: too late, or too early.
func available(u media.User, rec media.Recording, now time.Time) *media.Refusal {
	if u.Role == media.RoleStudent && !rec.AvailableUntil.IsZero() && !rec.AvailableUntil.After(now) {
		return media.Refuse(media.CodeExpired, "This recording is no longer available.")
	}
	if rec.Status == media.StatusProcessing {
		r := media.Refuse(media.CodeProcessing, "This recording is still being processed.")
		r.RetryAfter = retryProcessing
		return r
	}
	return nil
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

func studentMayWatch(rule Rule, rec media.Recording, m media.Membership) bool {
	listed := m.ListedStudent || m.InAllowedGroup
	switch rec.Visibility {
	case media.VisibleAllGroups:
		return rec.OwnerID != 0 && m.InTeachersGroup
	case media.VisibleLessonGroup:
		return listed
	case media.VisibleCustomGroups:
		return m.InAllowedGroup || rule == RulePlatform && listed
	case media.VisibleCustomStudents:
		return m.ListedStudent || rule == RulePlatform && listed
	default:
		return rule == RulePlatform && listed
	}
}
