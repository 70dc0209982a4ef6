package catalog

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/pgtest"
)

var versions = map[Dialect][]string{
	SQLite:   {"0001_lectern", "0002_catalog_standalone", "0004_syncer", "0005_library_standalone", "0006_resyncs", "0007_playback", "0008_changes_standalone"},
	Postgres: {"0001_lectern", "0002_catalog_standalone", "0003_notify_standalone", "0004_syncer", "0005_library_standalone", "0006_resyncs", "0007_playback"},
}

func TestMigrateStandalone(t *testing.T) {
	for name, open := range map[string]func(*testing.T) *Store{
		"sqlite":   openSQLiteStore,
		"postgres": func(t *testing.T) *Store { return openStore(t, pgtest.Start(t)) },
	} {
		t.Run(name, func(t *testing.T) {
			s, ctx := open(t), t.Context()
			want := versions[s.dialect]
			err := s.SchemaReady(ctx)
			if media.KindOf(err) != media.Invalid {
				t.Errorf("an empty database is ready: %v", err)
			}
			wantText(t, err, "gateway migrate up")
			st, err := s.MigrationStatus(ctx)
			if err != nil || st.Layout != LayoutNone || !slices.Equal(names(st.Pending()), want) {
				t.Errorf("at first: %v, %v", st, err)
			}
			for round := range 2 { // and again after taking everything back
				applied, err := s.MigrateUp(ctx)
				if err != nil || !slices.Equal(names(applied), want) {
					t.Fatalf("round %d: applied %v, %v", round, applied, err)
				}
				if applied, err := s.MigrateUp(ctx); err != nil || len(applied) != 0 {
					t.Errorf("a second up: %v, %v", applied, err)
				}
				if err := s.SchemaReady(ctx); err != nil {
					t.Error(err)
				}
				st, err := s.MigrationStatus(ctx)
				if err != nil || st.Layout != LayoutStandalone || len(st.Pending()) != 0 || !strings.Contains(st.String(), "applied  0001_lectern  20") {
					t.Errorf("%v, %v", st, err)
				}
				for i := range want {
					taken, err := s.MigrateDown(ctx)
					if err != nil || taken.Name != want[len(want)-1-i] {
						t.Fatalf("down: %v, %v", taken, err)
					}
					if err := s.SchemaReady(ctx); media.KindOf(err) != media.Invalid {
						t.Errorf("ready without %s: %v", taken, err)
					}
				}
				if _, err := s.MigrateDown(ctx); media.KindOf(err) != media.Invalid {
					t.Errorf("down from nothing: %v", err)
				}
			}
		})
	}
}

func TestMigrateBesideThePlatform(t *testing.T) {
	for name, script := range map[string]string{"identity": platformSQL, "bigserial": bigserial(platformSQL)} {
		t.Run(name, func(t *testing.T) {
			url, ctx := pgtest.Start(t), t.Context()
			pgtest.Load(t, url, script)
			s := openStore(t, url)
			shape := func() string { return publicShape(t, s) }
			before := shape()
			applied, err := s.MigrateUp(ctx)
			if err != nil || !slices.Equal(names(applied), []string{"0001_lectern", "0004_syncer", "0006_resyncs", "0007_playback"}) {
				t.Fatalf("%v, %v", applied, err)
			}
			if after := shape(); after != before {
				t.Errorf("the platform's schema changed from\n%s\nto\n%s", before, after)
			}
			st, err := s.MigrationStatus(ctx)
			if err != nil || st.Layout != LayoutPlatform || len(st.Pending()) != 0 || len(st.Migrations) != len(applied) {
				t.Errorf("%v, %v", st, err)
			}
			if err := s.SchemaReady(ctx); err != nil {
				t.Error(err)
			}
			if applied, err := s.MigrateUp(ctx); err != nil || len(applied) != 0 {
				t.Errorf("a second up: %v, %v", applied, err)
			}
			if _, err := s.Apply(ctx, strings.NewReader("people: [{email: a@b.test}]"), false); media.KindOf(err) != media.Invalid {
				t.Errorf("Apply on the platform's tables: %v", err)
			}
			if _, err := s.MigrateDown(ctx); err != nil {
				t.Error(err)
			}
			if after := shape(); after != before {
				t.Error("down changed the platform's schema")
			}
		})
	}
}

// publicShape is every object of the schema public.
func publicShape(t *testing.T, s *Store) string {
	t.Helper()
	var b strings.Builder
	for _, query := range []string{
		`SELECT c.relname || ' ' || c.relkind || ' ' || c.reltriggers FROM (SELECT relname, relkind::text, relhastriggers::text AS reltriggers, relnamespace FROM pg_class) c
			WHERE c.relnamespace = 'public'::regnamespace ORDER BY 1`,
		`SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable || ' ' || COALESCE(column_default, '') FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1`,
		`SELECT conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace ORDER BY 1`,
		`SELECT tgname::text FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1`,
	} {
		err := s.each(t.Context(), s.db, query, nil, func(scan func(...any) error) error {
			var line string
			err := scan(&line)
			b.WriteString(line + "\n")
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

func TestPlatformDriftIsNamed(t *testing.T) {
	url := pgtest.Start(t)
	pgtest.Load(t, url, platformSQL)
	pgtest.Exec(t, url, `ALTER TABLE schedule_lessonrecording DROP COLUMN archive_key;
		ALTER TABLE schedule_lesson ALTER COLUMN start_time TYPE timestamp;
		ALTER TABLE accounts_customuser ALTER COLUMN is_active TYPE integer USING is_active::int;
		DROP TABLE schedule_teacherstoragequota;
		ALTER TABLE schedule_group ALTER COLUMN name TYPE text`)
	s := openStore(t, url)
	_, err := s.MigrateUp(t.Context())
	if media.KindOf(err) != media.Invalid {
		t.Fatalf("%v", err)
	}
	wantText(t, err, "schedule_lessonrecording.archive_key is missing",
		"schedule_lesson.start_time is timestamp without time zone and should be timestamp with time zone",
		"accounts_customuser.is_active is integer and should be boolean", "schedule_teacherstoragequota is missing")
	if strings.Contains(err.Error(), "schedule_group") {
		t.Errorf("text serves as well as varchar: %v", err)
	}
	if count(t, s, `SELECT count(*) FROM pg_namespace WHERE nspname = 'lectern'`) != 0 {
		t.Error("the schema was created in spite of the problems")
	}
}

func TestNewerSchemaIsRefused(t *testing.T) {
	standalone(t, func(t *testing.T, open func(*testing.T) *Store) {
		s := open(t)
		run(t, s, `INSERT INTO lectern.`+versionTable+` (version_id, is_applied) VALUES (9999, TRUE)`)
		wantText(t, s.SchemaReady(t.Context()), "9999", "newer")
		_, err := s.MigrateUp(t.Context())
		wantText(t, err, "9999", "newer")
	})
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
				s := openStore(t, url)
				wg.Go(func() {
					list, err := s.MigrateUp(t.Context())
					mu.Lock()
					defer mu.Unlock()
					applied, errs = append(applied, names(list)...), append(errs, err)
				})
			}
			wg.Wait()
			s := openStore(t, url)
			if err := errors.Join(errs...); err != nil {
				t.Error(err)
			}
			if err := s.SchemaReady(t.Context()); err != nil {
				t.Error(err)
			}
			slices.Sort(applied)
			if !slices.Equal(applied, versions[s.dialect]) {
				t.Errorf("applied %v", applied)
			}
		})
	}
}

func TestEnsureFresh(t *testing.T) {
	ctx := t.Context()
	t.Run("an empty file gets the schema", func(t *testing.T) {
		s := openSQLiteStore(t)
		for range 2 {
			if err := errors.Join(s.EnsureFresh(ctx), s.SchemaReady(ctx)); err != nil {
				t.Error(err)
			}
		}
	})
	t.Run("a file with tables is left alone", func(t *testing.T) {
		s := openSQLiteStore(t)
		run(t, s, `CREATE TABLE somebodys (id INTEGER)`)
		if err := s.EnsureFresh(ctx); err != nil {
			t.Error(err)
		}
		if err := s.SchemaReady(ctx); media.KindOf(err) != media.Invalid {
			t.Error(err)
		}
	})
	t.Run("PostgreSQL is left alone", func(t *testing.T) {
		s := openStore(t, pgtest.Start(t))
		if err := s.EnsureFresh(ctx); err != nil {
			t.Error(err)
		}
		wantText(t, s.SchemaReady(ctx), "gateway migrate up")
	})
}

func TestHasData(t *testing.T) {
	standalone(t, func(t *testing.T, open func(*testing.T) *Store) {
		s := open(t)
		if has, err := s.HasData(t.Context()); has || err != nil {
			t.Errorf("fresh: %v, %v", has, err)
		}
		run(t, s, `INSERT INTO public.accounts_customuser (email) VALUES ('a@b.test')`)
		if has, err := s.HasData(t.Context()); !has || err != nil {
			t.Errorf("with a person: %v, %v", has, err)
		}
	})
	if has, err := openSQLiteStore(t).HasData(t.Context()); has || err != nil {
		t.Errorf("without tables: %v, %v", has, err)
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
	standalone(t, func(t *testing.T, open func(*testing.T) *Store) {
		s := open(t)
		for statement := range strings.SplitSeq(base, ";") {
			run(t, s, statement)
		}
		for _, statement := range refused {
			if err := s.exec(t.Context(), s.db, statement); err == nil {
				t.Errorf("allowed: %.100s", statement)
			}
		}
		if s.dialect == Postgres { // explicit ids above do not move a sequence
			run(t, s, `SELECT setval('public.schedule_lessonrecording_id_seq', 100)`)
		}
		for _, statement := range allowed {
			run(t, s, statement)
		}
		var made DBTime
		var folder, kind string
		if err := s.one(t.Context(), s.db, `SELECT created_at, gdrive_folder_id, recording_type FROM public.schedule_lessonrecording WHERE id = 1`, nil, &made, &folder, &kind); err != nil ||
			made.IsZero() || folder != "" || kind != "shared_screen_with_speaker_view" {
			t.Errorf("defaults: %v %q %q, %v", made, folder, kind, err)
		}
	})
}
