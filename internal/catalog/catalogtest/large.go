package catalogtest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/pgtest"
)

// The large data set: 200 Teachers with five groups each, 5,000 Students in three
// groups each, 95,000 lessons with a recording, 5,000 standalone videos.
const (
	Teachers = 200
	Students = 5_000
	Lessons  = 95_000
	groups   = 1_000
	videos   = 5_000
	// Offset is what ids begin after: beyond the demo's.
	Offset       = 1_000_000
	FirstTeacher = Offset + 1
	FirstStudent = Offset + Teachers + 1
)

// fillLarge inserts the large data set.
func fillLarge(t testing.TB, db *DB) {
	t.Helper()
	lessons, videos := LessonCount(db), videos
	if lessons < Lessons {
		videos /= 10
	}
	numbers := func(n int) string {
		return fmt.Sprintf("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) ", n)
	}
	visibility := `CASE WHEN n.i % 20 < 15 THEN 'lesson_group' WHEN n.i % 20 < 17 THEN 'all_teacher_groups' WHEN n.i % 20 < 18 THEN 'custom_groups' ELSE 'custom_students' END`
	hour := func(of string) string {
		if db.Dialect() == catalog.Postgres {
			return "(timestamptz '2020-01-01' + (" + of + ") * interval '30 minutes')"
		}
		return "strftime('%Y-%m-%dT%H:%M:%SZ', '2020-01-01', '+' || ((" + of + ") * 30) || ' minutes')"
	}
	recording := `INSERT INTO public.schedule_lessonrecording (id, lesson_id, teacher_id, title, status, visibility, storage_provider, archive_key, gdrive_file_id, file_size, duration, created_at, updated_at,
		zoom_recording_id, is_deleted, views_count) `
	for _, statement := range []string{
		numbers(Teachers+Students) + fmt.Sprintf(`INSERT INTO public.accounts_customuser (id, email, role, is_active, first_name, last_name, middle_name)
			SELECT %[1]d + n.i, 'user' || n.i || '@large.test', CASE WHEN n.i <= %[2]d THEN 'teacher' ELSE 'student' END, TRUE, 'Имя', 'Фамилия', '' FROM n`, Offset, Teachers),
		numbers(groups) + fmt.Sprintf(`INSERT INTO public.schedule_group (id, name, teacher_id) SELECT %[1]d + n.i, 'Группа ' || n.i, %[1]d + 1 + n.i %% %[2]d FROM n`, Offset, Teachers),
		numbers(Students*3) + fmt.Sprintf(`INSERT INTO public.schedule_group_students (group_id, customuser_id)
			SELECT DISTINCT %[1]d + 1 + (n.i * 7919) %% %[3]d, %[1]d + %[2]d + 1 + n.i %% %[4]d FROM n`, Offset, Teachers, groups, Students),
		numbers(lessons) + fmt.Sprintf(`INSERT INTO public.schedule_lesson (id, title, group_id, teacher_id, start_time, end_time)
			SELECT %[1]d + n.i, 'Урок ' || n.i, %[1]d + 1 + n.i %% %[2]d, %[1]d + 1 + (1 + n.i %% %[2]d) %% %[3]d, %[4]s, %[5]s FROM n`, Offset, groups, Teachers, hour("n.i"), hour("n.i + 2")),
		numbers(lessons) + recording + fmt.Sprintf(`SELECT %[1]d + n.i, %[1]d + n.i, NULL, '', CASE WHEN n.i %% 100 = 0 THEN 'failed' ELSE 'ready' END, %[2]s, 'gdrive', 'key' || n.i, 'key' || n.i, 52428800, 3600, %[3]s, %[3]s,
			'zoom' || n.i, FALSE, 0 FROM n`, Offset, visibility, hour("n.i + 3")),
		numbers(videos) + recording + fmt.Sprintf(`SELECT %[1]d + %[2]d + n.i, NULL, %[1]d + 1 + n.i %% %[3]d, 'Видео ' || n.i, 'ready', %[4]s, 'local', 'video' || n.i, '', 52428800, 3600, %[5]s, %[5]s, '', FALSE, 0 FROM n`,
			Offset, lessons, Teachers, visibility, hour("n.i")),
		fmt.Sprintf(`INSERT INTO public.schedule_lessonrecording_allowed_groups (lessonrecording_id, group_id)
			SELECT r.id, l.group_id FROM public.schedule_lessonrecording r JOIN public.schedule_lesson l ON l.id = r.lesson_id WHERE r.id > %d`, Offset),
		fmt.Sprintf(`INSERT INTO public.schedule_lessonrecording_allowed_students (lessonrecording_id, customuser_id)
			SELECT r.id, %[1]d + %[2]d + 1 + r.id %% %[3]d FROM public.schedule_lessonrecording r WHERE r.visibility = 'custom_students' AND r.id > %[1]d`, Offset, Teachers, Students),
	} {
		insertLarge(t, db, reordered(statement))
	}
	db.Exec(t, "ANALYZE")
}

// insertLarge runs a statement of the large data set. On PostgreSQL neither triggers nor
// foreign keys look at its rows one by one: they are consistent as they are made.
func insertLarge(t testing.TB, db *DB, statement string) {
	t.Helper()
	err := db.Update(t.Context(), "test: large data set", func(x catalog.Session) error {
		if db.Dialect() == catalog.Postgres {
			if _, err := x.Exec(t.Context(), "SET LOCAL session_replication_role = replica"); err != nil {
				return err
			}
		}
		_, err := x.Exec(t.Context(), statement)
		return err
	})
	if err != nil {
		t.Fatalf("%v\n%.200s", err, statement)
	}
}

// reordered puts the numbers behind INSERT … ( … ), where both databases take them.
func reordered(statement string) string {
	with, rest, ok := strings.Cut(statement, " INSERT INTO ")
	if !ok || !strings.HasPrefix(statement, "WITH") {
		return statement
	}
	into, query, _ := strings.Cut(rest, "SELECT ")
	return "INSERT INTO " + into + with + " SELECT " + query
}

// platformDefaults lets rows be inserted into the platform's tables with few columns.
const platformDefaults = `DO $$ DECLARE c record; BEGIN
	FOR c IN SELECT table_name, column_name, data_type FROM information_schema.columns
		WHERE table_schema = 'public' AND is_nullable = 'NO' AND column_default IS NULL AND is_identity = 'NO' LOOP
		EXECUTE format('ALTER TABLE public.%I ALTER COLUMN %I SET DEFAULT %s', c.table_name, c.column_name, CASE
			WHEN c.column_name = 'referral_code' THEN 'left(md5(random()::text), 12)' WHEN c.data_type = 'boolean' THEN 'false'
			WHEN c.data_type LIKE 'timestamp%' THEN 'now()' WHEN c.data_type IN ('character varying', 'text') THEN '''''' ELSE '0' END);
	END LOOP; END $$`

// Large are databases with the large data set, one of each kind whose query plans may
// differ.
var Large = []Database{
	{"sqlite", func(t testing.TB) *DB { return openLarge(t, "sqlite://"+t.TempDir()+"/lectern.db", "") }},
	{"postgres", func(t testing.TB) *DB { return openLarge(t, pgtest.Start(t), "") }},
	{"platform", func(t testing.TB) *DB { return openLarge(t, pgtest.Start(t), PlatformSQL) }},
}

func openLarge(t testing.TB, url, script string) *DB {
	t.Helper()
	if script != "" {
		pgtest.Load(t, url, script)
		pgtest.Exec(t, url, platformDefaults)
	}
	db := Migrate(t, Open(t, url))
	fillLarge(t, db)
	return db
}

// LessonCount is how many lessons with a recording a large database has. SQLite is Go
// code, which the race detector slows down twentyfold, so that there are a tenth then.
func LessonCount(db *DB) int {
	if db.Dialect() == catalog.SQLite && underRace {
		return Lessons / 10
	}
	return Lessons
}
