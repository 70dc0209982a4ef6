package catalog_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/catalog/catalogtest"
	"github.com/lectiospace/lectern/internal/catalog/document"
	"github.com/lectiospace/lectern/internal/catalog/schema"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/pgtest"
)

// platformScript is a script that operators apply to the platform's database.
func platformScript(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "configs", "platform", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// listen starts Listen and gives a signal for each call of changed.
func listen(t *testing.T, s *catalogtest.DB) <-chan struct{} {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	news, ended := make(chan struct{}, 1000), make(chan error, 1)
	go func() { ended <- s.Listen(ctx, func(string) { news <- struct{}{} }, func() { news <- struct{}{} }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Listen ended with %v", err)
		}
	})
	return news
}

// heard waits for news; the contract's second is for the gateway as a whole.
func heard(t *testing.T, news <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-news:
	case <-time.After(10 * time.Second):
		t.Fatalf("no news of: %s", what)
	}
}

var (
	isNews = []string{
		`UPDATE public.accounts_customuser SET is_active = FALSE WHERE id = 5`,
		`UPDATE public.accounts_customuser SET role = 'admin' WHERE id = 5`,
		`UPDATE public.schedule_group SET teacher_id = 4 WHERE id = 1`,
		`INSERT INTO public.schedule_group_students (group_id, customuser_id) VALUES (1, 9)`,
		`DELETE FROM public.schedule_group_students WHERE group_id = 1`,
		`UPDATE public.schedule_group_students SET customuser_id = 7 WHERE group_id = 3 AND customuser_id = 5`,
		`UPDATE public.schedule_lesson SET teacher_id = 4 WHERE id = 1`,
		`UPDATE public.schedule_lesson SET title = 'Other' WHERE id = 1`,
		`UPDATE public.schedule_lessonrecording SET is_deleted = TRUE WHERE id = 2`,
		`UPDATE public.schedule_lessonrecording SET status = 'ready', visibility = 'custom_groups' WHERE id = 1`,
		`UPDATE public.schedule_lessonrecording SET available_until = '2026-11-20T10:00:00Z' WHERE id = 1`,
		`UPDATE public.schedule_lessonrecording SET archive_key = 'other' WHERE id = 12`,
		`INSERT INTO public.schedule_lessonrecording_allowed_groups (lessonrecording_id, group_id) VALUES (1, 3)`,
		`DELETE FROM public.schedule_lessonrecording_allowed_students WHERE lessonrecording_id = 9`,
	}
	isNoNews = []string{
		`UPDATE public.schedule_lessonrecording SET views_count = views_count + 1`,
		`UPDATE public.schedule_lessonrecording SET updated_at = now(), play_url = 'x', status = status`,
		`UPDATE public.accounts_customuser SET updated_at = now(), first_name = 'x', is_active = is_active`,
		`UPDATE public.schedule_lesson SET ended_at = now()`,
		`UPDATE public.schedule_teacherstoragequota SET used_bytes = used_bytes + 1`,
	}
)

func TestListen(t *testing.T) {
	t.Parallel()
	places := map[string]func(t *testing.T) *catalogtest.DB{
		"standalone": func(t *testing.T) *catalogtest.DB { return catalogtest.Databases[1].Open(t) },
		"platform": func(t *testing.T) *catalogtest.DB {
			url := pgtest.Start(t)
			pgtest.Load(t, url, catalogtest.PlatformSQL)
			for range 2 { // it may be applied again
				pgtest.Exec(t, url, platformScript(t, "notify.sql"))
			}
			return catalogtest.Migrate(t, catalogtest.Open(t, url))
		},
	}
	for name, open := range places {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			news := listen(t, s)
			heard(t, news, "the connection")
			for _, statement := range isNews {
				s.Exec(t, statement)
				heard(t, news, statement)
				// Several tables in one statement, or statements of one cascade, may tell more.
				drain(t, s, news)
			}
			for _, statement := range isNoNews {
				s.Exec(t, statement)
				if n := drain(t, s, news); n != 0 {
					t.Errorf("%d times news: %s", n, statement)
				}
			}
		})
	}
}

// drain makes news of its own, counts what came before that, and takes all of it.
// Notifications arrive in the order of the commits.
func drain(t *testing.T, s *catalogtest.DB, news <-chan struct{}) (before int) {
	t.Helper()
	s.Exec(t, `SELECT pg_notify('lectern_changed', 'drain')`)
	heard(t, news, "drain")
	for {
		select {
		case <-news:
			before++
		case <-time.After(50 * time.Millisecond):
			return before
		}
	}
}

func TestListenComesBack(t *testing.T) {
	t.Parallel()
	server := pgtest.StartServer(t)
	s := catalogtest.Open(t, server.Database(t))
	news := listen(t, s)
	heard(t, news, "the connection")
	server.Stop(t)
	server.Restart(t)
	heard(t, news, "the connection after a restart")
	s.Exec(t, `NOTIFY lectern_changed`)
	heard(t, news, "a change after a restart")
	s.Exec(t, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'`)
	heard(t, news, "the connection after it was cut")
}

// TestNewsReachWhatTheyConcern: after each change that is told, every fact that was
// known is as the database has it, though only the table's facts were dropped.
func TestNewsReachWhatTheyConcern(t *testing.T) {
	t.Parallel()
	s := catalogtest.Databases[1].Open(t)
	c, err := catalog.NewCache(s, catalog.CacheConfig{MaxStaleness: time.Hour}, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Stop)
	news := follow(t, s, c)
	heard(t, news, "the connection")
	facts := func(src interface {
		User(context.Context, int64) (media.User, error)
		Recording(context.Context, int64) (media.Recording, error)
		Membership(context.Context, int64, media.Recording) (media.Membership, error)
	}) string {
		var b strings.Builder
		for _, user := range []int64{3, 5, 9} {
			u, err := src.User(t.Context(), user)
			fmt.Fprintln(&b, u, err)
			for id := range int64(14) {
				r, err := src.Recording(t.Context(), id)
				fmt.Fprintln(&b, r, err)
				m, err := src.Membership(t.Context(), user, r)
				fmt.Fprintln(&b, user, id, m, err)
			}
		}
		return b.String()
	}
	for _, statement := range isNews {
		facts(c)
		c.WaitForEntries()
		s.Exec(t, statement)
		heard(t, news, statement)
		// What is told after a commit comes after what that commit told. It drops facts of
		// another kind than the statement's own table.
		marker := "accounts_customuser"
		if strings.Contains(statement, marker) {
			marker = "schedule_lessonrecording"
		}
		s.Exec(t, `SELECT pg_notify('lectern_changed', '`+marker+`')`)
		heard(t, news, marker)
		for quiet := false; !quiet; {
			select {
			case <-news:
			case <-time.After(50 * time.Millisecond):
				quiet = true
			}
		}
		if known, stored := facts(c), facts(s); known != stored {
			t.Errorf("after %s known facts are not the true ones", statement)
		}
	}
}

// TestListenOnSQLite: another process changes the file.
func TestListenOnSQLite(t *testing.T) {
	t.Parallel()
	s := catalogtest.Databases[0].Open(t)
	other := s.Reopen(t)
	news := listen(t, s)
	heard(t, news, "the beginning")
	literal := strings.NewReplacer("now()", "'2026-11-20T10:00:00Z'")
	for _, statement := range append(isNews, `DELETE FROM public.schedule_lessonrecording WHERE id = 3`) {
		other.Exec(t, literal.Replace(statement))
		heard(t, news, statement)
	}
	before := s.Count(t, `SELECT n FROM lectern_changes`)
	for _, statement := range isNoNews {
		other.Exec(t, literal.Replace(statement))
	}
	if after := s.Count(t, `SELECT n FROM lectern_changes`); after != before {
		t.Errorf("%d changes counted where there are none", after-before)
	}
}

// TestListenBehindAPooler: it is noticed that nothing comes through, nothing is
// left listening on the pooler's connections, and look-ups work all the same.
func TestListenBehindAPooler(t *testing.T) {
	t.Parallel()
	server := pgtest.StartServer(t)
	direct := server.Database(t)
	pgtest.Load(t, direct, catalogtest.PlatformSQL)
	var said lines
	s := catalogtest.Migrate(t, catalogtest.OpenLogging(t, pgtest.Pooler(t, direct), slog.NewTextHandler(&said, nil)))
	news := listen(t, s)
	heard(t, news, "the connection")
	deadline := time.Now().Add(30 * time.Second)
	for !strings.Contains(said.String(), "transaction-mode pooler") {
		if time.Now().After(deadline) {
			t.Fatalf("that nothing comes through was not noticed: %s", said.String())
		}
		time.Sleep(20 * time.Millisecond)
	}
	checkUser(t, s)
	checkRecording(t, s)
	checkMembership(t, s)
	for range 3 {
		rows := 0
		err := s.BinaryRows(t.Context(), "test", time.Minute, `SELECT CAST('x' AS bytea) FROM public.accounts_customuser WHERE id = $1`, []any{int64(1)}, func(func(...any) error) error { rows++; return nil })
		if err != nil || rows != 1 {
			t.Errorf("%d rows, %v", rows, err)
		}
	}
}

// lines collects a log. Safe for concurrent use.
type lines struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// TestNotifyLeavesThePlatformFree: its later migrations can change and drop the
// columns the triggers look at.
func TestNotifyLeavesThePlatformFree(t *testing.T) {
	url := pgtest.Start(t)
	pgtest.Load(t, url, catalogtest.PlatformSQL)
	pgtest.Exec(t, url, platformScript(t, "notify.sql"))
	pgtest.Exec(t, url, `ALTER TABLE schedule_lessonrecording ALTER COLUMN title TYPE text;
		ALTER TABLE schedule_lessonrecording DROP COLUMN archive_key;
		ALTER TABLE accounts_customuser ALTER COLUMN role TYPE varchar(40);
		ALTER TABLE accounts_customuser RENAME COLUMN is_active TO enabled`)
	pgtest.Exec(t, url, `UPDATE schedule_lessonrecording SET status = 'failed'; UPDATE accounts_customuser SET role = 'student'`)
}

func TestGrants(t *testing.T) {
	for name, script := range map[string]string{"identity": catalogtest.PlatformSQL, "bigserial": catalogtest.Bigserial(catalogtest.PlatformSQL)} {
		t.Run(name, func(t *testing.T) {
			owner := pgtest.Start(t)
			pgtest.Load(t, owner, script)
			for range 2 {
				pgtest.Exec(t, owner, platformScript(t, "grants.sql"))
			}
			url := pgtest.As(t, owner, "lectern")
			s := catalogtest.Migrate(t, catalogtest.Open(t, url)) // the role migrates by itself
			checkUser(t, s)
			checkRecording(t, s)
			checkMembership(t, s)
			if has, err := schema.HasData(t.Context(), s.Store); has || err != nil {
				t.Errorf("HasData: %v, %v", has, err)
			}
			if export(t, s) != export(t, catalogtest.Open(t, owner)) {
				t.Error("the role and the owner export different catalogs")
			}
			news := listen(t, s)
			heard(t, news, "the connection")
			checkAllowed(t, url)
			checkForbidden(t, url)
		})
	}
}

// export is the whole catalog as a document.
func export(t *testing.T, s *catalogtest.DB) string {
	t.Helper()
	var b strings.Builder
	if err := document.Export(t.Context(), s.Store, &b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func checkAllowed(t *testing.T, url string) {
	t.Helper()
	for _, statement := range []string{
		`INSERT INTO schedule_lessonrecording (lesson_id, created_at, updated_at, archive_key, archive_url, download_url, play_url, status,
			zoom_recording_id, gdrive_file_id, gdrive_folder_id, storage_provider, thumbnail_url, views_count, recording_type, visibility,
			title, deletion_reason, is_deleted)
			VALUES (1, now(), now(), '', '', '', '', 'processing', 'z', '', '', 'gdrive', '', 0, '', 'lesson_group', '', '', FALSE)`,
		`INSERT INTO schedule_lessonrecording_allowed_groups (lessonrecording_id, group_id) VALUES (1, 3)`,
		`INSERT INTO schedule_lessonrecording_allowed_students (lessonrecording_id, customuser_id) VALUES (1, 5)`,
		`DELETE FROM schedule_lessonrecording_allowed_groups WHERE lessonrecording_id = 1`,
		`UPDATE schedule_lessonrecording SET is_deleted = TRUE, status = 'deleted' WHERE id = 2`,
		`UPDATE schedule_teacherstoragequota SET used_bytes = 0`,
		`SELECT * FROM schedule_teacherstoragequota FOR UPDATE`,
		`UPDATE schedule_lesson SET ended_at = now(), updated_at = now() WHERE id = 1`,
		`SELECT user_id, status, expires_at, zoom_addon_expires_at FROM accounts_subscription`,
		`CREATE TABLE lectern.lectern_try (id bigint REFERENCES public.schedule_lessonrecording (id) ON DELETE SET NULL)`,
		`DROP TABLE lectern.lectern_try`,
	} {
		if err := pgtest.TryExec(url, statement); err != nil {
			t.Errorf("not allowed: %s: %v", statement, err)
		}
	}
}

func checkForbidden(t *testing.T, url string) {
	t.Helper()
	for _, statement := range []string{
		`SELECT password FROM accounts_customuser`,
		`SELECT * FROM accounts_customuser`,
		`SELECT phone_number FROM accounts_customuser`,
		`SELECT google_meet_refresh_token FROM accounts_customuser`,
		`UPDATE accounts_customuser SET role = 'admin'`,
		`SELECT zoom_start_url FROM schedule_lesson`,
		`UPDATE schedule_lesson SET teacher_id = 4`,
		`DELETE FROM schedule_lessonrecording`,
		`DELETE FROM schedule_group_students`,
		`INSERT INTO schedule_group_students (group_id, customuser_id) VALUES (1, 9)`,
		`SELECT total_paid FROM accounts_subscription`,
		`CREATE TABLE public.mine (id bigint)`,
		`DROP TABLE schedule_lessonrecording`,
	} {
		if err := pgtest.TryExec(url, statement); err == nil {
			t.Errorf("allowed: %s", statement)
		}
	}
}

func TestMissingRightIsNamed(t *testing.T) {
	owner := pgtest.Start(t)
	pgtest.Load(t, owner, catalogtest.PlatformSQL)
	pgtest.Exec(t, owner, platformScript(t, "grants.sql")+`; REVOKE SELECT ON schedule_lessonrecording FROM lectern; REVOKE SELECT (zoom_user_id) ON accounts_customuser FROM lectern`)
	s := catalogtest.Open(t, pgtest.As(t, owner, "lectern"))
	_, err := schema.Up(t.Context(), s.Store)
	catalogtest.WantText(t, err, "schedule_lessonrecording.status may not be read", "accounts_customuser.zoom_user_id may not be read", "grants.sql")
	pgtest.Exec(t, owner, platformScript(t, "grants.sql"))
	if _, err := schema.Up(t.Context(), s.Store); err != nil {
		t.Fatal(err)
	}
	pgtest.Exec(t, owner, `REVOKE SELECT ON schedule_lessonrecording FROM lectern`)
	_, err = s.Recording(t.Context(), 1)
	if media.KindOf(err) != media.Unavailable {
		t.Errorf("%v", err)
	}
	catalogtest.WantText(t, err, "grants.sql")
}
