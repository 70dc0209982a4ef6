package backfill

import (
	"context"

	"github.com/lectiospace/lectern/internal/syncer/store"
)

// Summary is how far backfills are.
type Summary struct {
	Teachers       int `json:"teachers"`
	TeachersFailed int `json:"teachers_failed"`
	// Meetings were listed and hold something to archive.
	Meetings int `json:"meetings"`
	// Recordings are what these meetings make: several may be parts of one.
	Recordings int `json:"recordings"`
	Archived   int `json:"archived"`
	Failed     int `json:"failed"`
	// Explained are meetings that no recording is made of for a reason that `syncer explain`
	// prints, as that no lesson matches, and recordings that were removed by people.
	Explained int `json:"explained"`
	// Waiting are recordings that are neither archived nor have failed, and meetings that
	// were not looked at.
	Waiting int `json:"waiting"`
}

// Status is the state of the backfills of all teachers, or of one.
type Status struct {
	Summary
	// Running are backfills that have not listed and requested everything.
	Running int
	// Open are recordings that wait for their ingest or are being archived.
	Open int
	// Failures are the backfills that failed.
	Failures []store.Backfill
}

// Ended reports whether nothing is left to do for now.
func (s Status) Ended() bool { return s.Running == 0 && s.Open == 0 }

// Status reads how far the backfills are; teacher 0 means all.
func (b *Backfiller) Status(ctx context.Context, teacher int64) (Status, error) {
	var s Status
	err := b.deps.Store.View(ctx, "backfill: status", func(x store.Session) error {
		s = Status{}
		all, err := store.Backfills(ctx, x, "")
		if err != nil {
			return err
		}
		for _, one := range all {
			if teacher != 0 && one.TeacherID != teacher {
				continue
			}
			s.Teachers++
			switch one.State {
			case store.BackfillRunning:
				s.Running++
			case store.BackfillFailed:
				s.TeachersFailed++
				s.Failures = append(s.Failures, one)
			}
		}
		c, err := store.CountBackfill(ctx, x, teacher)
		s.Meetings, s.Recordings, s.Archived, s.Failed = c.Meetings, c.Recordings, c.Archived, c.Failed
		s.Open, s.Explained, s.Waiting = c.Open, c.Unmatched+c.Removed, c.Open+c.Pending
		return err
	})
	return s, err
}

// FailedIngests are recordings of backfills that have failed, at most n.
func (b *Backfiller) FailedIngests(ctx context.Context, teacher int64, n int) (out []store.Ingest, err error) {
	err = b.deps.Store.View(ctx, "backfill: failed ingests", func(x store.Session) (err error) {
		out, err = store.BackfillFailures(ctx, x, teacher, n)
		return err
	})
	return out, err
}
