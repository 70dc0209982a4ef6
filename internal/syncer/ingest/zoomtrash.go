package ingest

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/observe"
	"github.com/lectiospace/lectern/internal/syncer/queue"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/zoom"
)

// joinWait is how long Zoom's copy of a teacher's own recording stays at least while
// its parts are to be joined into a lesson's.
const joinWait = 10 * time.Minute

// lossWait is how long the trash waits after a file was not where the archive had it. It may
// have been replaced or moved since the ingest was loaded, or a run at work may find nothing to
// archive: then nobody else asks for the trash again. What is lost is not archived by then, and
// the job ends.
const lossWait = time.Minute

// trashedAtZoom is what the history says of a file that was trashed.
const trashedAtZoom = "trashed at Zoom"

// zoomTrashJob moves what is archived to Zoom's trash, one file at a time and never
// wider, after a last check that the archive holds it.
func (s *Ingester) zoomTrashJob(ctx context.Context, job *queue.Job[queue.ZoomTrashArgs]) error {
	if s.deps.Observer.On() {
		s.deps.Observer.Would(ctx, "move Zoom's copy to its trash", slog.Int64("ingest", job.Args.IngestID))
		return queue.Snooze(observe.Wait)
	}
	r, meetings, err := s.loadArchived(ctx, job.Args.IngestID)
	if err != nil || r == nil || !s.cfg.DeleteFromZoom {
		return err
	}
	i := r.row
	if left := i.VerifiedAt.Add(s.cfg.ZoomTrashAfter).Sub(s.now()); left > 0 {
		return queue.Snooze(left) // a later version was archived meanwhile
	}
	if i.MeetingUUID != "" && slices.ContainsFunc(meetings, func(m store.Meeting) bool { return m.LessonID != 0 && !m.Separate }) {
		return queue.Snooze(joinWait) // the lesson's ingest may need Zoom's copy
	}
	if wait, err := r.awaitCompanions(ctx); err != nil || wait {
		return cmp.Or(err, queue.Snooze(companionWait))
	}
	from, err := s.deps.Archives.Get(i.Provider)
	if err != nil {
		return err
	}
	stored, err := from.Stat(ctx, i.ArchiveKey)
	if media.KindOf(err) == media.NotFound || err == nil && !stored.Same(i.Size, i.MD5) {
		if removed, err := r.recordingRemoved(ctx); err != nil || removed {
			return err // purged: nobody archives it again
		}
		r.log.Error("zoom trash: file lost from the archive, Zoom's copy stays", slog.Int64("ingest", i.ID))
		return cmp.Or(s.RecordLoss(ctx, i), queue.Snooze(lossWait))
	}
	if err != nil {
		return err
	}
	if lost, err := r.loadBeside(ctx); err != nil || lost {
		return cmp.Or(err, queue.Snooze(lossWait))
	}
	companions, left, err := r.loadTrashable(ctx)
	if err != nil {
		return err
	}
	err = step(ctx, "trash", func(ctx context.Context) error { return r.trashMeetings(ctx, meetings, companions) })
	if err == nil && left > 0 {
		return queue.Snooze(left) // a companion came later
	}
	return err
}

// trashMeetings trashes Zoom's copies of what the archive holds of meetings, companions
// included. Of a file that Zoom has another version of by now, that version is archived
// first, and nothing is trashed before companions that Zoom lists by now are safe.
func (r *run) trashMeetings(ctx context.Context, meetings []store.Meeting, companions []store.RecordingFile) error {
	names := r.row.Parts()
	for _, f := range r.parts {
		names = append(names, f.ZoomFile)
	}
	inArchive := func(f store.File) bool {
		held := !f.ArchivedAt.IsZero() && slices.Contains(names, f.Name()) ||
			slices.ContainsFunc(companions, func(c store.RecordingFile) bool { return holds(c, f) })
		return held && !f.LeftZoom() && !f.HasMadeID()
	}
	changed := false
	var archived []store.Meeting // with what of it may be trashed
	for _, m := range meetings {
		account := r.s.accountOf(ctx, m, r.teacher)
		if !account.Complete() || !slices.ContainsFunc(m.Files, inArchive) {
			continue
		}
		listed, err := r.listedNow(ctx, account, m)
		if err != nil {
			return err
		}
		m.Files = slices.DeleteFunc(listed, func(f store.File) bool { return !inArchive(f) })
		changed = changed || slices.ContainsFunc(m.Files, store.File.Changed)
		archived = append(archived, m)
	}
	if wait, err := r.awaitCompanions(ctx); err != nil || wait {
		return cmp.Or(err, queue.Snooze(companionWait))
	}
	var now plan
	err := r.s.deps.Store.View(ctx, "syncer: parts at Zoom", func(x store.Session) error {
		known, err := store.MeetingsOfIngest(ctx, x, r.row)
		now = makePlan(known, names, r.s.cfg.Settle, r.s.now())
		return err
	})
	if err != nil {
		return err
	}
	// A new version that is joined with the other parts needs them: none goes before that.
	replaced := changed && now.changed
	// A sound is archived beside the video that replaces it, and out of Zoom.
	videoAwaited := slices.ContainsFunc(slices.Concat(now.parts, now.missing), func(f store.File) bool { return f.LessonVideo() && f.ArchivedAt.IsZero() })
	for _, m := range archived {
		for _, f := range m.Files {
			if replaced || f.Changed() || videoAwaited && f.LessonSound() {
				continue
			}
			if err := r.trashFile(ctx, r.s.accountOf(ctx, m, r.teacher), f); err != nil {
				return err
			}
		}
	}
	if !changed {
		return nil
	}
	return r.s.deps.Store.Update(ctx, "syncer: changed at Zoom", func(x store.Session) error {
		return r.s.requestAgain(ctx, x, r.row, "Zoom has another version of an archived file")
	})
}

// loadBeside loads the parts beside the recording that the archive still holds. lost says
// that it does not hold one: that one is archived again first.
func (r *run) loadBeside(ctx context.Context) (lost bool, err error) {
	err = r.s.deps.Store.View(ctx, "syncer: parts beside a recording", func(x store.Session) error {
		r.parts, err = store.RecordingParts(ctx, x, r.row.RecordingID)
		return err
	})
	if err != nil {
		return false, err
	}
	r.parts = slices.DeleteFunc(r.parts, func(f store.RecordingFile) bool { return !f.Verified() })
	for _, f := range r.parts {
		if held, err := r.stillArchived(ctx, f); err != nil || !held {
			return !held, err
		}
	}
	return false, nil
}

// listedNow are the files that Zoom lists of a meeting at this moment and has finished, as
// they are stored then.
func (r *run) listedNow(ctx context.Context, account zoom.Account, m store.Meeting) (files []store.File, err error) {
	got, err := r.s.deps.Zoom.Recordings(ctx, account, m.UUID)
	if zoom.ClassOf(err) == zoom.ClassAbsent {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("before the trash at Zoom: %w", err)
	}
	fresh := r.s.meetingFromZoom(got, m.UUID)
	err = r.s.deps.Store.Update(ctx, "syncer: what Zoom lists", func(x store.Session) error {
		if err := store.PutMeeting(ctx, x, fresh, r.s.now()); err != nil {
			return err
		}
		m, err = store.LoadMeeting(ctx, x, m.UUID)
		return err
	})
	for _, f := range m.Files {
		if slices.ContainsFunc(fresh.Files, func(l store.File) bool { return l.ID == f.ID && l.Completed() }) {
			files = append(files, f)
		}
	}
	return files, err
}

// trashFile moves one file to Zoom's trash.
func (r *run) trashFile(ctx context.Context, account zoom.Account, f store.File) error {
	if err := r.s.deps.Zoom.TrashFile(ctx, account, f.MeetingUUID, f.ID); err != nil {
		return fmt.Errorf("trash at Zoom: %w", err)
	}
	return r.s.deps.Store.Update(ctx, "syncer: trashed at Zoom", func(x store.Session) error {
		if err := store.MarkTrashed(ctx, x, f.MeetingUUID, f.ID, r.s.now()); err != nil {
			return err
		}
		return r.history(ctx, x, &r.row, trashedAtZoom, f.Name())
	})
}

// requestMissingTrash requests the trash of Zoom's copies of an archived recording when no job
// for it is left: one may have exhausted its attempts, or have ended because Zoom did not list a
// file at that moment, or listed it in another size. What was trashed before in the version that
// is archived has been recovered by somebody since, and stays.
func (s *Ingester) requestMissingTrash(ctx context.Context, x store.Session, meetings []store.Meeting, i store.Ingest) error {
	// Most often nothing is left at Zoom, which takes no look at companions and the history.
	atZoom := slices.ContainsFunc(meetings, func(m store.Meeting) bool { return slices.ContainsFunc(m.Files, trashable) })
	if !s.cfg.DeleteFromZoom || s.deps.Observer.On() || !i.Archived() || !atZoom {
		return nil
	}
	due, err := s.archivedAtZoom(ctx, x, meetings, i)
	if err != nil || due.IsZero() {
		return err
	}
	if queued, err := store.JobQueued(ctx, x, queue.ZoomTrashArgs{}.Kind(), "ingest_id", i.ID); err != nil || queued {
		return err
	}
	if row, err := store.LoadRecording(ctx, x, i.RecordingID, false); err != nil || row.Deleted {
		return catalog.IgnoreNotFound(err)
	}
	s.log.Info("zoom trash: requested again, a copy of what is archived is still at Zoom", slog.Int64("ingest", i.ID))
	return s.deps.Queue.EnqueueTrash(ctx, x, i.ID, due.Add(s.cfg.ZoomTrashAfter))
}

// trashable reports whether Zoom has a finished file, in the version that is archived if it is, and
// lets one name it.
func trashable(f store.File) bool {
	return f.Completed() && !f.LeftZoom() && !f.Changed() && !f.HasMadeID()
}

// archivedAtZoom is when the first of the files was archived whose copy Zoom has in that version
// and that we have not trashed since, zero for none.
func (s *Ingester) archivedAtZoom(ctx context.Context, x store.Session, meetings []store.Meeting, i store.Ingest) (first time.Time, err error) {
	parts, err := store.RecordingParts(ctx, x, i.RecordingID)
	if err != nil {
		return first, err
	}
	companions, err := store.Companions(ctx, x, i.RecordingID)
	if err != nil {
		return first, err
	}
	history, err := store.History(ctx, x, i.ID, 0, nil)
	if err != nil {
		return first, err
	}
	names := archivedNames(i, parts)
	for _, m := range meetings {
		for _, f := range m.Files {
			var since time.Time
			if slices.Contains(names, f.Name()) {
				since = f.ArchivedAt
			} else if at := slices.IndexFunc(companions, func(c store.RecordingFile) bool { return c.Verified() && holds(c, f) }); at >= 0 {
				since = companions[at].VerifiedAt
			}
			if since.IsZero() || !trashable(f) {
				continue
			}
			recovered := slices.ContainsFunc(history, func(h store.HistoryEntry) bool {
				return h.What == trashedAtZoom && h.Detail == f.Name() && !h.At.Before(since)
			})
			if !recovered && (first.IsZero() || since.Before(first)) {
				first = since
			}
		}
	}
	return first, nil
}
