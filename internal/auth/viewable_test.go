package auth

import (
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

// TestCheckViewable: the refusals come in the order in which they reveal more.
func TestCheckViewable(t *testing.T) {
	rig := newGateRig(t, Config{})
	users := rig.people.users
	listed := media.Membership{InAllowedGroup: true}
	for _, c := range []struct {
		name   string
		user   media.User
		change func(*media.Recording)
		member media.Membership
		want   string
	}{
		{"a student of the group", users[student], func(*media.Recording) {}, listed, "ok"},
		{"without bytes", users[student], func(r *media.Recording) { r.Location.Key = "" }, listed, "ok"},
		{"being processed", users[student], func(r *media.Recording) { r.Status = media.StatusProcessing }, listed, "ok"},
		{"failed", users[student], func(r *media.Recording) { r.Status = media.StatusFailed }, listed, "ok"},
		{"inactive", users[gone], func(r *media.Recording) { r.Deleted = true }, listed, "user_inactive"},
		{"removed", users[stranger], func(r *media.Recording) { r.Deleted = true }, media.Membership{}, "not_found"},
		{"of status deleted", users[admin], func(r *media.Recording) { r.Status = media.StatusDeleted }, listed, "not_found"},
		{"a stranger, and expired", users[stranger], func(r *media.Recording) { r.AvailableUntil = noon }, media.Membership{}, "no_access"},
		{"expired", users[student], func(r *media.Recording) { r.AvailableUntil = noon }, listed, "expired"},
		{"not expired yet", users[student], func(r *media.Recording) { r.AvailableUntil = noon.Add(time.Second) }, listed, "ok"},
		{"expired, for its owner", users[teacher], func(r *media.Recording) { r.AvailableUntil = noon }, media.Membership{}, "ok"},
	} {
		rec := rig.people.recordings[3]
		c.change(&rec)
		if err := rig.CheckViewable(media.Viewer{User: c.user}, rec, c.member); outcome(err) != c.want {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
	}
}
