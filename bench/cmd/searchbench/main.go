// Command searchbench fills a database with the transcripts of lessons and measures how
// long searches take and what the index costs. Words have the frequencies of a language:
// the n-th of them is 1/n times as frequent as the first (Zipf's law).
package main

import (
	"bytes"
	"cmp"
	"context"
	"flag"
	"fmt"
	"log"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/catalog/document"
	"github.com/lectiospace/lectern/internal/catalog/schema"
	"github.com/lectiospace/lectern/internal/library"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// A lesson is an hour of some 800 cues, and a teacher's group has lessonsEach of them.
const (
	cuesEach    = 800
	wordsEach   = 11
	lessonsEach = 200
	// atOnce is how many transcripts share a transaction while the database is filled.
	atOnce = 20
)

func main() {
	var (
		database = flag.String("database", "", "an empty PostgreSQL database (default: SQLite)")
		dir      = flag.String("dir", "", "folder for data (default: the system's temporary one)")
		hours    = flag.Int("hours", 10_000, "lessons of an hour")
		searches = flag.Int("searches", 500, "searches of each kind of user")
	)
	flag.Parse()
	if err := run(context.Background(), *database, *dir, *hours, *searches); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, database, dir string, hours, searches int) error {
	dir, err := os.MkdirTemp(dir, "searchbench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "lectern.db")
	db, err := catalog.Open(ctx, cmp.Or(database, "sqlite://"+path), slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := schema.Up(ctx, db); err != nil {
		return err
	}
	teachers := (hours + lessonsEach - 1) / lessonsEach
	if _, err := document.Apply(ctx, db, bytes.NewReader(school(teachers, hours)), false); err != nil {
		return err
	}
	words := newLanguage()
	took, err := fill(ctx, db, words, hours)
	if err != nil {
		return err
	}
	fmt.Printf("indexing: %d lesson-hours in %s: %.1f ms each\n", hours, took.Round(time.Second), took.Seconds()*1000/float64(hours))
	if info, err := os.Stat(path); err == nil && database == "" {
		fmt.Printf("database: %.0f KiB per lesson-hour, captions included\n", float64(info.Size())/1024/float64(hours))
	}
	reader := library.NewReader(db, true, time.Now)
	for _, u := range []struct {
		who  string
		user media.User
	}{
		{"a student of a group", media.User{ID: int64(2 + teachers), Role: media.RoleStudent, Active: true}},
		{"a teacher", media.User{ID: 2, Role: media.RoleTeacher, Active: true}},
		{"an admin", media.User{ID: 1, Role: media.RoleAdmin, Active: true}},
	} {
		if err := measure(ctx, reader, u.who, u.user, words, searches); err != nil {
			return err
		}
	}
	return nil
}

// school is a document of an admin, teachers, a student for each, and their lessons.
func school(teachers, hours int) []byte {
	var people, groups, lessons, recordings strings.Builder
	people.WriteString("people:\n  - {email: admin@bench.test, role: admin}\n")
	for t := range teachers {
		fmt.Fprintf(&people, "  - {email: t%d@bench.test, role: teacher}\n", t)
		fmt.Fprintf(&groups, "  - {name: Group %d, teacher: t%d@bench.test, students: [s%d@bench.test]}\n", t, t, t)
	}
	for t := range teachers {
		fmt.Fprintf(&people, "  - {email: s%d@bench.test, role: student}\n", t)
	}
	begin := time.Date(2024, 1, 1, 9, 0, 0, 0, time.UTC)
	for i := range hours {
		t, at := i/lessonsEach, begin.Add(time.Duration(i%lessonsEach)*24*time.Hour)
		fmt.Fprintf(&lessons, "  - {title: Лекция %d группы %d, group: Group %d, start: %s, end: %s}\n", i%lessonsEach, t, t, at.Format(time.RFC3339), at.Add(time.Hour).Format(time.RFC3339))
		fmt.Fprintf(&recordings, "  - {lesson: Лекция %d группы %d, status: ready, provider: local, key: lesson-%d.mp4, size: 100000000, duration: 3600, visibility: lesson_group, allowed_groups: [Group %d]}\n", i%lessonsEach, t, i, t)
	}
	return []byte(people.String() + "groups:\n" + groups.String() + "lessons:\n" + lessons.String() + "recordings:\n" + recordings.String())
}

// fill stores the captions of all recordings, as the syncer does.
func fill(ctx context.Context, db *catalog.Store, words *language, hours int) (time.Duration, error) {
	began := time.Now()
	var inTransactions time.Duration
	for first := 1; first <= hours; first += atOnce {
		var bodies []string
		for range min(atOnce, hours-first+1) {
			bodies = append(bodies, words.captions())
		}
		began := time.Now()
		err := db.Update(ctx, "searchbench: fill", func(x store.Session) error {
			for i, body := range bodies {
				if _, err := store.PutCaption(ctx, x, int64(first+i), store.Caption{Lang: "und", Label: "Transcript", Body: body}, began); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return 0, err
		}
		inTransactions += time.Since(began)
	}
	log.Printf("filled in %s", time.Since(began).Round(time.Second))
	return inTransactions, nil
}

// measure searches for one to three words: half of them rare, half as they are spoken.
func measure(ctx context.Context, reader *library.Reader, who string, user media.User, words *language, n int) error {
	var (
		waits []time.Duration
		found int
	)
	for i := range n {
		var query []string
		for range 1 + i%3 {
			if i%2 == 0 {
				query = append(query, words.spoken())
			} else {
				query = append(query, words.rare())
			}
		}
		began := time.Now()
		hits, err := reader.Search(ctx, user, strings.Join(query, " "), library.Window{Limit: 20})
		if err != nil {
			return err
		}
		waits = append(waits, time.Since(began))
		if hits.Total > 0 {
			found++
		}
	}
	slices.Sort(waits)
	at := func(share float64) string {
		return fmt.Sprintf("%.1f ms", waits[min(n-1, int(share*float64(n)))].Seconds()*1000)
	}
	fmt.Printf("search: %s, %d searches, %d with results: p50 %s, p95 %s, p99 %s, max %s\n", who, n, found, at(.5), at(.95), at(.99), at(1))
	return nil
}

// language is a vocabulary of invented words with Russian endings.
type language struct {
	random *rand.Rand
	zipf   *rand.Zipf
	words  []string
}

// vocabulary is how many words the language has; a lecture has some 1,500 of them.
const vocabulary = 40_000

func newLanguage() *language {
	l := &language{random: rand.New(rand.NewPCG(1, 2))}
	l.zipf = rand.NewZipf(l.random, 1.1, 3, vocabulary-1)
	for range vocabulary {
		var b strings.Builder
		for range 1 + l.random.IntN(4) {
			b.WriteString(pick(l.random, "б в г д к л м н п р с т ф ш"))
			b.WriteString(pick(l.random, "а е и о у ы"))
		}
		l.words = append(l.words, b.String()+pick(l.random, "к т н р с"))
	}
	return l
}

func pick(random *rand.Rand, of string) string {
	all := strings.Fields(of)
	return all[random.IntN(len(all))]
}

// spoken is a word as often as it is said, in one of its forms.
func (l *language) spoken() string {
	return l.words[l.zipf.Uint64()] + pick(l.random, "а у ом е ы ов ам ами ах")
}

// rare is any word of the vocabulary.
func (l *language) rare() string { return l.words[l.random.IntN(len(l.words))] + "ами" }

// captions are an hour of speech.
func (l *language) captions() string {
	var b strings.Builder
	b.WriteString("WEBVTT\n")
	for i := range cuesEach {
		at := time.Duration(i) * time.Hour / cuesEach
		stamp := func(d time.Duration) string {
			ms := d.Milliseconds()
			return fmt.Sprintf("%02d:%02d:%02d.%03d", ms/3_600_000, ms/60_000%60, ms/1000%60, ms%1000)
		}
		b.WriteString("\n" + stamp(at) + " --> " + stamp(at+4*time.Second) + "\nАнна:")
		for range wordsEach {
			b.WriteString(" " + l.spoken())
		}
		b.WriteString("\n")
	}
	return b.String()
}
