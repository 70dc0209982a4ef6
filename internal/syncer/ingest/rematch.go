package ingest

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/lectiospace/lectern/internal/syncer/store"
)

// rematch matches the meetings of a lesson's ingest anew that are not archived yet: the
// timetable, or the rule, may have changed since they were matched, and nobody but their
// own lesson's students may see them. It returns those that are left. A meeting that
// belongs to another lesson is requested there. An ingest without any is dropped, and
// this run has lost its lease then.
func (r *run) rematch(ctx context.Context, meetings []store.Meeting) (left []store.Meeting, err error) {
	if r.row.LessonID == 0 {
		return meetings, nil
	}
	err = r.s.deps.Store.Update(ctx, "syncer: match again", func(x store.Session) error {
		left = nil
		for _, m := range meetings {
			l, _, err := r.s.cfg.Match.Match(ctx, x, m, r.s.now())
			switch {
			case err != nil:
				return err
			case l.ID == r.row.LessonID:
				left = append(left, m)
			case l.ID != 0:
				if err := r.s.Request(ctx, x, l.ID, "its meeting was matched anew"); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return left, err
}

// movedAway reports whether a part, of those with these names, is of a meeting that is no
// longer one of the ingest's.
func movedAway(names []string, meetings []store.Meeting) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		return !slices.ContainsFunc(meetings, func(m store.Meeting) bool { return strings.HasPrefix(name, m.UUID+"/") })
	})
}

// planAgain ends a run whose plan has a part that is no longer the ingest's.
func (r *run) planAgain() error {
	return &notYet{r.s.now().Add(time.Second), "one of its meetings belongs elsewhere now"}
}
