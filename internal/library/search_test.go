package library

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lectiospace/lectern/internal/auth"
	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/catalog/catalogtest"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

var searchAdmin = media.User{ID: 1, Role: media.RoleAdmin, Active: true}

// putCaptions keeps captions of cues that begin a second after each other.
func putCaptions(t testing.TB, db *catalogtest.DB, recording int64, lang string, cues ...string) {
	t.Helper()
	var b strings.Builder
	b.WriteString("WEBVTT\n")
	for i, cue := range cues {
		fmt.Fprintf(&b, "\n00:00:%02d.500 --> 00:00:%02d.000\n%s\n", i, i+1, cue)
	}
	err := db.Update(t.Context(), "test", func(x catalog.Session) error {
		_, err := store.PutCaption(t.Context(), x, recording, store.Caption{Lang: lang, Label: lang, Body: b.String()}, catalogtest.DemoNow)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// found are the hits of a search as "recording@seconds snippet", the marked words in [].
func found(t testing.TB, l *Reader, u media.User, text string, w Window) (out []string, total int64) {
	t.Helper()
	hits, err := l.Search(t.Context(), u, text, w)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	for _, h := range hits.Page {
		runes := []rune(h.Snippet)
		for _, m := range slices.Backward(h.Marks) {
			runes = slices.Insert(slices.Insert(runes, m[1], ']'), m[0], '[')
		}
		out = append(out, fmt.Sprintf("%d@%.1f %s", h.Entry.ID, h.Start.Seconds(), string(runes)))
	}
	return out, hits.Total
}

func TestSearch(t *testing.T) {
	catalogtest.Each(t, func(t *testing.T, db *catalogtest.DB) {
		putCaptions(t, db, 6, "und", "Anna: сегодня интегралы", "и <b>пределы</b> функций", "R&D &amp; limits", "конец", "пределы снова")
		putCaptions(t, db, 6, "en", "today integrals", "limit of a function")
		putCaptions(t, db, 2, "ru", "предел последовательности", "ещё один предел", "предел", "предел", "ничего")
		putCaptions(t, db, 5, "ru", "предел, но удалено")
		l := demoLibrary(db, true)
		for _, c := range []struct {
			text string
			want string
		}{
			{"интеграл", "6@0.5 Anna: сегодня [интегралы]"},
			{"ПРЕДЕЛАМИ функции", "6@1.5 и [пределы] [функций]"},
			{"функция интегралу", "6@0.5 Anna: сегодня [интегралы] и пределы [функций]"},
			{"интегралы конец", ""}, // three cues apart
			{"limits", "6@2.5 R&D & [limits]|6@1.5 [limit] of a function"},
			{"anna сегодня", "6@0.5 [Anna]: [сегодня] интегралы"},
			{"последовательность", "2@0.5 предел [последовательности]"},
			{"  …!", ""},
			{"удалить", ""},
		} {
			got, total := found(t, l, searchAdmin, c.text, Window{Limit: 20})
			if strings.Join(got, "|") != c.want || total != int64(len(got)) {
				t.Errorf("%q: %d, %s, want %s", c.text, total, strings.Join(got, "|"), c.want)
			}
		}
		// At most three of a recording, and pages of all.
		all, total := found(t, l, searchAdmin, "предел", Window{Limit: 20})
		if total != 5 || len(all) != 5 {
			t.Errorf("%d: %v", total, all)
		}
		if second, total := found(t, l, searchAdmin, "предел", Window{Offset: 2, Limit: 2}); total != 5 || !slices.Equal(second, all[2:4]) {
			t.Errorf("a page: %d %v of %v", total, second, all)
		}
		// Titles as they are now.
		db.Exec(t, `UPDATE public.schedule_lessonrecording SET title = 'Пределы: введение' WHERE id = 6`)
		if got, _ := found(t, l, searchAdmin, "введения предела", Window{Limit: 20}); strings.Join(got, "|") != "6@0.0 [Пределы]: [введение]" {
			t.Errorf("a new title: %v", got)
		}
		if got, total := found(t, l, searchAdmin, "предел", Window{Limit: 20}); total != 6 || !strings.HasPrefix(got[0], "6@0.0 ") {
			t.Errorf("a title first, and two cues beside it: %d %v", total, got)
		}
		// A person's captions replace Zoom's, and stay.
		change := func(f func(ctx context.Context, x catalog.Session) error) {
			t.Helper()
			if err := db.Update(t.Context(), "test", func(x catalog.Session) error { return f(t.Context(), x) }); err != nil {
				t.Fatal(err)
			}
		}
		change(func(ctx context.Context, x catalog.Session) error {
			return store.EditCaption(ctx, x, 2, store.Caption{Lang: "ru", Body: "WEBVTT\n\n00:07.000 --> 00:08.000\nисправлено\n"}, catalogtest.DemoNow.Add(time.Hour))
		})
		putCaptions(t, db, 2, "ru", "последовательность из Zoom")
		if got, _ := found(t, l, searchAdmin, "исправлено", Window{Limit: 20}); strings.Join(got, "|") != "2@7.0 [исправлено]" {
			t.Errorf("corrected: %v", got)
		}
		if got, _ := found(t, l, searchAdmin, "последовательность", Window{Limit: 20}); len(got) != 0 {
			t.Errorf("Zoom's came back: %v", got)
		}
		change(func(ctx context.Context, x catalog.Session) error {
			removed, err := store.RemoveCaption(ctx, x, 2, "ru", catalogtest.DemoNow.Add(2*time.Hour))
			if err == nil && !removed {
				t.Error("there were none to remove")
			}
			return err
		})
		putCaptions(t, db, 2, "ru", "последовательность из Zoom")
		if got, _ := found(t, l, searchAdmin, "последовательность", Window{Limit: 20}); len(got) != 0 {
			t.Errorf("removed captions came back: %v", got)
		}
		// What an older release wrote is made searchable.
		db.Exec(t, `UPDATE lectern.lectern_captions SET body = $1, updated_at = $2 WHERE recording_id = 6 AND lang = 'und'`, "WEBVTT\n\n00:01.000 --> 00:02.000\nпо-старому\n", catalog.NewDBTime(catalogtest.DemoNow.Add(time.Minute)))
		change(func(ctx context.Context, x catalog.Session) error {
			for _, want := range []int{1, 0} {
				if n, err := store.IndexCaptions(ctx, x, 10); err != nil || n != want {
					return fmt.Errorf("%d were made searchable, want %d: %w", n, want, err)
				}
			}
			return nil
		})
		if got, _ := found(t, l, searchAdmin, "по старому", Window{Limit: 20}); strings.Join(got, "|") != "6@1.0 [по]-[старому]" {
			t.Errorf("an older release's: %v", got)
		}
		// What goes with its recording is not found, and leaves nothing behind.
		db.Exec(t, `DELETE FROM lectern.lectern_captions WHERE recording_id = 6`)
		if got, _ := found(t, l, searchAdmin, "старому", Window{Limit: 20}); len(got) != 0 {
			t.Errorf("deleted: %v", got)
		}
	})
}

// TestSearchCountsAndRanksAll: nothing is left out of the count or of the order, however
// many places there are, and whether or not their transcripts are in a block.
func TestSearchCountsAndRanksAll(t *testing.T) {
	const (
		recordings = 210
		oldest     = 2001
	)
	for _, d := range catalogtest.Databases[:2] {
		t.Run(d.Name, func(t *testing.T) {
			db := d.Open(t)
			err := db.Update(t.Context(), "test", func(x catalog.Session) error {
				for id := int64(oldest); id < oldest+recordings; id++ {
					at := catalogtest.DemoNow.Add(time.Duration(id-oldest-recordings) * time.Hour)
					_, err := x.Exec(t.Context(), `INSERT INTO public.schedule_lessonrecording (id, teacher_id, title, status, visibility, storage_provider, archive_key, gdrive_file_id, file_size, duration, created_at, updated_at, zoom_recording_id, is_deleted, views_count)
						VALUES ($1, 3, '', 'ready', 'lesson_group', 'local', 'x', '', 1, 1, $2, $2, '', FALSE, 0)`, id, catalog.NewDBTime(at))
					if err != nil {
						return err
					}
					cues := []string{"альфа", "бета", "гамма", "альфа", "гамма", "альфа", "гамма", "альфа"}
					if id == oldest {
						cues = []string{"альфа бета"}
					}
					body := "WEBVTT\n"
					for i, cue := range cues {
						body += fmt.Sprintf("\n00:%02d.000 --> 00:%02d.500\n%s\n", i, i, cue)
					}
					if _, err := store.PutCaption(t.Context(), x, id, store.Caption{Lang: "und", Body: body}, at); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			var blocks int
			count := func() int {
				if err := db.Row(t.Context(), "test", `SELECT count(*) FROM lectern.lectern_search_blocks`, nil, &blocks); err != nil {
					t.Fatal(err)
				}
				return blocks
			}
			if count() != 3 {
				t.Errorf("%d blocks", blocks)
			}
			l := demoLibrary(db, true)
			check := func(text string, total, page int64, want string) {
				t.Helper()
				got, n := found(t, l, searchAdmin, text, Window{Offset: (page - 1) * 20, Limit: 20})
				if n != total || strings.Join(got[:min(2, len(got))], "|") != want {
					t.Errorf("%q, page %d: %d, %v; want %d, %s", text, page, n, got, total, want)
				}
			}
			// In one cue before in two, of all recordings.
			check("бета альфа", recordings, 1, "2001@0.0 [альфа] [бета]|2210@0.0 [альфа] [бета]")
			check("бета альфа", recordings, 11, "2011@0.0 [альфа] [бета]|2010@0.0 [альфа] [бета]")
			// Three places of each.
			check("альфа", 3*(recordings-1)+1, 1, "2210@0.0 [альфа]|2210@3.0 [альфа]")
			check("альфа", 3*(recordings-1)+1, 32, "2004@5.0 [альфа]|2003@0.0 [альфа]")
			check("омега", 0, 1, "")
			// What is corrected or removed is not in a block any more.
			err = db.Update(t.Context(), "test", func(x catalog.Session) error {
				if err := store.EditCaption(t.Context(), x, 2002, store.Caption{Lang: "und", Body: "WEBVTT\n\n00:09.000 --> 00:10.000\nомега\n"}, catalogtest.DemoNow); err != nil {
					return err
				}
				_, err := store.RemoveCaption(t.Context(), x, 2003, "und", catalogtest.DemoNow)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			check("альфа", 3*(recordings-3)+1, 1, "2210@0.0 [альфа]|2210@3.0 [альфа]")
			check("омега", 1, 1, "2002@9.0 [омега]")
			// A block without transcripts goes when the next is built.
			db.Exec(t, `DELETE FROM lectern.lectern_captions WHERE recording_id BETWEEN 2001 AND 2128`)
			for id := int64(2001); id <= 2050; id++ {
				putCaptions(t, db, id, "en", "омега")
			}
			if count() != 2 {
				t.Errorf("%d blocks, those of deleted transcripts are still there", blocks)
			}
			check("омега", 50, 1, "2050@0.5 [омега]|2049@0.5 [омега]")
			check("альфа", 3*(recordings-128), 1, "2210@0.0 [альфа]|2210@3.0 [альфа]")
		})
	}
}

// TestOlderSyncersKeepEdits: a syncer that knows of no corrections may run beside this one
// (compatible_since), and changes none.
func TestOlderSyncersKeepEdits(t *testing.T) {
	catalogtest.Each(t, func(t *testing.T, db *catalogtest.DB) {
		putCaptions(t, db, 6, "und", "из Zoom")
		putCaptions(t, db, 6, "en", "Zoom's")
		putCaptions(t, db, 2, "en", "Zoom's")
		err := db.Update(t.Context(), "test", func(x catalog.Session) error {
			if _, err := store.RemoveCaption(t.Context(), x, 6, "en", catalogtest.DemoNow); err != nil {
				return err
			}
			return store.EditCaption(t.Context(), x, 6, store.Caption{Lang: "und", Body: "WEBVTT"}, catalogtest.DemoNow)
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, of := range []struct {
			recording int64
			lang      string
		}{{6, "und"}, {6, "en"}, {2, "en"}} {
			db.Exec(t, `INSERT INTO lectern.lectern_captions (recording_id, lang, label, body, updated_at) VALUES ($1, $2, 'Transcript', 'older', $3)
				ON CONFLICT (recording_id, lang) DO UPDATE SET label = excluded.label, body = excluded.body, updated_at = excluded.updated_at`, of.recording, of.lang, catalog.NewDBTime(catalogtest.DemoNow.Add(time.Hour)))
		}
		var got []string
		err = db.Rows(t.Context(), "test", time.Minute, `SELECT recording_id, lang, body FROM lectern.lectern_captions ORDER BY 1, 2`, nil, func(scan func(...any) error) error {
			var (
				id         int64
				lang, body string
			)
			err := scan(&id, &lang, &body)
			got = append(got, fmt.Sprint(id, lang, body))
			return err
		})
		if err != nil || strings.Join(got, ", ") != "2enolder, 6undWEBVTT" {
			t.Errorf("%q, %v", got, err)
		}
		// Corrected again, at the same moment; and brought back.
		err = db.Update(t.Context(), "test", func(x catalog.Session) error {
			for _, lang := range []string{"und", "en"} {
				if err := store.EditCaption(t.Context(), x, 6, store.Caption{Lang: lang, Body: "WEBVTT again"}, catalogtest.DemoNow); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, lang := range []string{"und", "en"} {
			if body, err := demoLibrary(db, true).CaptionText(t.Context(), 6, lang); err != nil || body != "WEBVTT again" {
				t.Errorf("%s: %q, %v", lang, body, err)
			}
		}
	})
}

// TestSearchIsTheRule holds what a search finds against the access rule, in random
// schools: SQL and the pure function must not part.
func TestSearchIsTheRule(t *testing.T) {
	for _, d := range catalogtest.Databases[:2] {
		t.Run(d.Name, func(t *testing.T) {
			db := d.Open(t)
			for id := int64(1); id <= 36; id++ {
				putCaptions(t, db, id, "und", "слово")
				putCaptions(t, db, id, "en", "word") // more transcripts than a block has
			}
			seen := 0
			limitChecks(t, 25)
			rapid.Check(t, func(t *rapid.T) { seen += checkSchool(t, db) })
			if seen < 100 {
				t.Errorf("only %d recordings were found", seen)
			}
		})
	}
}

// limitChecks has rapid check so many schools and not a hundred: each is hundreds of queries.
// -rapid.checks on the command line wins, as in make properties.
func limitChecks(t *testing.T, n int) {
	checks := flag.Lookup("rapid.checks")
	if checks.Value.String() != checks.DefValue {
		return
	}
	if err := checks.Value.Set(strconv.Itoa(n)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = checks.Value.Set(checks.DefValue) })
}

// checkSchool changes the demo's school at random, searches as everybody, and returns how
// many recordings were found.
func checkSchool(t *rapid.T, db *catalogtest.DB) (seen int) {
	ctx := context.Background()
	now := catalogtest.DemoNow
	// A draw may end the goroutine: none is made within a transaction.
	type statement struct {
		text string
		args []any
	}
	var statements []statement
	for range rapid.IntRange(1, 12).Draw(t, "changes") {
		id := rapid.Int64Range(1, 36).Draw(t, "recording")
		visibility := rapid.SampledFrom([]string{"lesson_group", "all_teacher_groups", "custom_groups", "custom_students"}).Draw(t, "visibility")
		status := rapid.SampledFrom([]string{"ready", "ready", "ready", "archived", "processing", "failed", "deleted"}).Draw(t, "status")
		provider := rapid.SampledFrom([]string{"gdrive", "local", "zoom"}).Draw(t, "provider")
		text := rapid.SampledFrom([]string{"", "x"})
		until := catalog.NewDBTime(now.Add(time.Duration(rapid.IntRange(-1, 1).Draw(t, "until")) * time.Hour))
		if rapid.Bool().Draw(t, "for ever") {
			until = catalog.DBTime{}
		}
		statements = append(statements, statement{`UPDATE public.schedule_lessonrecording SET visibility = $2, status = $3, storage_provider = $4, gdrive_file_id = $5, archive_key = $6, download_url = $7, is_deleted = $8, available_until = $9 WHERE id = $1`,
			[]any{id, visibility, status, provider, text.Draw(t, "drive"), text.Draw(t, "key"), text.Draw(t, "link"), rapid.IntRange(0, 4).Draw(t, "deleted") == 0, until}})
		for _, list := range []struct {
			name, columns string
			member        int64
		}{{"students", "(lessonrecording_id, customuser_id)", rapid.Int64Range(5, 13).Draw(t, "student")}, {"groups", "(lessonrecording_id, group_id)", rapid.Int64Range(1, 3).Draw(t, "group")}} {
			statements = append(statements, statement{`DELETE FROM public.schedule_lessonrecording_allowed_` + list.name + ` WHERE lessonrecording_id = $1`, []any{id}})
			if rapid.Bool().Draw(t, "listed") {
				statements = append(statements, statement{`INSERT INTO public.schedule_lessonrecording_allowed_` + list.name + " " + list.columns + ` VALUES ($1, $2)`, []any{id, list.member}})
			}
		}
	}
	err := db.Update(ctx, "test", func(x catalog.Session) error {
		for _, s := range statements {
			if _, err := x.Exec(ctx, s.text, s.args...); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	strict := rapid.Bool().Draw(t, "strict")
	rule := auth.RulePlatform
	if strict {
		rule = auth.RuleStrict
	}
	l := demoLibrary(db, strict)
	users := []media.User{
		searchAdmin, {ID: 1, Role: "guest", Active: true},
		{ID: rapid.Int64Range(3, 4).Draw(t, "teacher"), Role: media.RoleTeacher, Active: true},
		{ID: rapid.Int64Range(5, 13).Draw(t, "student"), Role: media.RoleStudent, Active: true},
	}
	var recordings []media.Recording
	for id := int64(1); id <= 36; id++ {
		rec, err := db.Recording(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		recordings = append(recordings, rec)
	}
	for _, u := range users {
		hits, err := l.Search(ctx, u, "слово", Window{Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		var got, want []int64
		for _, h := range hits.Page {
			got = append(got, h.Entry.ID)
		}
		for _, rec := range recordings {
			m, err := db.Membership(ctx, u.ID, rec)
			if err != nil {
				t.Fatal(err)
			}
			if auth.Decide(rule, u, rec, m, now) == nil {
				want = append(want, rec.ID)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Fatalf("%s, %s %d: found %v, may watch %v", rule, u.Role, u.ID, got, want)
		}
		seen += len(got)
	}
	return seen
}
