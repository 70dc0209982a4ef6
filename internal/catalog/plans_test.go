package catalog

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/pgtest"
)

// A large school: 200 teachers with five groups each, 5,000 students in three groups
// each, 95,000 lessons with a recording, 5,000 standalone videos.
const (
	teachers = 200
	students = 5_000
	groups   = 1_000
	lessons  = 95_000
	videos   = 5_000
	offset   = 1_000_000 // of ids, beyond the demo's
)

// fillLarge makes the large school, in any home.
func fillLarge(t testing.TB, s *Store) {
	t.Helper()
	lessons, videos := lessons, videos
	if s.dialect == SQLite && underRace {
		// The database is Go code here, which the detector slows down twentyfold. Its
		// plans do not hang on the numbers: the statistics are dropped below.
		lessons, videos = lessons/10, videos/10
	}
	numbers := func(n int) string {
		return fmt.Sprintf("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) ", n)
	}
	visibility := `CASE WHEN n.i % 20 < 15 THEN 'lesson_group' WHEN n.i % 20 < 17 THEN 'all_teacher_groups' WHEN n.i % 20 < 18 THEN 'custom_groups' ELSE 'custom_students' END`
	hour := func(of string) string {
		if s.dialect == Postgres {
			return "(timestamptz '2020-01-01' + (" + of + ") * interval '30 minutes')"
		}
		return "strftime('%Y-%m-%dT%H:%M:%SZ', '2020-01-01', '+' || ((" + of + ") * 30) || ' minutes')"
	}
	recording := `INSERT INTO public.schedule_lessonrecording (id, lesson_id, teacher_id, title, status, visibility, storage_provider, archive_key, gdrive_file_id, file_size, duration, created_at, updated_at,
		zoom_recording_id, is_deleted, views_count) `
	for _, statement := range []string{
		numbers(teachers+students) + fmt.Sprintf(`INSERT INTO public.accounts_customuser (id, email, role, is_active, first_name, last_name, middle_name)
			SELECT %[1]d + n.i, 'user' || n.i || '@large.test', CASE WHEN n.i <= %[2]d THEN 'teacher' ELSE 'student' END, TRUE, 'Имя', 'Фамилия', '' FROM n`, offset, teachers),
		numbers(groups) + fmt.Sprintf(`INSERT INTO public.schedule_group (id, name, teacher_id) SELECT %[1]d + n.i, 'Группа ' || n.i, %[1]d + 1 + n.i %% %[2]d FROM n`, offset, teachers),
		numbers(students*3) + fmt.Sprintf(`INSERT INTO public.schedule_group_students (group_id, customuser_id)
			SELECT DISTINCT %[1]d + 1 + (n.i * 7919) %% %[3]d, %[1]d + %[2]d + 1 + n.i %% %[4]d FROM n`, offset, teachers, groups, students),
		numbers(lessons) + fmt.Sprintf(`INSERT INTO public.schedule_lesson (id, title, group_id, teacher_id, start_time, end_time)
			SELECT %[1]d + n.i, 'Урок ' || n.i, %[1]d + 1 + n.i %% %[2]d, %[1]d + 1 + (1 + n.i %% %[2]d) %% %[3]d, %[4]s, %[5]s FROM n`, offset, groups, teachers, hour("n.i"), hour("n.i + 2")),
		numbers(lessons) + recording + fmt.Sprintf(`SELECT %[1]d + n.i, %[1]d + n.i, NULL, '', CASE WHEN n.i %% 100 = 0 THEN 'failed' ELSE 'ready' END, %[2]s, 'gdrive', 'key' || n.i, 'key' || n.i, 52428800, 3600, %[3]s, %[3]s,
			'zoom' || n.i, FALSE, 0 FROM n`, offset, visibility, hour("n.i + 3")),
		numbers(videos) + recording + fmt.Sprintf(`SELECT %[1]d + %[2]d + n.i, NULL, %[1]d + 1 + n.i %% %[3]d, 'Видео ' || n.i, 'ready', %[4]s, 'local', 'video' || n.i, '', 52428800, 3600, %[5]s, %[5]s, '', FALSE, 0 FROM n`,
			offset, lessons, teachers, visibility, hour("n.i")),
		fmt.Sprintf(`INSERT INTO public.schedule_lessonrecording_allowed_groups (lessonrecording_id, group_id)
			SELECT r.id, l.group_id FROM public.schedule_lessonrecording r JOIN public.schedule_lesson l ON l.id = r.lesson_id WHERE r.id > %d`, offset),
		fmt.Sprintf(`INSERT INTO public.schedule_lessonrecording_allowed_students (lessonrecording_id, customuser_id)
			SELECT r.id, %[1]d + %[2]d + 1 + r.id %% %[3]d FROM public.schedule_lessonrecording r WHERE r.visibility = 'custom_students' AND r.id > %[1]d`, offset, teachers, students),
	} {
		if err := s.exec(t.Context(), s.db, reordered(statement)); err != nil {
			t.Fatalf("%v\n%s", err, statement)
		}
	}
	if err := s.exec(t.Context(), s.db, "ANALYZE"); err != nil {
		t.Fatal(err)
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

// largeHomes are catalogs with the large school in them.
var largeHomes = []struct {
	name string
	open func(t testing.TB) *Store
}{
	{"sqlite", func(t testing.TB) *Store { return openLarge(t, "sqlite://"+t.TempDir()+"/lectern.db", "") }},
	{"postgres", func(t testing.TB) *Store { return openLarge(t, pgtest.Start(t), "") }},
	{"platform", func(t testing.TB) *Store { return openLarge(t, pgtest.Start(t), platformSQL) }},
}

func openLarge(t testing.TB, url, script string) *Store {
	t.Helper()
	if script != "" {
		pgtest.Load(t, url, script)
		pgtest.Exec(t, url, platformDefaults)
	}
	s, err := Open(t.Context(), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if _, err := s.MigrateUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	fillLarge(t, s)
	return s
}

const firstTeacher, firstStudent = offset + 1, offset + teachers + 1

// apiQueries are what the API asks for recordings, as it asks.
func apiQueries(l *Reader) map[string]*query {
	page := media.Window{Limit: 20}
	return map[string]*query{
		"a student's list":              l.studentQuery(firstStudent+7, media.Filter{Window: page}),
		"a student's list, a group":     l.studentQuery(firstStudent+7, media.Filter{Window: page, Group: offset + 8}),
		"a student's list, searched":    l.studentQuery(firstStudent+7, media.Filter{Window: page, Search: "урок 9"}),
		"a student's list, later page":  l.studentQuery(firstStudent+7, media.Filter{Window: media.Window{Limit: 20, Offset: 100}}),
		"a teacher's list":              l.teacherQuery(firstTeacher+3, media.Filter{Window: page}),
		"a teacher's list, a group":     l.teacherQuery(firstTeacher+3, media.Filter{Window: page, Group: offset + 3}),
		"a teacher's list, searched":    l.teacherQuery(firstTeacher+3, media.Filter{Window: page, Search: "ВИДЕО"}),
		"a teacher's list, by status":   l.teacherQuery(firstTeacher+3, media.Filter{Window: page, Status: "failed"}),
		"a teacher's, under way":        l.progressQuery(firstTeacher + 3),
		"one recording":                 l.entriesQuery(oneRecording, "one.id", offset+77, firstStudent+7),
		"a lesson's recordings":         l.entriesQuery(l.ofLesson(), "one.id", offset+77, firstStudent+7),
		"what a stream asks: recording": {text: selectRecording, args: []any{int64(offset + 77)}},
	}
}

// readsAll matches a plan's line that reads every recording.
var readsAll = map[Dialect]*regexp.Regexp{
	Postgres: regexp.MustCompile(`Seq Scan on (public\.)?schedule_lessonrecording( |$)`),
	SQLite:   regexp.MustCompile(`^SCAN (r|schedule_lessonrecording)( |$)`),
}

// plan is how the database would run a query, a line each.
func plan(t testing.TB, s *Store, q *query) (lines []string) {
	t.Helper()
	explain := "EXPLAIN (COSTS OFF) "
	if s.dialect == SQLite {
		explain = "EXPLAIN QUERY PLAN "
	}
	err := s.each(t.Context(), s.db, explain+q.text, q.args, func(scan func(...any) error) error {
		var (
			line   string
			unused int64
		)
		dest := []any{&line}
		if s.dialect == SQLite {
			dest = []any{&unused, &unused, &unused, &line}
		}
		err := scan(dest...)
		lines = append(lines, line)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// TestNoRequestReadsAllRecordings: with 100,000 recordings every question of the API
// reaches them by an index, in every home, whatever the database's statistics say.
func TestNoRequestReadsAllRecordings(t *testing.T) {
	for _, home := range largeHomes {
		t.Run(home.name, func(t *testing.T) {
			s := home.open(t)
			l := NewReader(s, true, time.Now)
			check := func(when string) {
				for name, q := range apiQueries(l) {
					lines := plan(t, s, q)
					if len(lines) < 2 && name != "what a stream asks: recording" {
						t.Errorf("%s: a plan of %q", name, lines)
					}
					if i := slices.IndexFunc(lines, readsAll[s.dialect].MatchString); i >= 0 {
						t.Errorf("%s, %s: %s in\n%s", name, when, lines[i], strings.Join(lines, "\n"))
					}
				}
			}
			check("analysed")
			if s.dialect == SQLite { // a file has no statistics unless somebody asks for them
				if err := s.exec(t.Context(), s.db, "DELETE FROM sqlite_stat1"); err != nil {
					t.Fatal(err)
				}
			}
			// The pattern does find what it looks for.
			bad := plan(t, s, &query{text: "SELECT count(*) FROM " + recordingsTable + " r WHERE r.views_count = 5"})
			if !slices.ContainsFunc(bad, readsAll[s.dialect].MatchString) {
				t.Errorf("a scan is not recognised: %q", bad)
			}
			if testing.Verbose() {
				for name, q := range apiQueries(l) {
					t.Logf("%s:\n%s", name, strings.Join(plan(t, s, q), "\n"))
				}
			}
			list, err := l.StudentPage(t.Context(), firstStudent+7, media.Filter{Window: media.Window{Limit: 20}})
			least := 50
			if s.dialect == SQLite && underRace {
				least /= 10 // the school is a tenth there
			}
			if err != nil || int(list.Total) < least || len(list.Entries) != min(20, int(list.Total)) {
				t.Errorf("%d of %d, %v", len(list.Entries), list.Total, err)
			}
		})
	}
}

// BenchmarkAPIQueries measures the API's questions on the large school, each time of
// another user: the median and the 99th percentile.
func BenchmarkAPIQueries(b *testing.B) {
	for _, home := range largeHomes {
		b.Run(home.name, func(b *testing.B) {
			s := home.open(b)
			l := NewReader(s, true, time.Now)
			page := media.Window{Limit: 20}
			for _, c := range []struct {
				name string
				ask  func() error
			}{
				{"student", func() error {
					_, err := l.StudentPage(b.Context(), firstStudent+rand.Int64N(students), media.Filter{Window: page})
					return err
				}},
				{"student-search", func() error {
					_, err := l.StudentPage(b.Context(), firstStudent+rand.Int64N(students), media.Filter{Window: page, Search: "урок 9"})
					return err
				}},
				{"teacher", func() error {
					_, err := l.TeacherPage(b.Context(), firstTeacher+rand.Int64N(teachers), media.Filter{Window: page})
					return err
				}},
				{"teacher-search", func() error {
					_, err := l.TeacherPage(b.Context(), firstTeacher+rand.Int64N(teachers), media.Filter{Window: page, Search: "урок 9"})
					return err
				}},
				{"progress", func() error {
					_, err := l.Progress(b.Context(), firstTeacher+rand.Int64N(teachers))
					return err
				}},
				{"detail", func() error {
					_, _, err := l.Entry(b.Context(), offset+1+rand.Int64N(lessons), firstStudent+rand.Int64N(students))
					return err
				}},
				{"lesson", func() error {
					_, _, err := l.LessonEntries(b.Context(), offset+1+rand.Int64N(lessons), firstStudent+rand.Int64N(students))
					return err
				}},
			} {
				b.Run(c.name, func(b *testing.B) {
					var took []time.Duration
					for b.Loop() {
						began := time.Now()
						if err := c.ask(); err != nil {
							b.Fatal(err)
						}
						took = append(took, time.Since(began))
					}
					slices.Sort(took)
					b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
					b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
				})
			}
		})
	}
}
