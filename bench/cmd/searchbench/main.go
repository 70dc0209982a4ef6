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
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/catalog/document"
	"github.com/lectiospace/lectern/internal/catalog/schema"
	"github.com/lectiospace/lectern/internal/fulltext"
	"github.com/lectiospace/lectern/internal/library"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// A lesson is an hour of some 800 cues, and a group has lessonsEach of them but for one with
// fewLessons. The lessons of all groups take turns, as they do in a school.
const (
	cuesEach    = 800
	wordsEach   = 11
	lessonsEach = 200
	fewLessons  = 5
	// atOnce is how many transcripts share a transaction while the database is filled.
	atOnce = 20
)

func main() {
	var (
		database = flag.String("database", "", "an empty database, or one that this command has filled (default: a new one of SQLite)")
		dir      = flag.String("dir", "", "folder for data (default: the system's temporary one)")
		hours    = flag.Int("hours", 10_000, "lessons of an hour")
		searches = flag.Int("searches", 100, "searches of each kind")
		only     = flag.String("only", "", "only the kinds whose name contains this")
		profile  = flag.String("cpuprofile", "", "file for a CPU profile of the searches")
	)
	flag.Parse()
	if err := run(context.Background(), *database, *dir, *profile, *only, *hours, *searches); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, database, dir, profile, only string, hours, searches int) error {
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
	groups := (hours+lessonsEach-1)/lessonsEach + 1
	words := newLanguage()
	if err := fill(ctx, db, words, groups, hours); err != nil {
		return err
	}
	if profile != "" {
		f, err := os.Create(profile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	reader := library.NewReader(db, true, time.Now)
	for _, u := range []struct {
		who  string
		user media.User
	}{
		{"a student of a group", media.User{ID: int64(2 + groups), Role: media.RoleStudent, Active: true}},
		{"a student with few lessons", media.User{ID: int64(2 + groups + groups - 1), Role: media.RoleStudent, Active: true}},
		{"a teacher", media.User{ID: 2, Role: media.RoleTeacher, Active: true}},
		{"an admin", media.User{ID: 1, Role: media.RoleAdmin, Active: true}},
	} {
		for _, q := range words.queries() {
			for _, page := range []int64{1, 5} {
				what := u.who + ", " + q.kind
				if !strings.Contains(what, only) {
					continue
				}
				if err := measure(ctx, reader, u.user, q.make, page, searches, what); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// school is a document of an admin, the teacher and the student of each group, and lessons.
func school(groups, hours int) []byte {
	var people, lists, lessons, recordings strings.Builder
	people.WriteString("people:\n  - {email: admin@bench.test, role: admin}\n")
	for g := range groups {
		fmt.Fprintf(&people, "  - {email: t%d@bench.test, role: teacher}\n", g)
		fmt.Fprintf(&lists, "  - {name: Group %d, teacher: t%d@bench.test, students: [s%d@bench.test]}\n", g, g, g)
	}
	for g := range groups {
		fmt.Fprintf(&people, "  - {email: s%d@bench.test, role: student}\n", g)
	}
	begin := time.Date(2024, 1, 1, 9, 0, 0, 0, time.UTC)
	for i := range hours {
		g := i % (groups - 1)
		if i >= hours-fewLessons {
			g = groups - 1
		}
		title, at := fmt.Sprintf("Лекция %d группы %d", i, g), begin.Add(time.Duration(i)*time.Hour)
		fmt.Fprintf(&lessons, "  - {title: %s, group: Group %d, start: %s, end: %s}\n", title, g, at.Format(time.RFC3339), at.Add(time.Hour).Format(time.RFC3339))
		fmt.Fprintf(&recordings, "  - {lesson: %d, status: ready, provider: local, key: lesson-%d.mp4, size: 100000000, duration: 3600, visibility: lesson_group, allowed_groups: [Group %d]}\n", i+1, i, g)
	}
	return []byte(people.String() + "groups:\n" + lists.String() + "lessons:\n" + lessons.String() + "recordings:\n" + recordings.String())
}

// fill makes a school in an empty database, and prints what its captions cost.
func fill(ctx context.Context, db *catalog.Store, words *language, groups, hours int) error {
	var has int
	if err := db.Row(ctx, "searchbench: captions", `SELECT count(*) FROM lectern.lectern_captions`, nil, &has); err != nil {
		return err
	}
	switch has {
	case hours:
		return nil
	case 0:
	default:
		return fmt.Errorf("the database has captions of %d recordings, not of %d", has, hours)
	}
	if _, err := document.Apply(ctx, db, bytes.NewReader(school(groups, hours)), false); err != nil {
		return err
	}
	before, err := size(ctx, db)
	if err != nil {
		return err
	}
	if err := storeCaptions(ctx, db, words, hours); err != nil {
		return err
	}
	return printSizes(ctx, db, before, hours)
}

// storeCaptions stores captions of all recordings as the syncer does.
func storeCaptions(ctx context.Context, db *catalog.Store, words *language, hours int) error {
	var wall, cpu time.Duration
	for first := 1; first <= hours; first += atOnce {
		var bodies []string
		for range min(atOnce, hours-first+1) {
			bodies = append(bodies, words.captions())
		}
		began, cpuBefore := time.Now(), cpuTime()
		err := db.Update(ctx, "searchbench: fill", func(x store.Session) error {
			for i, body := range bodies {
				if _, err := store.PutCaption(ctx, x, int64(first+i), store.Caption{Lang: "und", Label: "Transcript", Body: body}, began); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		wall, cpu = wall+time.Since(began), cpu+cpuTime()-cpuBefore
	}
	each := func(d time.Duration) float64 { return d.Seconds() * 1000 / float64(hours) }
	fmt.Printf("indexing: %d lesson-hours in %s: %.1f ms each, %.1f ms of this program's CPU\n", hours, wall.Round(time.Second), each(wall), each(cpu))
	return nil
}

// printSizes prints how much the database has grown since it had before bytes.
func printSizes(ctx context.Context, db *catalog.Store, before int64, hours int) error {
	after, err := size(ctx, db)
	if err != nil {
		return err
	}
	var captions int64
	err = db.Row(ctx, "searchbench: captions", `SELECT sum(octet_length(body)) FROM lectern.lectern_captions`, nil, &captions)
	each := func(n int64) float64 { return float64(n) / 1024 / float64(hours) }
	fmt.Printf("database: %.0f KiB per lesson-hour, for captions of %.0f KiB\n", each(after-before), each(captions))
	return err
}

// size is that of the database, in bytes.
func size(ctx context.Context, db *catalog.Store) (n int64, err error) {
	text := `SELECT pg_database_size(current_database())`
	if db.Dialect() == catalog.SQLite {
		text = `SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()`
	}
	err = db.Row(ctx, "searchbench: size", text, nil, &n)
	return n, err
}

// measure searches n times, and prints how long it takes and how many results there are.
func measure(ctx context.Context, reader *library.Reader, user media.User, query func() string, page int64, n int, what string) error {
	var (
		waits  []time.Duration
		totals []int64
	)
	const perPage = 20
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpuBefore := cpuTime()
	for range n {
		text, began := query(), time.Now()
		hits, err := reader.Search(ctx, user, text, library.Window{Offset: (page - 1) * perPage, Limit: perPage})
		if err != nil {
			return err
		}
		waits, totals = append(waits, time.Since(began)), append(totals, hits.Total)
	}
	cpu := (cpuTime() - cpuBefore) / time.Duration(n)
	runtime.ReadMemStats(&after)
	slices.Sort(waits)
	slices.Sort(totals)
	at := func(share float64) float64 { return waits[min(n-1, int(share*float64(n)))].Seconds() * 1000 }
	fmt.Printf("search: %s, page %d: %d to %d results, p50 %.1f ms, p95 %.1f ms, max %.1f ms, mean CPU %.1f ms, %d KiB allocated\n",
		what, page, totals[0], totals[n-1], at(.5), at(.95), at(1), cpu.Seconds()*1000, (after.TotalAlloc-before.TotalAlloc)/uint64(n)/1024)
	return nil
}

// cpuTime is the processor time that this program has had.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
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
	known := map[string]bool{} // stems
	for len(l.words) < vocabulary {
		var b strings.Builder
		for range 1 + l.random.IntN(4) {
			b.WriteString(pick(l.random, "б в г д к л м н п р с т ф ш"))
			b.WriteString(pick(l.random, "а е и о у ы"))
		}
		word := b.String() + pick(l.random, "к т н р с")
		if stem := fulltext.Stems(l.form(word))[0]; !known[stem] {
			known[stem] = true
			l.words = append(l.words, word)
		}
	}
	return l
}

func pick(random *rand.Rand, of string) string {
	all := strings.Fields(of)
	return all[random.IntN(len(all))]
}

// spoken is a word as often as it is said, in one of its forms.
func (l *language) spoken() string { return l.form(l.words[l.zipf.Uint64()]) }

func (l *language) form(word string) string {
	return word + pick(l.random, "а у ом е ы ов ам ами ах")
}

// queries are kinds of searches.
func (l *language) queries() []query {
	frequent := func() string { return l.form(l.words[l.random.IntN(20)]) }
	rare := func() string { return l.form(l.words[vocabulary/2+l.random.IntN(vocabulary/2)]) }
	return []query{
		{"a rare word", rare},
		{"a frequent word", frequent},
		{"two frequent words", func() string { return frequent() + " " + frequent() }},
		{"a frequent and a rare word", func() string { return frequent() + " " + rare() }},
		{"two words as often as they are said", func() string { return l.spoken() + " " + l.spoken() }},
	}
}

// query is a kind of search, and a function that makes one.
type query struct {
	kind string
	make func() string
}

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
