package ingest

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// privacy is who a new recording is for.
type privacy struct {
	visibility       media.Visibility
	groups, students []int64
}

// privacyWords are the platform's words for the future recording of a lesson;
// anything else means the lesson's group.
var privacyWords = map[string]media.Visibility{
	"lesson_group": media.VisibleLessonGroup, "all": media.VisibleAllGroups, "all_teacher_groups": media.VisibleAllGroups,
	"groups": media.VisibleCustomGroups, "custom_groups": media.VisibleCustomGroups,
	"students": media.VisibleCustomStudents, "custom_students": media.VisibleCustomStudents,
}

// parsePrivacy reads the line "Privacy: {json}" of a lesson's notes.
func parsePrivacy(notes string) privacy {
	out := privacy{visibility: media.VisibleLessonGroup}
	for line := range strings.Lines(notes) {
		text, ok := strings.CutPrefix(strings.TrimSpace(line), "Privacy:")
		if !ok {
			continue
		}
		var in struct {
			Type     string            `json:"privacy_type"`
			Groups   []json.RawMessage `json:"allowed_groups"`
			Students []json.RawMessage `json:"allowed_students"`
		}
		if json.Unmarshal([]byte(text), &in) != nil {
			continue
		}
		if v, known := privacyWords[strings.TrimSpace(in.Type)]; known {
			out.visibility = v
		}
		out.groups, out.students = ids(in.Groups), ids(in.Students)
	}
	return out
}

// ids reads numbers, which some forms send as strings.
func ids(raw []json.RawMessage) (out []int64) {
	for _, r := range raw {
		var n json.Number
		if json.Unmarshal(r, &n) != nil && json.Unmarshal([]byte(strings.Trim(string(r), `"`)), &n) != nil {
			continue
		}
		if id, err := n.Int64(); err == nil && id > 0 {
			out = append(out, id)
		}
	}
	return out
}

// applyPrivacy sets a recording's visibility and adds its viewers: groups and students
// that are the teacher's, and the lesson's own group where it is meant or where the
// platform's rule always adds it.
func applyPrivacy(ctx context.Context, x store.Session, l store.Lesson, recording int64, platformRule bool, now time.Time) error {
	p := parsePrivacy(l.Notes)
	var groups, students []int64
	var err error
	switch p.visibility {
	case media.VisibleCustomGroups:
		groups, err = store.OwnGroups(ctx, x, l.TeacherID, p.groups)
	case media.VisibleCustomStudents:
		students, err = store.OwnStudents(ctx, x, l.TeacherID, p.students)
	}
	if err != nil {
		return err
	}
	if p.visibility == media.VisibleLessonGroup || p.visibility == media.VisibleAllGroups || platformRule {
		if !slices.Contains(groups, l.GroupID) {
			groups = append(groups, l.GroupID)
		}
	}
	if err := store.AddViewers(ctx, x, recording, groups, students); err != nil {
		return err
	}
	return store.SetVisibility(ctx, x, recording, p.visibility, now)
}
