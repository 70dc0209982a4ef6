package auth

import "github.com/lectiospace/lectern/internal/media"

// CheckViewable decides whether the viewer may see a recording in lists and details, from
// rows that the caller has already read: nil, or a *media.Refusal. Unlike Authorize it
// accepts a recording that has no bytes, or none yet.
func (a *Authorizer) CheckViewable(v media.Viewer, rec media.Recording, m media.Membership) error {
	switch {
	case !v.User.Active:
		return inactive()
	case rec.Deleted || rec.Status == media.StatusDeleted:
		return notFound()
	case !mayWatch(a.rule, v.User, rec, m):
		return media.Refuse(media.CodeNoAccess, "You do not have access to this recording.")
	case v.User.Role == media.RoleStudent && retentionEnded(rec, a.now()):
		return media.Refuse(media.CodeExpired, "This recording is no longer available.")
	}
	return nil
}
