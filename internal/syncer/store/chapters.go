package store

import (
	"context"
	"slices"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

// Chapters are a recording's in the order of time: those that its teacher has written, else
// Zoom's.
func Chapters(ctx context.Context, x Session, recording int64) ([]media.Chapter, error) {
	edited, err := chaptersOf(ctx, x, recording, true)
	if err != nil || len(edited) > 0 {
		return edited, err
	}
	return chaptersOf(ctx, x, recording, false)
}

func chaptersOf(ctx context.Context, x Session, recording int64, edited bool) (out []media.Chapter, err error) {
	err = x.Each(ctx, `SELECT start_ms, title FROM lectern.lectern_chapters WHERE recording_id = $1 AND edited = $2 ORDER BY start_ms, id`, []any{recording, edited}, func(scan func(...any) error) error {
		var (
			c  media.Chapter
			ms int64
		)
		err := scan(&ms, &c.Title)
		c.Start = time.Duration(ms) * time.Millisecond
		out = append(out, c)
		return err
	})
	return out, err
}

// PutChapters replaces the chapters that a recording's teacher has written, or Zoom's.
// changed: they were others.
func PutChapters(ctx context.Context, x Session, recording int64, edited bool, chapters []media.Chapter) (changed bool, err error) {
	before, err := chaptersOf(ctx, x, recording, edited)
	if err != nil || slices.Equal(before, chapters) {
		return false, err
	}
	if _, err := x.Exec(ctx, `DELETE FROM lectern.lectern_chapters WHERE recording_id = $1 AND edited = $2`, recording, edited); err != nil {
		return false, err
	}
	for _, c := range chapters {
		if _, err := x.Exec(ctx, `INSERT INTO lectern.lectern_chapters (recording_id, edited, start_ms, title) VALUES ($1, $2, $3, $4)`, recording, edited, c.Start.Milliseconds(), c.Title); err != nil {
			return false, err
		}
	}
	return true, nil
}
