package library

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/fulltext"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

const (
	// hitsPerRecording is how many results one recording gives.
	hitsPerRecording = 3
	// enoughHits is when a search looks at no older recordings: nobody turns ten pages.
	enoughHits = 200
	// transcriptsAtOnce is how many transcripts are read at a time, newest first, until
	// there are enough hits.
	transcriptsAtOnce = 64
)

// Hit is a title, or a place in a transcript, that has all words of a search.
type Hit struct {
	Entry Entry
	// Start is when it is said; 0 for a title.
	Start   time.Duration
	Snippet string
	// Marks are the words in Snippet: [from, to) in code points.
	Marks [][2]int
}

// Hits is a page of the hits of a search.
type Hits struct {
	Page []Hit
	// Total is exact below enoughHits. Beyond, it counts the hits of the newest recordings.
	Total int64
}

// hit is a Hit before its text is read.
type hit struct {
	recording *watchable
	title     string // "" for a place
	// transcript is 0 for a title.
	transcript int64
	place      fulltext.Place
}

// Search searches the titles and transcripts of what a user may watch now. Titles come
// first, then places by the number of cues that they need; of equals the newest lesson.
func (l *Reader) Search(ctx context.Context, u media.User, text string, w Window) (Hits, error) {
	const op = "library: search"
	stems := fulltext.Stems(text)
	if len(stems) == 0 {
		return Hits{}, nil
	}
	allowed, err := l.watchables(ctx, u)
	if err != nil || len(allowed) == 0 {
		return Hits{}, err
	}
	hits := titleHits(allowed, stems, l.titles)
	said, err := l.placeHits(ctx, allowed, stems, hits)
	if err != nil {
		return Hits{}, err
	}
	all := append(hits, said...)
	out := Hits{Total: int64(len(all))}
	all = all[min(w.Offset, out.Total):min(w.Offset+w.Limit, out.Total)]
	out.Page, err = l.showHits(ctx, op, u, all, stems)
	return out, err
}

// watchable is a recording that a user may watch.
type watchable struct {
	id int64
	// titles are what it is called: by itself, or after its lesson or its group.
	titles []string
	order  int // in a list, newest first
}

// watchables are the recordings that a user may watch now, newest first. The rule is that
// of auth.Decide.
func (l *Reader) watchables(ctx context.Context, u media.User) ([]watchable, error) {
	var out []watchable
	err := l.rows(ctx, "library: what a user may watch", l.watchableQuery(u), func(scan func(...any) error) error {
		var (
			r                  = watchable{order: len(out)}
			own, lesson, group string
		)
		err := scan(&r.id, &own, &lesson, &group)
		for _, title := range []string{own, lesson} {
			if title != "" && !slices.Contains(r.titles, title) {
				r.titles = append(r.titles, title)
			}
		}
		if len(r.titles) == 0 && group != "" {
			r.titles = []string{group}
		}
		out = append(out, r)
		return err
	})
	return out, err
}

func (l *Reader) watchableQuery(u media.User) *query {
	q := &query{d: l.store.Dialect()}
	var from, rule string
	switch u.Role {
	case media.RoleAdmin:
		from, rule = recordingsTable+" r LEFT JOIN "+lessonsTable+" l ON l.id = r.lesson_id", "TRUE"
	case media.RoleTeacher:
		me := q.arg(u.ID)
		q.text = `WITH own AS MATERIALIZED (
	SELECT r.id FROM ` + lessonsTable + ` l` + q.join(false, "r", "r.id", recordingsTable, "r.lesson_id = l.id") + ` WHERE l.teacher_id = ` + me + `
	UNION ALL SELECT r.id FROM ` + recordingsTable + ` r WHERE r.teacher_id = ` + me + ` AND r.lesson_id IS NULL
) `
		from, rule = q.fromIDs("own"), "TRUE"
	case media.RoleStudent:
		q.text = "WITH " + q.listed(q.arg(u.ID)) + " "
		from, rule = q.fromIDs("listed"), l.listedRule()+` AND (r.available_until IS NULL OR `+q.sortableTime("r.available_until")+` > `+q.sortableTime(q.arg(catalog.NewDBTime(l.now())))+`)`
	default:
		from, rule = recordingsTable+" r LEFT JOIN "+lessonsTable+" l ON FALSE", "FALSE"
	}
	q.text += `SELECT x.id, x.title, x.lesson, x.grp FROM (SELECT DISTINCT r.id, r.title, COALESCE(l.title, '') AS lesson, COALESCE(g.name, '') AS grp, COALESCE(` + q.sortableTime("l.start_time") + `, ` + q.sortableTime("r.created_at") + `) AS newest
FROM ` + from + ` LEFT JOIN public.schedule_group g ON g.id = l.group_id
WHERE r.status IN ('ready', 'archived') AND NOT r.is_deleted AND ` + hasBytes + ` AND ` + rule + `) x
ORDER BY x.newest DESC, x.id DESC`
	return q
}

// hasBytes is whether a recording r has a location (media.StoredAt, media.AtZoom).
const hasBytes = `CASE r.storage_provider WHEN 'zoom' THEN r.download_url <> '' AND ` + catalog.RecordingOwner + ` > 0
	WHEN 'gdrive' THEN r.gdrive_file_id <> '' OR r.archive_key <> '' ELSE r.archive_key <> '' END`

// fromIDs joins recordings and their lessons to a table w with their ids.
func (q *query) fromIDs(table string) string {
	const columns = filterColumns + ", r.teacher_id, r.storage_provider, r.gdrive_file_id, r.archive_key, r.download_url"
	return table + " w" + q.join(false, "r", columns, recordingsTable, "r.id = w.id") + q.join(true, "l", filterLessonColumns+", l.teacher_id", lessonsTable, "l.id = r.lesson_id")
}

// titleHits are the recordings one of whose titles has all stems.
func titleHits(allowed []watchable, stems []string, titles *titleStems) (hits []hit) {
	for i := range allowed {
		if len(hits) == enoughHits {
			break
		}
		for _, title := range allowed[i].titles {
			if titles.haveAll(title, stems) {
				hits = append(hits, hit{recording: &allowed[i], title: title})
				break
			}
		}
	}
	return hits
}

// placeHits are the places that have all stems, of the newest recordings until there are
// enough; titles are the hits so far.
func (l *Reader) placeHits(ctx context.Context, allowed []watchable, stems []string, titles []hit) ([]hit, error) {
	left := make(map[int64]int, len(allowed)) // how many hits a recording may still give
	byID := make(map[int64]*watchable, len(allowed))
	for i := range allowed {
		left[allowed[i].id], byID[allowed[i].id] = hitsPerRecording, &allowed[i]
	}
	for _, t := range titles {
		left[t.recording.id]--
	}
	candidates, err := l.transcriptsWith(ctx, stems, func(recording int64) bool { return byID[recording] != nil })
	if err != nil {
		return nil, err
	}
	slices.SortFunc(candidates, func(a, b int64) int {
		return cmp.Or(cmp.Compare(byID[store.TranscriptsRecording(a)].order, byID[store.TranscriptsRecording(b)].order), cmp.Compare(a, b))
	})
	var hits []hit
	for len(candidates) > 0 && len(titles)+len(hits) < enoughHits {
		n := min(transcriptsAtOnce, len(candidates))
		for n < len(candidates) && store.TranscriptsRecording(candidates[n]) == store.TranscriptsRecording(candidates[n-1]) {
			n++ // all languages of a recording compete for its hits
		}
		found, err := l.placesOf(ctx, candidates[:n], stems)
		if err != nil {
			return nil, err
		}
		for _, h := range found {
			id := store.TranscriptsRecording(h.transcript)
			if left[id]--; left[id] >= 0 {
				h.recording = byID[id]
				hits = append(hits, h)
			}
		}
		candidates = candidates[n:]
	}
	slices.SortStableFunc(hits, func(a, b hit) int {
		return cmp.Or(cmp.Compare(a.place.Last-a.place.First, b.place.Last-b.place.First), cmp.Compare(a.recording.order, b.recording.order))
	})
	return hits[:min(len(hits), enoughHits-len(titles))], nil
}

// transcriptsWith are the transcripts of wanted recordings that have all stems somewhere.
func (l *Reader) transcriptsWith(ctx context.Context, stems []string, wanted func(recording int64) bool) (ids []int64, err error) {
	quote := func(mark, and string) string { return mark + strings.Join(stems, mark+and+mark) + mark }
	text, match := `SELECT id FROM lectern.lectern_transcripts WHERE words @@ CAST($1 AS tsquery)`, quote("'", " & ")
	if l.store.Dialect() == catalog.SQLite {
		text, match = `SELECT rowid FROM lectern.lectern_transcript_words WHERE lectern_transcript_words MATCH $1`, quote(`"`, " AND ")
	}
	err = l.rows(ctx, "library: transcripts with words", &query{text: text, args: []any{match}}, func(scan func(...any) error) error {
		var id int64
		err := scan(&id)
		if wanted(store.TranscriptsRecording(id)) {
			ids = append(ids, id)
		}
		return err
	})
	return ids, err
}

// placesOf are the best places of transcripts, the shortest first.
func (l *Reader) placesOf(ctx context.Context, transcripts []int64, stems []string) (hits []hit, err error) {
	err = l.rows(ctx, "library: places in transcripts", l.transcriptQuery("positions", transcripts), func(scan func(...any) error) error {
		var (
			id        int64
			positions []byte
		)
		err := scan(&id, &positions)
		for _, p := range fulltext.Positions(positions).Places(stems, hitsPerRecording) {
			hits = append(hits, hit{transcript: id, place: p})
		}
		return err
	})
	slices.SortFunc(hits, func(a, b hit) int {
		return cmp.Or(cmp.Compare(a.place.Last-a.place.First, b.place.Last-b.place.First), cmp.Compare(a.transcript, b.transcript), cmp.Compare(a.place.First, b.place.First))
	})
	return hits, err
}

// transcriptQuery reads a column of transcripts, by their ids.
func (l *Reader) transcriptQuery(column string, ids []int64) *query {
	q := &query{d: l.store.Dialect()}
	marks := make([]string, len(ids))
	for i, id := range ids {
		marks[i] = q.arg(id)
	}
	q.text = `SELECT id, ` + column + ` FROM lectern.lectern_transcripts WHERE id IN (` + strings.Join(marks, ", ") + `)`
	return q
}

// showHits reads what is shown of hits. One whose recording or text has been removed
// meanwhile is left out.
func (l *Reader) showHits(ctx context.Context, op string, u media.User, hits []hit, stems []string) ([]Hit, error) {
	var recordings, transcripts []int64
	for _, h := range hits {
		if !slices.Contains(recordings, h.recording.id) {
			recordings = append(recordings, h.recording.id)
		}
		if h.transcript != 0 && !slices.Contains(transcripts, h.transcript) {
			transcripts = append(transcripts, h.transcript)
		}
	}
	entries, err := l.entriesByID(ctx, op, recordings, u.ID)
	if err != nil {
		return nil, err
	}
	cues := map[int64]string{}
	if len(transcripts) > 0 {
		err = l.rows(ctx, "library: texts of transcripts", l.transcriptQuery("cues", transcripts), func(scan func(...any) error) error {
			var (
				id   int64
				text string
			)
			err := scan(&id, &text)
			cues[id] = text
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	out := make([]Hit, 0, len(hits))
	for _, h := range hits {
		e, ok := entries[h.recording.id]
		if !ok {
			continue
		}
		shown, text := Hit{Entry: e}, h.title
		if h.transcript != 0 {
			if shown.Start, text, ok = fulltext.Excerpt(cues[h.transcript], h.place.First, h.place.Last); !ok {
				continue
			}
		}
		shown.Snippet, shown.Marks = fulltext.Snippet(text, stems)
		out = append(out, shown)
	}
	return out, nil
}

// entriesByID are entries by the recordings' ids.
func (l *Reader) entriesByID(ctx context.Context, op string, ids []int64, user int64) (map[int64]Entry, error) {
	out := make(map[int64]Entry, len(ids))
	if len(ids) == 0 {
		return out, nil
	}
	numbers := "SELECT CAST($1 AS bigint) AS id"
	for _, id := range ids[1:] {
		numbers += " UNION ALL SELECT " + strconv.FormatInt(id, 10)
	}
	list, err := l.entries(ctx, op, "("+numbers+") one", "one.id", ids[0], user)
	for _, e := range list {
		out[e.Entry.ID] = e.Entry
	}
	return out, err
}
