package backfill

import (
	"context"
	"log/slog"
	"math"
	"slices"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/syncer/parts"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/zoom"
)

// AssumedRate is the rate of downloads that a plan without one assumes, in bytes per
// second.
const AssumedRate = 10 << 20

// Plan is what a backfill would archive.
type Plan struct {
	// Meetings are listed at Zoom and hold something that would be archived.
	Meetings int `json:"meetings"`
	// Recordings are what they make: the meetings of one lesson make one.
	Recordings int `json:"recordings"`
	// Bytes are the sizes of the files that would be fetched, as Zoom lists them.
	Bytes int64 `json:"bytes"`
	// Hours are how long the recordings play together.
	Hours float64 `json:"hours"`
	// Days are how long the downloads take at the rate, within the hours of each day.
	Days float64 `json:"days"`
	// WithoutLesson are listed meetings that match no lesson, archived or not.
	WithoutLesson int `json:"without_lesson"`
	// QuotaShort are the teachers whose quota has no room for all of it, with the bytes
	// that are missing, as the archive would hold them.
	QuotaShort []Short `json:"quota_short"`
}

// Short is a teacher's quota that is too small.
type Short struct {
	Teacher int64 `json:"teacher"`
	Bytes   int64 `json:"bytes"`
}

// TeacherPlan is one teacher's part of a plan.
type TeacherPlan struct {
	Teacher store.Teacher
	Plan
	// Err is why the teacher's recordings could not be listed to the end.
	Err error
}

// Plan lists what a backfill would archive, and changes nothing. Each is called for each
// teacher, in their order. failed counts those with an error.
func (b *Backfiller) Plan(ctx context.Context, o Options, each func(TeacherPlan)) (total Plan, failed int, err error) {
	hours, err := ParseHours(o.Hours)
	if err != nil {
		return total, 0, err
	}
	teachers, err := b.teachers(ctx, o.Teacher)
	if err != nil {
		return total, 0, err
	}
	total.QuotaShort = []Short{}
	ctx = zoom.InBackground(ctx, nil)
	for _, t := range teachers {
		one := b.planTeacher(ctx, o, t)
		if ctx.Err() != nil {
			return total, failed, ctx.Err()
		}
		if one.Err != nil {
			failed++
			b.log.Warn("backfill: recordings not listed", slog.Int64("teacher", t.ID), slog.Any("error", one.Err))
		}
		one.Days = days(one.Bytes, o.Rate, hours)
		each(one)
		total.Meetings += one.Meetings
		total.Recordings += one.Recordings
		total.Bytes += one.Bytes
		total.Hours += one.Hours
		total.WithoutLesson += one.WithoutLesson
		total.QuotaShort = append(total.QuotaShort, one.QuotaShort...)
	}
	total.Hours, total.Days = round(total.Hours), days(total.Bytes, o.Rate, hours)
	return total, failed, nil
}

// days is how long a download takes at a rate, within the hours of each day.
func days(bytes, rate int64, hours Hours) float64 {
	if rate <= 0 {
		rate = AssumedRate
	}
	return round(float64(bytes) / float64(rate) / hours.PerDay().Seconds())
}

// round keeps two digits behind the point.
func round(f float64) float64 { return math.Round(f*100) / 100 }

// teacherPlan is a teacher's plan under way.
type teacherPlan struct {
	lessons   map[int64][]store.Meeting // with something that is not archived, by lesson
	own       []store.Meeting           // that are recordings by themselves
	unmatched int
}

func (b *Backfiller) planTeacher(ctx context.Context, o Options, t store.Teacher) TeacherPlan {
	out := TeacherPlan{Teacher: t}
	p := &teacherPlan{lessons: map[int64][]store.Meeting{}}
	for first := o.From; !first.After(o.To) && out.Err == nil; first = first.AddDate(0, 0, windowDays) {
		last := first.AddDate(0, 0, windowDays-1)
		if last.After(o.To) {
			last = o.To
		}
		var listed []zoom.Meeting
		asked := b.deps.Now()
		listed, out.Err = list(ctx, b.deps.Zoom, t, first, last)
		for chunk := range slices.Chunk(listed, meetingsPerTx) {
			if err := b.planMeetings(ctx, t, chunk, asked, p); err != nil {
				out.Err = err
				break
			}
		}
	}
	out.WithoutLesson = p.unmatched
	for _, meetings := range p.lessons {
		out.add(meetings)
	}
	for _, m := range p.own {
		out.add([]store.Meeting{m})
	}
	out.Hours = round(out.Hours)
	if err := b.planQuota(ctx, t, &out.Plan); err != nil && out.Err == nil {
		out.Err = err
	}
	return out
}

// planMeetings does with some meetings what a backfill would, in a transaction that is
// rolled back.
func (b *Backfiller) planMeetings(ctx context.Context, t store.Teacher, listed []zoom.Meeting, asked time.Time, p *teacherPlan) error {
	var missing []store.Meeting
	unmatched := 0
	err := b.deps.Store.Update(ctx, "backfill: plan", func(x store.Session) error {
		lessons, err := store.LessonsOfTeacher(ctx, x, t.ID)
		if err != nil {
			return err
		}
		requested := map[int64]bool{}
		missing, unmatched = nil, 0
		for _, m := range listed {
			known, lesson, note, err := b.deps.Meetings.StoreMeeting(ctx, x, t, m, asked, lessons)
			if err != nil {
				return err
			}
			if !known.HasMedia() {
				continue
			}
			known.LessonID, known.Note = lesson.ID, note
			if lesson.ID == 0 && !known.RecordingOff() {
				unmatched++
			}
			why, err := b.deps.Meetings.RequestStored(ctx, x, known)
			if err != nil {
				return err
			}
			// A second meeting of a lesson finds that the first has requested it.
			if why != "" || lesson.ID != 0 && requested[lesson.ID] {
				requested[lesson.ID] = true
				missing = append(missing, known)
			}
		}
		return catalog.ErrDryRun
	})
	if err != nil {
		return err
	}
	p.unmatched += unmatched
	for _, m := range missing {
		if m.LessonID == 0 || m.Separate {
			p.own = append(p.own, m)
		} else {
			p.lessons[m.LessonID] = append(p.lessons[m.LessonID], m)
		}
	}
	return nil
}

// add adds the recording that some meetings make.
func (p *Plan) add(meetings []store.Meeting) {
	sizes := map[string]int64{}
	var files []parts.File
	for _, m := range meetings {
		for _, f := range m.Files {
			if !f.LessonVideo() && !f.LessonSound() || f.LeftZoom() {
				continue
			}
			sizes[f.Name()] = f.Size
			files = append(files, parts.File{Key: f.Name(), Meeting: m.UUID, View: f.View, Sound: f.LessonSound(), Start: f.Start, End: f.End, Archived: !f.ArchivedAt.IsZero()})
		}
	}
	chosen := parts.Choose(files).Parts
	if len(chosen) == 0 {
		return
	}
	p.Meetings += len(meetings)
	p.Recordings++
	for _, f := range chosen {
		p.Bytes += sizes[f.Key]
		p.Hours += max(0, f.End.Sub(f.Start)).Hours()
	}
}

// planQuota adds what a teacher's quota lacks.
func (b *Backfiller) planQuota(ctx context.Context, t store.Teacher, p *Plan) error {
	if p.Bytes == 0 {
		return nil
	}
	return b.deps.Store.View(ctx, "backfill: plan the quota", func(x store.Session) error {
		q, err := store.ReadQuota(ctx, x, t.ID)
		if err != nil {
			return err
		}
		if missing := q.Used + q.Reserved + p.Bytes - q.Total; missing > 0 {
			p.QuotaShort = []Short{{t.ID, missing}}
		}
		return nil
	})
}
