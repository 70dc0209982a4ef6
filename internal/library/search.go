package library

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lectiospace/lectern/internal/fulltext"
	"github.com/lectiospace/lectern/internal/media"
)

// hitsPerRecording is how many results one recording gives.
const hitsPerRecording = 3

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
	Page  []Hit
	Total int64 // of all pages
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
	var (
		allowed []watchable
		index   searchIndex
		matches [][]match
	)
	group, reading := errgroup.WithContext(ctx)
	group.Go(func() (err error) { allowed, err = l.watchables(reading, u); return err })
	group.Go(func() (err error) {
		index, err = l.readIndex(reading)
		if err == nil && u.Role == media.RoleAdmin { // nearly all of it is allowed
			matches, err = l.readBlocks(reading, stems, index.present())
		}
		return err
	})
	if err := group.Wait(); err != nil || len(allowed) == 0 {
		return Hits{}, err
	}
	titles, places := l.titleHits(allowed, stems), newPlaceHits(allowed)
	for _, t := range titles {
		places.limit(t.recording.id, hitsPerRecording-1)
	}
	if u.Role != media.RoleAdmin {
		var err error
		if matches, err = l.readBlocks(ctx, stems, index.of(places.byID)); err != nil {
			return Hits{}, err
		}
	}
	places.addAll(matches)
	places.addLoose(index.loose, stems)
	out := Hits{Total: int64(len(titles) + places.total())}
	from := min(w.Offset, int64(len(titles)))
	page := titles[from:min(w.Offset+w.Limit, int64(len(titles)))]
	page = places.page(page, w.Offset-from, w.Limit)
	var err error
	out.Page, err = l.showHits(ctx, op, u, page, stems)
	return out, err
}

// titleHits are the recordings one of whose titles has all stems.
func (l *Reader) titleHits(allowed []watchable, stems []string) (hits []hit) {
	for i := range allowed {
		for _, title := range allowed[i].titles() {
			if l.titles.haveAll(title, stems) {
				hits = append(hits, hit{recording: &allowed[i], title: title})
				break
			}
		}
	}
	return hits
}
