package catalog_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/catalog/catalogtest"
	"github.com/lectiospace/lectern/internal/catalog/schema"
	"github.com/lectiospace/lectern/internal/media"
)

// TestConformance holds a catalog to the same facts wherever it lives. The
// checks that change something come last, the one that breaks it at the end.
func TestConformance(t *testing.T) {
	checks := []struct {
		name string
		run  func(*testing.T, *catalogtest.DB)
	}{
		{"user", checkUser},
		{"recording", checkRecording},
		{"the digest of archived bytes", checkDigest},
		{"membership", checkMembership},
		{"canceled is not unavailable", checkCanceledIsNotUnavailable},
		{"a bad reference keeps nothing", checkBadReferenceKeepsNothing},
		{"oddities of recordings", checkRecordingOddities},
		{"a missing column is named", checkMissingColumnIsNamed},
		{"a missing table is no absence", checkMissingTableIsNoAbsence},
	}
	catalogtest.Each(t, func(t *testing.T, s *catalogtest.DB) {
		for _, c := range checks {
			t.Run(c.name, func(t *testing.T) { c.run(t, s) })
		}
	})
}

func checkUser(t *testing.T, s *catalogtest.DB) {
	cases := []struct {
		id   int64
		want media.User
		kind media.Kind
	}{
		{1, media.User{ID: 1, Role: media.RoleAdmin, Active: true}, 0},
		{3, media.User{ID: 3, Role: media.RoleTeacher, Active: true}, 0},
		{5, media.User{ID: 5, Role: media.RoleStudent, Active: true}, 0},
		{14, media.User{ID: 14, Role: media.RoleStudent, Active: false}, 0},
		{15, media.User{}, media.NotFound},
		{0, media.User{}, media.NotFound},
		{-1, media.User{}, media.NotFound},
	}
	for _, c := range cases {
		got, err := s.User(t.Context(), c.id)
		if got != c.want || media.KindOf(err) != c.kind {
			t.Errorf("User(%d) = %+v, %v; want %+v, %v", c.id, got, err, c.want, c.kind)
		}
	}
}

func at(text string) time.Time {
	s, err := catalog.ParseDBTime(text)
	if err != nil {
		panic(err)
	}
	return s.Time
}

func drive(key string) media.Location { return media.Location{Provider: "gdrive", Key: key} }

func checkRecording(t *testing.T, s *catalogtest.DB) {
	cases := []struct {
		why  string
		want media.Recording
	}{
		{"not archived", media.Recording{ID: 1, LessonID: 1, OwnerID: 3, Title: "Weekly algebra", Status: "processing", Visibility: "lesson_group", Location: drive(""), Size: 52428801, Duration: 3601 * time.Second}},
		{"on Drive", media.Recording{ID: 2, LessonID: 1, OwnerID: 3, Title: "Weekly algebra", Status: "ready", Visibility: "lesson_group", Location: drive("drv002"), Size: 52428802, Duration: 3602 * time.Second}},
		{"for all groups", media.Recording{ID: 7, LessonID: 2, OwnerID: 3, Title: "Weekly algebra", Status: "ready", Visibility: "all_teacher_groups", Location: drive("drv007"), Size: 52428807, Duration: 3607 * time.Second}},
		{"on S3", media.Recording{ID: 12, LessonID: 5, OwnerID: 3, Title: "Geometry", Status: "ready", Visibility: "lesson_group", Location: media.Location{Provider: "s3", Key: "lectio/s3/key.mp4"}, Size: 52428812, Duration: 3612 * time.Second}},
		{"standalone: its own teacher", media.Recording{ID: 16, OwnerID: 3, Title: "Standalone nobody", Status: "ready", Visibility: "lesson_group", Location: drive("drv016"), Size: 52428816, Duration: 3616 * time.Second}},
		{"nobody's", media.Recording{ID: 20, Title: "Orphan, no teacher", Status: "ready", Visibility: "all_teacher_groups", Location: drive("drv020"), Size: 52428820, Duration: 3620 * time.Second}},
		{"NULL size and duration", media.Recording{ID: 21, OwnerID: 4, Title: "Standalone processing", Status: "processing", Visibility: "all_teacher_groups", Location: drive("")}},
		{"expired", media.Recording{ID: 22, LessonID: 3, OwnerID: 3, Title: "Weekly algebra", Status: "ready", Visibility: "lesson_group", AvailableUntil: at("2026-11-22T10:00:00Z"), Location: drive("drv022"), Size: 52428822, Duration: 3622 * time.Second}},
		{"soft-deleted", media.Recording{ID: 25, LessonID: 4, OwnerID: 3, Title: "Weekly algebra", Status: "deleted", Visibility: "lesson_group", Deleted: true, Location: drive(""), Size: 52428825, Duration: 3625 * time.Second}},
		{"soft-deleted, status ready", media.Recording{ID: 27, LessonID: 4, OwnerID: 3, Title: "Weekly algebra", Status: "ready", Visibility: "lesson_group", Deleted: true, Location: drive("drv027"), Size: 52428827, Duration: 3627 * time.Second}},
		{"own title before the lesson's", media.Recording{ID: 32, LessonID: 7, OwnerID: 4, Title: "Custom title «Линзы»", Status: "ready", Visibility: "lesson_group", Location: drive("drv032"), Size: 1572864, Duration: 3632 * time.Second}},
		{"the group's name when nothing has a title; at Zoom", media.Recording{ID: 33, LessonID: 10, OwnerID: 3, Title: "Математика Б", Status: "ready", Visibility: "lesson_group", Location: media.Location{Provider: "zoom", Key: "3 https://zoom.example/rec/download/untitled"}, Size: 52428833, Duration: 3633 * time.Second}},
		{"a substitute: the lesson's teacher, not the group's", media.Recording{ID: 34, LessonID: 11, OwnerID: 4, Title: "Substitute", Status: "ready", Visibility: "lesson_group", Location: drive("drv034"), Size: 52428834, Duration: 3634 * time.Second}},
	}
	for _, c := range cases {
		got, err := s.Recording(t.Context(), c.want.ID)
		if got != c.want || err != nil {
			t.Errorf("%s: Recording(%d) = %+v, %v; want %+v", c.why, c.want.ID, got, err, c.want)
		}
	}
	if _, err := s.Recording(t.Context(), 37); media.KindOf(err) != media.NotFound {
		t.Errorf("a recording that is not there: %v", err)
	}
}

// checkDigest: a recording has the digest that its ingest recorded, with what it belongs to,
// and none from an ingest that recorded none.
func checkDigest(t *testing.T, s *catalogtest.DB) {
	s.Exec(t, `INSERT INTO lectern.lectern_ingests (meeting_uuid, recording_id, teacher_id, state, provider, archive_key, archived_version, size, md5, sha256, created_at, updated_at)
		VALUES ('first', 2, 3, 'done', 'gdrive', 'drv002', 'rev-1', 7, 'm', '', $1, $1), ('second', 2, 3, 'done', 'gdrive', 'drv002', 'rev-2', 8, 'm', 'abcd', $1, $1)`, catalog.NewDBTime(catalogtest.DemoNow))
	defer s.Exec(t, `DELETE FROM lectern.lectern_ingests WHERE recording_id = 2`)
	want := media.ArchivedDigest{Location: drive("drv002"), Version: "rev-2", Size: 8, SHA256: "abcd"}
	if r, err := s.Recording(t.Context(), 2); err != nil || r.Digest != want {
		t.Errorf("%+v, %v; want %+v", r.Digest, err, want)
	}
	obj := media.Object{Provider: "gdrive", ID: "drv002", Version: "rev-2", Size: 8}
	if got := media.DigestOf(obj, want); got != "abcd" {
		t.Errorf("the archived object has digest %q", got)
	}
	for _, other := range []media.Object{
		{Provider: "s3", ID: "drv002", Version: "rev-2", Size: 8}, {Provider: "gdrive", ID: "drv003", Version: "rev-2", Size: 8},
		{Provider: "gdrive", ID: "drv002", Version: "rev-3", Size: 8}, {Provider: "gdrive", ID: "drv002", Version: "rev-2", Size: 9},
	} {
		if got := media.DigestOf(other, want); got != "" {
			t.Errorf("%+v got the digest of another object", other)
		}
	}
}

func checkRecordingOddities(t *testing.T, s *catalogtest.DB) {
	cases := []struct {
		why, set string
		check    func(media.Recording) bool
	}{
		{"a lesson's recording is the lesson's teacher's, whoever stands in the row", "teacher_id = 4", func(r media.Recording) bool { return r.OwnerID == 3 }},
		{"on Drive, archived by key only", "gdrive_file_id = '', archive_key = 'k'", func(r media.Recording) bool { return r.Location == drive("k") }},
		{"Drive's id before the key", "gdrive_file_id = 'f', archive_key = 'k'", func(r media.Recording) bool { return r.Location == drive("f") }},
		{"elsewhere Drive's id means nothing", "storage_provider = 'local', gdrive_file_id = 'f', archive_key = ''", func(r media.Recording) bool {
			return r.Location == media.Location{Provider: "local"}
		}},
		{"microseconds are kept", "available_until = '2026-11-20T10:00:00.123456Z'", func(r media.Recording) bool {
			return r.AvailableUntil.Equal(at("2026-11-20T10:00:00.123456Z"))
		}},
		{"an offset is read", "available_until = '2026-11-20 13:00:00+03:00'", func(r media.Recording) bool {
			return r.AvailableUntil.Equal(at("2026-11-20T10:00:00Z")) && r.AvailableUntil.Location() == time.UTC
		}},
		{"large files", "file_size = 9007199254740993", func(r media.Recording) bool { return r.Size == 9007199254740993 }},
	}
	for _, c := range cases {
		s.Exec(t, `UPDATE public.schedule_lessonrecording SET `+c.set+` WHERE id = 2`)
		r, err := s.Recording(t.Context(), 2)
		if err != nil || !c.check(r) {
			t.Errorf("%s: %+v, %v", c.why, r, err)
		}
	}
}

func checkMembership(t *testing.T, s *catalogtest.DB) {
	type m = media.Membership
	cases := []struct {
		user, recording int64
		want            m
	}{
		{5, 2, m{InAllowedGroup: true, InTeachersGroup: true}},
		{9, 2, m{InTeachersGroup: true}},
		{11, 2, m{}},
		{3, 2, m{}}, // the teacher is in no group
		{9, 8, m{InAllowedGroup: true, InTeachersGroup: true}},
		{10, 9, m{ListedStudent: true, InTeachersGroup: true}},
		{10, 10, m{ListedStudent: true, InTeachersGroup: true}},
		{5, 10, m{InAllowedGroup: true, InTeachersGroup: true}},
		{11, 19, m{ListedStudent: true}},
		{5, 17, m{InTeachersGroup: true}},
		{5, 20, m{}},                       // nobody's recording has nobody's groups
		{11, 34, m{InTeachersGroup: true}}, // the substitute's own group
		{6, 34, m{InAllowedGroup: true}},   // the lesson's group is another teacher's
		{99, 2, m{}},
	}
	for _, c := range cases {
		rec, err := s.Recording(t.Context(), c.recording)
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.Membership(t.Context(), c.user, rec)
		if got != c.want || err != nil {
			t.Errorf("Membership(%d, %d) = %+v, %v; want %+v", c.user, c.recording, got, err, c.want)
		}
	}
}

func checkCanceledIsNotUnavailable(t *testing.T, s *catalogtest.DB) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.User(ctx, 1); media.KindOf(err) != media.Canceled {
		t.Errorf("a caller gone: %v", err)
	}
	late, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	if _, err := s.User(late, 1); media.KindOf(err) != media.Timeout {
		t.Errorf("a caller out of time: %v", err)
	}
}

func checkMissingTableIsNoAbsence(t *testing.T, s *catalogtest.DB) {
	s.Exec(t, `ALTER TABLE public.accounts_customuser RENAME TO accounts_gone`)
	_, err := s.User(t.Context(), 1)
	if media.KindOf(err) != media.Unavailable {
		t.Errorf("without the table: %v", err)
	}
	catalogtest.WantText(t, err, "gateway migrate up")
	if err := schema.Ready(t.Context(), s.Store); media.KindOf(err) != media.Invalid {
		t.Errorf("SchemaReady without the table: %v", err)
	}
}

func checkBadReferenceKeepsNothing(t *testing.T, s *catalogtest.DB) {
	before := s.Count(t, `SELECT count(*) FROM public.schedule_group_students`)
	err := s.Update(t.Context(), "test", func(x catalog.Session) error {
		_, err := x.Exec(t.Context(), `INSERT INTO public.schedule_group_students (group_id, customuser_id) VALUES (1, 999)`)
		return err
	})
	var fault *media.Error
	if !errors.As(err, &fault) || fault.Kind != media.Other {
		t.Errorf("a bad reference, at the INSERT or at COMMIT: %v", err)
	}
	if after := s.Count(t, `SELECT count(*) FROM public.schedule_group_students`); after != before {
		t.Errorf("%d rows before, %d after", before, after)
	}
}

func checkMissingColumnIsNamed(t *testing.T, s *catalogtest.DB) {
	s.Exec(t, `ALTER TABLE public.schedule_lesson RENAME COLUMN notes TO remarks`)
	err := schema.Ready(t.Context(), s.Store)
	if media.KindOf(err) != media.Invalid {
		t.Error(err)
	}
	catalogtest.WantText(t, err, "schedule_lesson.notes is missing")
}

// TestLookUpsSurviveAChangedSchema: a statement that was prepared before a column was added, and a
// table made anew, finds what is there now; one that failed is prepared again.
func TestLookUpsSurviveAChangedSchema(t *testing.T) {
	s, err := catalog.Open(t.Context(), "sqlite://"+t.TempDir()+"/catalog.db", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, step := range []struct {
		change string
		want   string // "" where the table is not there
	}{
		{"", ""},
		{"CREATE TABLE words (id integer PRIMARY KEY, word text); INSERT INTO words VALUES (1, 'one')", "one"},
		{"UPDATE words SET word = 'two'", "two"},
		{"ALTER TABLE words ADD COLUMN further text", "two"},
		{"DROP TABLE words; CREATE TABLE words (word text, id integer); INSERT INTO words VALUES ('three', 1)", "three"},
		{"DROP TABLE words", ""},
	} {
		if _, err := s.DB().ExecContext(t.Context(), step.change); step.change != "" && err != nil {
			t.Fatal(err)
		}
		for range 2 {
			var word string
			err := s.Row(t.Context(), "test", "SELECT word FROM words WHERE id = $1", []any{int64(1)}, &word)
			if word != step.want || (err == nil) != (step.want != "") {
				t.Errorf("after %q: %q, %v; want %q", step.change, word, err, step.want)
			}
		}
	}
}

func BenchmarkRecording(b *testing.B) {
	s := catalogtest.SQLite(b)
	for b.Loop() {
		if _, err := s.Recording(b.Context(), 1); err != nil && media.KindOf(err) != media.NotFound {
			b.Fatal(err)
		}
	}
}
