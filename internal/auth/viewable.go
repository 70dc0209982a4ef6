package auth

import "github.com/lectiospace/lectern/internal/media"

// Peruse tells whether the viewer may know of a recording now, with the facts about
// it at hand: nil, or a *media.Refusal. Unlike Authorize it lets those who may watch
// it see a recording that does not play, or not yet.
func (g *Authorizer) CheckViewable(v media.Viewer, rec media.Recording, m media.Membership) error {
	switch {
	case !v.User.Active:
		return inactive()
	case rec.Deleted || rec.Status == media.StatusDeleted:
		return notFound()
	case !mayWatch(g.rule, v.User, rec, m):
		return media.Refuse(media.CodeNoAccess, "You do not have access to this recording.")
	case v.User.Role == media.RoleStudent && hasExpired(rec, g.now()):
		return media.Refuse(media.CodeExpired, "This recording is no longer available.")
	}
	return nil
}
