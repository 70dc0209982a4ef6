package auth

import (
	"fmt"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

// TestDecideEverything holds Decide against an oracle written the other way
// round, over every combination of the facts it may look at.
func TestDecideEverything(t *testing.T) {
	rules := []Rule{RuleStrict, RulePlatform, ""}
	users := []media.User{}
	for _, role := range []media.Role{"student", "teacher", "admin", "parent", "Student", ""} {
		for _, id := range []int64{0, 3, 7} {
			users = append(users, media.User{ID: id, Role: role, Active: true}, media.User{ID: id, Role: role})
		}
	}
	ends := []time.Time{{}, noon.Add(-time.Second), noon, noon.Add(time.Second)}
	var recordings []media.Recording
	for _, visibility := range []media.Visibility{"lesson_group", "all_teacher_groups", "custom_groups", "custom_students", "friends", ""} {
		for _, status := range []media.Status{"processing", "ready", "archived", "failed", "deleted", "queued", ""} {
			for _, end := range ends {
				for bits := range 8 {
					rec := media.Recording{ID: 1, Visibility: visibility, Status: status, AvailableUntil: end, Deleted: bits&1 != 0}
					if bits&2 != 0 {
						rec.OwnerID = 3
					}
					if bits&4 != 0 {
						rec.Location = media.Location{Provider: "local", Key: "a.mp4"}
					}
					recordings = append(recordings, rec)
				}
			}
		}
	}
	seen := map[media.Code]int{}
	for _, rule := range rules {
		for _, u := range users {
			for _, rec := range recordings {
				for bits := range 8 {
					m := media.Membership{ListedStudent: bits&1 != 0, InAllowedGroup: bits&2 != 0, InTeachersGroup: bits&4 != 0}
					got := codeOf(Decide(rule, u, rec, m, noon))
					if want := oracle(rule, u, rec, m, noon); got != want {
						t.Fatalf("rule %q, %+v, %+v, %+v: got %q, want %q", rule, u, rec, m, got, want)
					}
					seen[got]++
				}
			}
		}
	}
	for _, code := range []media.Code{"ok", "user_inactive", "not_found", "no_media", "no_access", "expired", "processing"} {
		if seen[code] == 0 {
			t.Errorf("no combination came to %q: the table proves nothing about it", code)
		}
	}
}

func codeOf(r *media.Refusal) media.Code {
	if r == nil {
		return "ok"
	}
	return r.Code
}

// oracle is the contract's section 4.3 read from its end: it collects every
// objection there is and then picks the one with the highest rank.
func oracle(rule Rule, u media.User, rec media.Recording, m media.Membership, now time.Time) media.Code {
	type facts struct{ student, group, teachers bool }
	// What of the membership opens each visibility, one row each.
	opens := map[string]facts{
		"lesson_group": {student: true, group: true}, "custom_groups": {group: true},
		"custom_students": {student: true}, "all_teacher_groups": {teachers: true},
	}
	look, known := opens[string(rec.Visibility)]
	if rule == "platform" && (!known || !look.teachers) {
		look = facts{student: true, group: true}
	}
	mine := look.student && m.ListedStudent || look.group && m.InAllowedGroup || look.teachers && m.InTeachersGroup && rec.OwnerID > 0
	may := map[string]bool{"admin": true, "teacher": rec.OwnerID > 0 && rec.OwnerID == u.ID, "student": mine}

	rank := []media.Code{"user_inactive", "not_found", "no_media", "no_access", "expired", "processing"}
	plays := map[string]bool{"ready": true, "archived": true}
	objections := map[media.Code]bool{
		"processing":    rec.Status == "processing",
		"expired":       u.Role == "student" && rec.AvailableUntil.Year() > 1 && now.Sub(rec.AvailableUntil) >= 0,
		"no_access":     !may[string(u.Role)],
		"no_media":      rec.Status != "processing" && (!plays[string(rec.Status)] || len(rec.Location.Key) == 0),
		"not_found":     rec.Deleted || rec.Status == "deleted",
		"user_inactive": !u.Active,
	}
	for _, code := range rank {
		if objections[code] {
			return code
		}
	}
	return "ok"
}

// TestDecidePlatformData walks through rows of the platform's demo data, whose
// outcomes were read off by hand.
func TestDecidePlatformData(t *testing.T) {
	in := func(words ...string) (m media.Membership) {
		for _, w := range words {
			switch w {
			case "listed":
				m.ListedStudent = true
			case "allowed":
				m.InAllowedGroup = true
			case "teachers":
				m.InTeachersGroup = true
			}
		}
		return m
	}
	user := func(id int64, role media.Role) media.User { return media.User{ID: id, Role: role, Active: true} }
	const t1, t2 = 3, 4
	recordings := map[int64]media.Recording{
		1:  {OwnerID: t1, Status: "processing", Visibility: "lesson_group"},
		2:  {OwnerID: t1, Status: "ready", Visibility: "lesson_group"},
		3:  {OwnerID: t1, Status: "archived", Visibility: "lesson_group"},
		4:  {OwnerID: t1, Status: "failed", Visibility: "lesson_group"},
		5:  {OwnerID: t1, Status: "deleted", Visibility: "lesson_group"},
		7:  {OwnerID: t1, Status: "ready", Visibility: "all_teacher_groups"},
		8:  {OwnerID: t1, Status: "ready", Visibility: "custom_groups"},
		9:  {OwnerID: t1, Status: "ready", Visibility: "custom_students"},
		10: {OwnerID: t1, Status: "ready", Visibility: "custom_students"},
		16: {OwnerID: t1, Status: "ready", Visibility: "lesson_group"},
		20: {OwnerID: 0, Status: "ready", Visibility: "all_teacher_groups"},
		22: {OwnerID: t1, Status: "ready", Visibility: "lesson_group", AvailableUntil: noon.Add(-26 * time.Hour)},
		23: {OwnerID: t1, Status: "ready", Visibility: "lesson_group", AvailableUntil: noon.Add(10 * time.Hour)},
		27: {OwnerID: t1, Status: "ready", Visibility: "lesson_group", Deleted: true},
		34: {OwnerID: t2, Status: "ready", Visibility: "lesson_group"}, // substitute in teacher 3's group
	}
	cases := []struct {
		name             string
		u                media.User
		recording        int64
		m                media.Membership
		strict, platform media.Code
	}{
		{"student of the group", user(5, "student"), 2, in("allowed", "teachers"), "ok", "ok"},
		{"student of another of the teacher's groups", user(9, "student"), 2, in("teachers"), "no_access", "no_access"},
		{"archived plays", user(5, "student"), 3, in("allowed", "teachers"), "ok", "ok"},
		{"not archived yet", user(5, "student"), 1, in("allowed", "teachers"), "processing", "processing"},
		{"a stranger does not learn that it is being archived", user(11, "student"), 1, in(), "no_access", "no_access"},
		{"failed", user(5, "student"), 4, in("allowed"), "no_media", "no_media"},
		{"failed, for its owner", user(t1, "teacher"), 4, in(), "no_media", "no_media"},
		{"failed, for a stranger", user(11, "student"), 4, in(), "no_media", "no_media"},
		{"deleted by status", user(1, "admin"), 5, in(), "not_found", "not_found"},
		{"soft deleted, status still ready", user(1, "admin"), 27, in(), "not_found", "not_found"},
		{"owner", user(t1, "teacher"), 2, in(), "ok", "ok"},
		{"another teacher", user(t2, "teacher"), 2, in(), "no_access", "no_access"},
		{"a teacher listed as a student", user(t2, "teacher"), 2, in("listed", "allowed", "teachers"), "no_access", "no_access"},
		{"admin", user(2, "admin"), 10, in(), "ok", "ok"},
		{"all of the teacher's groups", user(9, "student"), 7, in("teachers"), "ok", "ok"},
		{"all groups, but of another teacher", user(11, "student"), 7, in(), "no_access", "no_access"},
		{"all groups: the lists are not looked at", user(12, "student"), 7, in("listed", "allowed"), "no_access", "no_access"},
		{"chosen groups", user(10, "student"), 8, in("allowed", "teachers"), "ok", "ok"},
		{"chosen groups, listed alone", user(12, "student"), 8, in("listed"), "no_access", "ok"},
		{"chosen student", user(10, "student"), 9, in("listed", "teachers"), "ok", "ok"},
		{"chosen students: the group came along", user(5, "student"), 10, in("allowed", "teachers"), "no_access", "ok"},
		{"standalone, nobody listed", user(5, "student"), 16, in("teachers"), "no_access", "no_access"},
		{"nobody's, for all groups", user(5, "student"), 20, in("teachers"), "no_access", "no_access"},
		{"nobody's, for a teacher without an id", user(0, "teacher"), 20, in(), "no_access", "no_access"},
		{"expired", user(5, "student"), 22, in("allowed"), "expired", "expired"},
		{"expired, for a stranger", user(11, "student"), 22, in(), "no_access", "no_access"},
		{"expired, for its owner", user(t1, "teacher"), 22, in(), "ok", "ok"},
		{"expired, for an admin", user(1, "admin"), 22, in(), "ok", "ok"},
		{"half a day left", user(5, "student"), 23, in("allowed"), "ok", "ok"},
		{"substitute owns the lesson", user(t2, "teacher"), 34, in(), "ok", "ok"},
		{"the group's owner does not", user(t1, "teacher"), 34, in(), "no_access", "no_access"},
		{"inactive", media.User{ID: 14, Role: "student"}, 5, in("allowed"), "user_inactive", "user_inactive"},
		{"unknown role", user(5, "moderator"), 2, in("listed", "allowed", "teachers"), "no_access", "no_access"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			rec := recordings[c.recording]
			rec.ID = c.recording
			rec.Location = media.Location{Provider: media.ProviderDrive, Key: fmt.Sprintf("drv%03d", c.recording)}
			if got := codeOf(Decide(RuleStrict, c.u, rec, c.m, noon)); got != c.strict {
				t.Errorf("strict: got %q, want %q", got, c.strict)
			}
			if got := codeOf(Decide(RulePlatform, c.u, rec, c.m, noon)); got != c.platform {
				t.Errorf("platform: got %q, want %q", got, c.platform)
			}
		})
	}
}

// TestProcessingSaysWhen: 409 goes out with a Retry-After.
func TestProcessingSaysWhen(t *testing.T) {
	r := Decide(RuleStrict, media.User{ID: 1, Role: "admin", Active: true}, media.Recording{Status: "processing"}, media.Membership{}, noon)
	if codeOf(r) != media.CodeProcessing || r.RetryAfter != 30*time.Second {
		t.Fatalf("got %+v", r)
	}
}
