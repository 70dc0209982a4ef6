package schema_test

import (
	"bytes"
	"errors"
	"log/slog"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/catalog/catalogtest"
	"github.com/lectiospace/lectern/internal/catalog/document"
	"github.com/lectiospace/lectern/internal/catalog/schema"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/pgtest"
)

var versions = map[catalog.Dialect][]string{
	catalog.SQLite:   {"0001_lectern", "0002_catalog_standalone", "0004_syncer", "0005_library_standalone", "0006_resyncs", "0007_playback", "0008_changes_standalone", "0009_downloads", "0010_matching", "0011_backfills", "0012_recording_files", "0013_operations", "0015_staged_versions", "0016_syncer_versions", "0017_moves", "0018_archived_digests", "0019_companions", "0020_chapters", "0021_transcripts", "0022_derivations", "0023_sessions", "0024_watch_states"},
	catalog.Postgres: {"0001_lectern", "0002_catalog_standalone", "0003_notify_standalone", "0004_syncer", "0005_library_standalone", "0006_resyncs", "0007_playback", "0009_downloads", "0010_matching", "0011_backfills", "0012_recording_files", "0013_operations", "0015_staged_versions", "0016_syncer_versions", "0017_moves", "0018_archived_digests", "0019_companions", "0020_chapters", "0021_transcripts", "0022_derivations", "0023_sessions", "0024_watch_states"},
}

func TestMigrateStandalone(t *testing.T) {
	for name, open := range map[string]func(*testing.T) *catalogtest.DB{
		"sqlite":   func(t *testing.T) *catalogtest.DB { return catalogtest.EmptySQLite(t) },
		"postgres": func(t *testing.T) *catalogtest.DB { return catalogtest.Open(t, pgtest.Start(t)) },
	} {
		t.Run(name, func(t *testing.T) {
			s, ctx := open(t), t.Context()
			want := versions[s.Dialect()]
			err := schema.Ready(ctx, s.Store)
			if media.KindOf(err) != media.Invalid {
				t.Errorf("an empty database is ready: %v", err)
			}
			catalogtest.WantText(t, err, "gateway migrate up")
			st, err := schema.StatusOf(ctx, s.Store)
			if err != nil || st.Layout != schema.LayoutNone || !slices.Equal(names(st.Pending()), want) {
				t.Errorf("at first: %v, %v", st, err)
			}
			for round := range 2 { // and again after taking everything back
				applied, err := schema.Up(ctx, s.Store)
				if err != nil || !slices.Equal(names(applied), want) {
					t.Fatalf("round %d: applied %v, %v", round, applied, err)
				}
				if applied, err := schema.Up(ctx, s.Store); err != nil || len(applied) != 0 {
					t.Errorf("a second up: %v, %v", applied, err)
				}
				if err := schema.Ready(ctx, s.Store); err != nil {
					t.Error(err)
				}
				st, err := schema.StatusOf(ctx, s.Store)
				if err != nil || st.Layout != schema.LayoutStandalone || len(st.Pending()) != 0 || !strings.Contains(st.String(), "applied  0001_lectern  20") {
					t.Errorf("%v, %v", st, err)
				}
				for i := range want {
					taken, err := schema.Down(ctx, s.Store)
					if err != nil || taken.Name != want[len(want)-1-i] {
						t.Fatalf("down: %v, %v", taken, err)
					}
					if err := schema.Ready(ctx, s.Store); media.KindOf(err) != media.Invalid {
						t.Errorf("ready without %s: %v", taken, err)
					}
				}
				if _, err := schema.Down(ctx, s.Store); media.KindOf(err) != media.Invalid {
					t.Errorf("down from nothing: %v", err)
				}
			}
		})
	}
}

func TestMigrateBesideThePlatform(t *testing.T) {
	for name, script := range map[string]string{"identity": catalogtest.PlatformSQL, "bigserial": catalogtest.Bigserial(catalogtest.PlatformSQL)} {
		t.Run(name, func(t *testing.T) {
			url, ctx := pgtest.Start(t), t.Context()
			pgtest.Load(t, url, script)
			s := catalogtest.Open(t, url)
			shape := func() string { return publicShape(t, s) }
			before := shape()
			applied, err := schema.Up(ctx, s.Store)
			if err != nil || !slices.Equal(names(applied), []string{"0001_lectern", "0004_syncer", "0006_resyncs", "0007_playback", "0009_downloads", "0010_matching", "0011_backfills", "0012_recording_files", "0013_operations", "0015_staged_versions", "0016_syncer_versions", "0017_moves", "0018_archived_digests", "0019_companions", "0020_chapters", "0021_transcripts", "0022_derivations", "0023_sessions", "0024_watch_states"}) {
				t.Fatalf("%v, %v", applied, err)
			}
			if after := shape(); after != before {
				t.Errorf("the platform's schema changed from\n%s\nto\n%s", before, after)
			}
			st, err := schema.StatusOf(ctx, s.Store)
			if err != nil || st.Layout != schema.LayoutPlatform || len(st.Pending()) != 0 || len(st.Migrations) != len(applied) {
				t.Errorf("%v, %v", st, err)
			}
			if err := schema.Ready(ctx, s.Store); err != nil {
				t.Error(err)
			}
			if applied, err := schema.Up(ctx, s.Store); err != nil || len(applied) != 0 {
				t.Errorf("a second up: %v, %v", applied, err)
			}
			if _, err := document.Apply(ctx, s.Store, strings.NewReader("people: [{email: a@b.test}]"), false); media.KindOf(err) != media.Invalid {
				t.Errorf("Apply on the platform's tables: %v", err)
			}
			if _, err := schema.Down(ctx, s.Store); err != nil {
				t.Error(err)
			}
			if after := shape(); after != before {
				t.Error("down changed the platform's schema")
			}
		})
	}
}

// publicShape is every object of the schema public.
func publicShape(t *testing.T, s *catalogtest.DB) string {
	t.Helper()
	var b strings.Builder
	for _, query := range []string{
		`SELECT c.relname || ' ' || c.relkind || ' ' || c.reltriggers FROM (SELECT relname, relkind::text, relhastriggers::text AS reltriggers, relnamespace FROM pg_class) c
			WHERE c.relnamespace = 'public'::regnamespace ORDER BY 1`,
		`SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable || ' ' || COALESCE(column_default, '') FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1`,
		`SELECT conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace ORDER BY 1`,
		`SELECT g.tgname::text FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid WHERE NOT g.tgisinternal AND c.relnamespace = 'public'::regnamespace ORDER BY 1`,
	} {
		for _, line := range s.Texts(t, query) {
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}

func TestPlatformDriftIsNamed(t *testing.T) {
	url := pgtest.Start(t)
	pgtest.Load(t, url, catalogtest.PlatformSQL)
	pgtest.Exec(t, url, `ALTER TABLE schedule_lessonrecording DROP COLUMN archive_key;
		ALTER TABLE schedule_lesson ALTER COLUMN start_time TYPE timestamp;
		ALTER TABLE accounts_customuser ALTER COLUMN is_active TYPE integer USING is_active::int;
		DROP TABLE schedule_teacherstoragequota;
		ALTER TABLE schedule_group ALTER COLUMN name TYPE text`)
	s := catalogtest.Open(t, url)
	_, err := schema.Up(t.Context(), s.Store)
	if media.KindOf(err) != media.Invalid {
		t.Fatalf("%v", err)
	}
	catalogtest.WantText(t, err, "schedule_lessonrecording.archive_key is missing",
		"schedule_lesson.start_time is timestamp without time zone and should be timestamp with time zone",
		"accounts_customuser.is_active is integer and should be boolean", "schedule_teacherstoragequota is missing")
	if strings.Contains(err.Error(), "schedule_group") {
		t.Errorf("text serves as well as varchar: %v", err)
	}
	if s.Count(t, `SELECT count(*) FROM pg_namespace WHERE nspname = 'lectern'`) != 0 {
		t.Error("the schema was created in spite of the problems")
	}
}

func TestMigrateAtOnce(t *testing.T) {
	t.Parallel()
	file := "sqlite://" + filepath.Join(t.TempDir(), "lectern.db")
	for name, url := range map[string]string{"sqlite": file, "postgres": pgtest.Start(t)} {
		t.Run(name, func(t *testing.T) {
			var (
				wg      sync.WaitGroup
				mu      sync.Mutex
				applied []string
				errs    []error
			)
			for range 4 {
				s := catalogtest.Open(t, url)
				wg.Go(func() {
					list, err := schema.Up(t.Context(), s.Store)
					mu.Lock()
					defer mu.Unlock()
					applied, errs = append(applied, names(list)...), append(errs, err)
				})
			}
			wg.Wait()
			s := catalogtest.Open(t, url)
			if err := errors.Join(errs...); err != nil {
				t.Error(err)
			}
			if err := schema.Ready(t.Context(), s.Store); err != nil {
				t.Error(err)
			}
			slices.Sort(applied)
			if !slices.Equal(applied, versions[s.Dialect()]) {
				t.Errorf("applied %v", applied)
			}
		})
	}
}

func TestEnsureFresh(t *testing.T) {
	ctx := t.Context()
	t.Run("an empty file gets the schema", func(t *testing.T) {
		s := catalogtest.EmptySQLite(t)
		for range 2 {
			if err := errors.Join(schema.EnsureFresh(ctx, s.Store), schema.Ready(ctx, s.Store)); err != nil {
				t.Error(err)
			}
		}
	})
	t.Run("a file with tables is left alone", func(t *testing.T) {
		s := catalogtest.EmptySQLite(t)
		s.Exec(t, `CREATE TABLE somebodys (id INTEGER)`)
		if err := schema.EnsureFresh(ctx, s.Store); err != nil {
			t.Error(err)
		}
		if err := schema.Ready(ctx, s.Store); media.KindOf(err) != media.Invalid {
			t.Error(err)
		}
	})
	t.Run("PostgreSQL is left alone", func(t *testing.T) {
		s := catalogtest.Open(t, pgtest.Start(t))
		if err := schema.EnsureFresh(ctx, s.Store); err != nil {
			t.Error(err)
		}
		catalogtest.WantText(t, schema.Ready(ctx, s.Store), "gateway migrate up")
	})
}

// TestEnsureReady: a schema that is missing is an error, an unavailable database is only
// logged.
func TestEnsureReady(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, nil))
	fresh := catalogtest.EmptySQLite(t)
	if err := schema.EnsureReady(t.Context(), fresh.Store, log); err != nil {
		t.Errorf("an empty file: %v", err)
	}
	other := catalogtest.EmptySQLite(t)
	other.Exec(t, `CREATE TABLE somebodys (id INTEGER)`)
	if err := schema.EnsureReady(t.Context(), other.Store, log); media.KindOf(err) != media.Invalid {
		t.Errorf("another program's file: %v", err)
	}
	if out.Len() != 0 {
		t.Errorf("logged %s", &out)
	}
	away, err := catalog.Open(t.Context(), "postgres://u@127.0.0.1:1/d", log)
	if err != nil {
		t.Fatal(err)
	}
	defer away.Close()
	if err := schema.EnsureReady(t.Context(), away, log); err != nil || !strings.Contains(out.String(), "schema: database unavailable") {
		t.Errorf("an unavailable database: %v, logged %s", err, &out)
	}
}

// TestEnsureReadyTogether: of two programs that start on one empty SQLite file, either may
// find the schema half made by the other, and waits for it.
func TestEnsureReadyTogether(t *testing.T) {
	t.Parallel()
	url := "sqlite://" + filepath.Join(t.TempDir(), "lectern.db")
	first, second := catalogtest.Open(t, url), catalogtest.Open(t, url)
	done := make(chan error, 1)
	go func() {
		_, err := schema.Up(t.Context(), first.Store)
		done <- err
	}()
	for ended := false; !ended && second.Count(t, `SELECT count(*) FROM sqlite_master WHERE name = 'accounts_customuser'`) == 0; {
		select {
		case err := <-done:
			done <- err
			ended = true
		default:
			runtime.Gosched()
		}
	}
	if err := schema.EnsureReady(t.Context(), second.Store, slog.New(slog.DiscardHandler)); err != nil {
		t.Errorf("the second program: %v", err)
	}
	if err := <-done; err != nil {
		t.Errorf("the first program: %v", err)
	}
}

// TestGuards: what a standalone database sees to by itself.
func TestGuards(t *testing.T) {
	const base = `INSERT INTO public.accounts_customuser (id, email, role) VALUES (1, 'T@x.test', 'teacher'), (2, '', 'student'), (3, '', 'student');
		INSERT INTO public.schedule_group (id, name, teacher_id) VALUES (1, 'G', 1);
		INSERT INTO public.schedule_lesson (id, group_id, teacher_id, start_time, end_time) VALUES (1, 1, 1, '2026-11-20T10:00:00Z', '2026-11-20T11:00:00Z');
		INSERT INTO public.schedule_lessonrecording (id, lesson_id, zoom_recording_id) VALUES (1, 1, 'z1')`
	refused := []string{
		`INSERT INTO public.accounts_customuser (email) VALUES ('t@X.test')`,
		`INSERT INTO public.accounts_customuser (role) VALUES ('owner')`,
		`INSERT INTO public.accounts_customuser (email) VALUES (NULL)`,
		`INSERT INTO public.schedule_group (name, teacher_id) VALUES ('G', 99)`,
		`INSERT INTO public.schedule_group (name) VALUES ('G')`,
		`INSERT INTO public.schedule_lessonrecording (lesson_id, zoom_recording_id) VALUES (1, 'z1')`,
		`INSERT INTO public.schedule_lessonrecording (lesson_id) VALUES (99)`,
		`INSERT INTO public.schedule_lessonrecording (status) VALUES ('done')`,
		`INSERT INTO public.schedule_lessonrecording (visibility) VALUES ('public')`,
		`INSERT INTO public.schedule_lessonrecording (storage_provider) VALUES ('ftp')`,
		`UPDATE public.schedule_lessonrecording SET archive_key = NULL`,
		`UPDATE public.schedule_lessonrecording SET gdrive_file_id = NULL`,
		`UPDATE public.schedule_lessonrecording SET gdrive_folder_id = NULL`,
		`UPDATE public.schedule_lessonrecording SET file_size = -1`,
		`UPDATE public.schedule_lessonrecording SET title = '` + strings.Repeat("x", 256) + `'`,
		`INSERT INTO public.schedule_group_students (group_id, customuser_id) VALUES (1, 99)`,
	}
	allowed := []string{
		`INSERT INTO public.schedule_lessonrecording (lesson_id) VALUES (1)`,
		`INSERT INTO public.schedule_lessonrecording (lesson_id) VALUES (1)`,
		`INSERT INTO public.schedule_lessonrecording (storage_provider, status) VALUES ('zoom', 'archived')`,
		`INSERT INTO public.schedule_lessonrecording (zoom_recording_id) VALUES ('z1')`,
		`INSERT INTO public.schedule_teacherstoragequota (teacher_id) VALUES (1)`,
		`UPDATE public.schedule_lesson SET zoom_meeting_id = NULL, ended_at = NULL`,
	}
	catalogtest.EachStandalone(t, func(t *testing.T, open func(testing.TB) *catalogtest.DB) {
		s := open(t)
		for statement := range strings.SplitSeq(base, ";") {
			s.Exec(t, statement)
		}
		for _, statement := range refused {
			if err := s.TryExec(t, statement); err == nil {
				t.Errorf("allowed: %.100s", statement)
			}
		}
		if s.Dialect() == catalog.Postgres { // explicit ids above do not move a sequence
			s.Exec(t, `SELECT setval('public.schedule_lessonrecording_id_seq', 100)`)
		}
		for _, statement := range allowed {
			s.Exec(t, statement)
		}
		var made catalog.DBTime
		var folder, kind string
		if s.One(t, `SELECT created_at, gdrive_folder_id, recording_type FROM public.schedule_lessonrecording WHERE id = 1`, nil, &made, &folder, &kind); made.IsZero() || folder != "" || kind != "shared_screen_with_speaker_view" {
			t.Errorf("defaults: %v %q %q", made, folder, kind)
		}
	})
}

func names(list []schema.Migration) (out []string) {
	for _, m := range list {
		out = append(out, m.Name)
	}
	return out
}
