package library

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/catalog/catalogtest"
	"github.com/lectiospace/lectern/internal/media"
)

// apiQueries are what the API asks for recordings, as it asks.
func apiQueries(l *Reader) map[string]*query {
	page := Window{Limit: 20}
	return map[string]*query{
		"a student's list":             l.studentQuery(catalogtest.FirstStudent+7, Filter{Window: page}),
		"a student's list, a group":    l.studentQuery(catalogtest.FirstStudent+7, Filter{Window: page, Group: catalogtest.Offset + 8}),
		"a student's list, searched":   l.studentQuery(catalogtest.FirstStudent+7, Filter{Window: page, Search: "урок 9"}),
		"a student's list, later page": l.studentQuery(catalogtest.FirstStudent+7, Filter{Window: Window{Limit: 20, Offset: 100}}),
		"a teacher's list":             l.teacherQuery(catalogtest.FirstTeacher+3, Filter{Window: page}),
		"a teacher's list, a group":    l.teacherQuery(catalogtest.FirstTeacher+3, Filter{Window: page, Group: catalogtest.Offset + 3}),
		"a teacher's list, searched":   l.teacherQuery(catalogtest.FirstTeacher+3, Filter{Window: page, Search: "ВИДЕО"}),
		"a teacher's list, by status":  l.teacherQuery(catalogtest.FirstTeacher+3, Filter{Window: page, Status: "failed"}),
		"a teacher's, under way":       l.progressQuery(catalogtest.FirstTeacher + 3),
		"what a student may watch":     l.watchableQuery(media.User{ID: catalogtest.FirstStudent + 7, Role: media.RoleStudent}),
		"what a teacher may watch":     l.watchableQuery(media.User{ID: catalogtest.FirstTeacher + 3, Role: media.RoleTeacher}),
		"one recording":                l.entriesQuery(oneRecording, "one.id", catalogtest.Offset+77, catalogtest.FirstStudent+7),
		"a lesson's recordings":        l.entriesQuery(l.ofLesson(), "one.id", catalogtest.Offset+77, catalogtest.FirstStudent+7),
	}
}

// TestNoRequestReadsAllRecordings: with 100,000 recordings every question of the API
// reaches them by an index, in every home, whatever the database's statistics say.
func TestNoRequestReadsAllRecordings(t *testing.T) {
	for _, d := range catalogtest.Large {
		t.Run(d.Name, func(t *testing.T) {
			db := d.Open(t)
			l := NewReader(db.Store, true, time.Now)
			check := func(when string) {
				for name, q := range apiQueries(l) {
					lines := db.Plan(t, q.text, q.args...)
					if len(lines) < 2 {
						t.Errorf("%s: a plan of %q", name, lines)
					}
					if line := db.ReadsAllRecordings(lines); line != "" {
						t.Errorf("%s, %s: %s in\n%s", name, when, line, strings.Join(lines, "\n"))
					}
				}
			}
			check("analysed")
			if db.Dialect() == catalog.SQLite { // a file has no statistics unless somebody asks for them
				db.Exec(t, "DELETE FROM sqlite_stat1")
				check("without statistics")
			}
			// The pattern does find what it looks for.
			bad := db.Plan(t, "SELECT count(*) FROM "+recordingsTable+" r WHERE r.views_count = 5")
			if db.ReadsAllRecordings(bad) == "" {
				t.Errorf("a scan is not recognised: %q", bad)
			}
			if testing.Verbose() {
				for name, q := range apiQueries(l) {
					t.Logf("%s:\n%s", name, strings.Join(db.Plan(t, q.text, q.args...), "\n"))
				}
			}
			list, err := l.StudentPage(t.Context(), catalogtest.FirstStudent+7, Filter{Window: Window{Limit: 20}})
			least := catalogtest.LessonCount(db) / 1900
			if err != nil || int(list.Total) < least || len(list.Entries) != min(20, int(list.Total)) {
				t.Errorf("%d of %d, %v", len(list.Entries), list.Total, err)
			}
		})
	}
}

// TestSearchReadsNoOtherPostings: a search finds the postings of its stems in a block by
// their key, in either home.
func TestSearchReadsNoOtherPostings(t *testing.T) {
	for _, d := range catalogtest.Databases[:2] {
		t.Run(d.Name, func(t *testing.T) {
			db := d.Open(t)
			const blocks = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100) `
			db.Exec(t, `INSERT INTO lectern.lectern_search_blocks (transcripts) `+blocks+`SELECT CAST('' AS bytea) FROM n`)
			db.Exec(t, `INSERT INTO lectern.lectern_search_postings (block, stem, first, rest) `+blocks+`SELECT b.id, 'stem' || n.i, CAST('' AS bytea), CAST('' AS bytea) FROM lectern.lectern_search_blocks b CROSS JOIN n`)
			if db.Dialect() == catalog.Postgres {
				db.Exec(t, "ANALYZE")
			}
			q := demoLibrary(db, true).postingsQuery([]string{"stem5", "stem7"}, []int64{1, 2, 3, 50, 99})
			plan := strings.Join(db.Plan(t, q.text, q.args...), "\n")
			if strings.Contains(plan, "Seq Scan on lectern_search_postings") || strings.Contains(plan, "SCAN p") || strings.Contains(plan, "SCAN h") || !strings.Contains(plan, "lectern_search_postings") && !strings.Contains(plan, "SEARCH p") {
				t.Errorf("a search reads all postings:\n%s", plan)
			}
		})
	}
}

// BenchmarkAPIQueries measures the API's questions on the large school, each time of
// another user: the median and the 99th percentile.
func BenchmarkAPIQueries(b *testing.B) {
	for _, d := range catalogtest.Large {
		b.Run(d.Name, func(b *testing.B) {
			db := d.Open(b)
			l := NewReader(db.Store, true, time.Now)
			page := Window{Limit: 20}
			for _, c := range []struct {
				name string
				ask  func() error
			}{
				{"student", func() error {
					_, err := l.StudentPage(b.Context(), catalogtest.FirstStudent+rand.Int64N(catalogtest.Students), Filter{Window: page})
					return err
				}},
				{"student-search", func() error {
					_, err := l.StudentPage(b.Context(), catalogtest.FirstStudent+rand.Int64N(catalogtest.Students), Filter{Window: page, Search: "урок 9"})
					return err
				}},
				{"teacher", func() error {
					_, err := l.TeacherPage(b.Context(), catalogtest.FirstTeacher+rand.Int64N(catalogtest.Teachers), Filter{Window: page})
					return err
				}},
				{"teacher-search", func() error {
					_, err := l.TeacherPage(b.Context(), catalogtest.FirstTeacher+rand.Int64N(catalogtest.Teachers), Filter{Window: page, Search: "урок 9"})
					return err
				}},
				{"progress", func() error {
					_, err := l.Progress(b.Context(), catalogtest.FirstTeacher+rand.Int64N(catalogtest.Teachers))
					return err
				}},
				{"detail", func() error {
					_, _, err := l.Entry(b.Context(), catalogtest.Offset+1+rand.Int64N(catalogtest.Lessons), catalogtest.FirstStudent+rand.Int64N(catalogtest.Students))
					return err
				}},
				{"lesson", func() error {
					_, _, err := l.LessonEntries(b.Context(), catalogtest.Offset+1+rand.Int64N(catalogtest.Lessons), catalogtest.FirstStudent+rand.Int64N(catalogtest.Students))
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
