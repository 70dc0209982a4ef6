package ingest

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// RequestOwn requests the recording of a meeting that belongs to no lesson: it is
// archived as the teacher's own. Nobody else sees it until it belongs to a lesson.
func (s *Ingester) RequestOwn(ctx context.Context, x store.Session, uuid string, teacher int64, why string) error {
	if err := store.ForgetFaults(ctx, x, []store.Meeting{{UUID: uuid}}); err != nil {
		return err
	}
	return s.requestOwn(ctx, x, uuid, teacher, why)
}

// requestOwn is RequestOwn with the pauses of faulty parts.
func (s *Ingester) requestOwn(ctx context.Context, x store.Session, uuid string, teacher int64, why string) error {
	i, isNew, err := store.RequestMeetingIngest(ctx, x, uuid, teacher, s.now())
	if err != nil {
		return err
	}
	return s.enqueue(ctx, x, i, isNew, why)
}

// RequestMissingOwn is RequestMissing for a meeting that belongs to no lesson, or whose
// recording is one beside the lesson's.
func (s *Ingester) RequestMissingOwn(ctx context.Context, x store.Session, m store.Meeting) (why string, err error) {
	i, err := store.IngestOfMeeting(ctx, x, m.UUID)
	known := err == nil
	if err != nil && !catalog.IsNotFound(err) {
		return "", err
	}
	if !known && m.Archived() {
		return "", nil // its lesson was deleted, and the recording with it
	}
	parts, err := store.RecordingParts(ctx, x, i.RecordingID)
	if err != nil {
		return "", err
	}
	why, request := s.missing([]store.Meeting{m}, i, known, parts)
	if !request {
		return "", s.requestMissingFollowers(ctx, x, []store.Meeting{m}, i)
	}
	if i.State() == store.Failed {
		return why, s.retake(ctx, x, i, why)
	}
	teacher := i.TeacherID
	if teacher == 0 {
		t, err := store.TeacherOfMeeting(ctx, x, m)
		if err != nil {
			return "", catalog.IgnoreNotFound(err)
		}
		teacher = t.ID
	}
	return why, s.requestOwn(ctx, x, m.UUID, teacher, why)
}

// RequestOwnAgain requests the recording of a meeting again that was requested as the
// teacher's own before.
func (s *Ingester) RequestOwnAgain(ctx context.Context, x store.Session, uuid, why string) error {
	i, err := store.IngestOfMeeting(ctx, x, uuid)
	if err != nil {
		return catalog.IgnoreNotFound(err)
	}
	return s.requestAgain(ctx, x, i, why)
}

// requestAgain requests an ingest that is there.
func (s *Ingester) requestAgain(ctx context.Context, x store.Session, i store.Ingest, why string) error {
	if i.MeetingUUID != "" {
		return s.RequestOwn(ctx, x, i.MeetingUUID, i.TeacherID, why)
	}
	return s.Request(ctx, x, i.LessonID, why)
}

// FileOwn requests the recordings of all lessons that meetings belong to whose recording
// is still their teacher's own, so that these go to the lessons.
func (s *Ingester) FileOwn(ctx context.Context) error {
	var lessons []int64
	err := s.deps.Store.View(ctx, "syncer: own recordings of lessons", func(x store.Session) (err error) {
		lessons, err = store.LessonsOfOwnIngests(ctx, x)
		return err
	})
	for _, lesson := range lessons {
		if err != nil {
			return err
		}
		err = s.deps.Store.Update(ctx, "syncer: file own recordings", func(x store.Session) error {
			return s.Request(ctx, x, lesson, "its meeting belongs to it now")
		})
	}
	return err
}

// fileOwn brings the recordings of a lesson's meetings that were requested as the
// teacher's own to the lesson. Where the lesson has no recording, the row moves; where it
// has one and Zoom still has the parts, they become its segments, and the teacher's own is
// removed once they are in the verified archive; else it is a second recording of the
// lesson. wait says that a run has to end first: it files them then.
//
// settled says that a run of the lesson's ingest has just seen to all of its meetings:
// parts that it left out stay a recording of their own beside it.
func (s *Ingester) fileOwn(ctx context.Context, x store.Session, l store.Lesson, settled bool) (wait bool, err error) {
	own, err := store.OwnIngestsOfLesson(ctx, x, l.ID)
	if err != nil {
		return false, err
	}
	for _, i := range own {
		if s.deps.Observer.On() && (i.RecordingID != 0 || i.Archived()) {
			s.deps.Observer.Would(ctx, "file a teacher's own recording with its lesson", slog.Int64("recording", i.RecordingID), slog.Int64("lesson", l.ID))
			wait = true
			continue
		}
		busy, err := s.fileOne(ctx, x, l, i, settled)
		if err != nil {
			return false, err
		}
		wait = wait || busy
	}
	return wait, nil
}

func (s *Ingester) fileOne(ctx context.Context, x store.Session, l store.Lesson, own store.Ingest, settled bool) (wait bool, err error) {
	m, err := store.LoadMeeting(ctx, x, own.MeetingUUID)
	if err != nil {
		return false, err
	}
	row, err := store.LoadRecording(ctx, x, own.RecordingID, true)
	if err != nil && !catalog.IsNotFound(err) {
		return false, err
	}
	if own.State() == store.Removed || err == nil && row.Deleted {
		// People removed it: it does not come back as a part of another.
		return false, store.SetSeparate(ctx, x, m.UUID, true)
	}
	if own.Lease != "" || own.Archived() && (own.StagedKey != "" || own.OriginalKey != "") {
		return true, nil // a run is at work, or its last step is left
	}
	of, err := store.IngestOfLesson(ctx, x, l.ID)
	known := err == nil
	switch {
	case err != nil && !catalog.IsNotFound(err):
		return false, err
	case !own.Archived() && !known:
		return false, s.move(ctx, x, own, row, m, l)
	case !own.Archived() && own.ArchiveKey != "" && own.State() == store.Waiting:
		return true, nil // its file may be there already: the next run verifies it
	case !own.Archived():
		return false, store.DropIngest(ctx, x, own, fmt.Sprintf("its meeting belongs to lesson %d", l.ID), s.now())
	case known && of.Lease != "":
		return true, nil
	}
	ownNames, err := store.ArchivedNames(ctx, x, own)
	if err != nil {
		return false, err
	}
	ofNames, err := store.ArchivedNames(ctx, x, of)
	if err != nil {
		return false, err
	}
	beside, err := store.FileBytes(ctx, x, own.RecordingID)
	if err != nil {
		return false, err
	}
	has, err := s.clearPlace(ctx, x, l, of, known)
	switch {
	case err != nil:
		return false, err
	case !has:
		return false, s.move(ctx, x, own, row, m, l)
	case known && of.Archived() && contains(ofNames, ownNames):
		return false, s.removeJoined(ctx, x, own, row, of)
	case known && !settled && of.State() == store.Done && of.Archived() && allAtZoom([]store.Meeting{m}, ownNames):
		room, err := s.roomFor(ctx, x, l.TeacherID, own.Size+beside)
		if err != nil || room {
			return false, err // its parts are in the plan of the lesson's ingest
		}
	}
	return false, s.moveBeside(ctx, x, own, row, m, l)
}

func contains(all, some []string) bool {
	return !slices.ContainsFunc(some, func(name string) bool { return !slices.Contains(all, name) })
}

// roomFor reports whether a teacher's quota has room for bytes.
func (s *Ingester) roomFor(ctx context.Context, x store.Session, teacher, size int64) (bool, error) {
	q, err := store.LoadQuota(ctx, x, teacher, s.now())
	return q.Used+q.Reserved+size <= q.Total, err
}

// clearPlace reports whether a lesson has a recording. Where it has none, what only
// waited for one is given up: the lesson's ingest, and rows without bytes.
func (s *Ingester) clearPlace(ctx context.Context, x store.Session, l store.Lesson, of store.Ingest, known bool) (has bool, err error) {
	rows, err := store.RecordingsOfLesson(ctx, x, l.ID)
	if err != nil {
		return false, err
	}
	plays := func(r store.Recording) bool { return !r.Deleted && r.Playable() }
	if slices.ContainsFunc(rows, plays) || known && (of.Archived() || len(of.Parts()) > 0 || of.State() == store.Removed) {
		return true, nil
	}
	const why = "another recording was assigned to its lesson"
	if known {
		if err := store.DropIngest(ctx, x, of, why, s.now()); err != nil {
			return false, err
		}
	}
	for _, r := range rows {
		if !r.Deleted && r.Location().Key == "" && (r.Status == media.StatusProcessing || r.Status == media.StatusFailed) {
			if err := store.DiscardRecording(ctx, x, r.ID, why, s.now()); err != nil {
				return false, err
			}
		}
	}
	return false, nil
}

// move makes a teacher's own recording, archived or not, that of a lesson which has none.
func (s *Ingester) move(ctx context.Context, x store.Session, own store.Ingest, row store.Recording, m store.Meeting, l store.Lesson) error {
	if err := s.moveRow(ctx, x, own, row, m, l); err != nil {
		return err
	}
	if err := store.SetIngestLesson(ctx, x, own.ID, l.ID, "", s.now()); err != nil {
		return err
	}
	own.TeacherID = l.TeacherID
	if _, err := store.SaveIngest(ctx, x, own, own.Lease, s.now()); err != nil {
		return err
	}
	return store.AppendHistory(ctx, x, store.HistoryEntry{At: s.now(), IngestID: own.ID, RecordingID: row.ID, What: fmt.Sprintf("moved to lesson %d", l.ID), Detail: "its meeting belongs to it"})
}

// moveBeside makes a teacher's own recording a second one of a lesson.
func (s *Ingester) moveBeside(ctx context.Context, x store.Session, own store.Ingest, row store.Recording, m store.Meeting, l store.Lesson) error {
	if err := s.moveRow(ctx, x, own, row, m, l); err != nil {
		return err
	}
	if err := store.SetSeparate(ctx, x, m.UUID, true); err != nil {
		return err
	}
	return store.AppendHistory(ctx, x, store.HistoryEntry{At: s.now(), IngestID: own.ID, RecordingID: row.ID, What: fmt.Sprintf("moved to lesson %d", l.ID), Detail: "as a second recording of it"})
}

// moveRow moves a row to a lesson, with who may watch it, until when, and who pays.
func (s *Ingester) moveRow(ctx context.Context, x store.Session, own store.Ingest, row store.Recording, m store.Meeting, l store.Lesson) error {
	if row.ID == 0 {
		return nil
	}
	until := row.AvailableUntil
	if own.Archived() && l.KeepDays > 0 {
		until = s.now().AddDate(0, 0, int(l.KeepDays))
	}
	if err := store.MoveRecording(ctx, x, row.ID, l.ID, 0, m.Title(), until, s.now()); err != nil {
		return err
	}
	if own.Archived() && own.TeacherID != l.TeacherID {
		beside, err := store.FileBytes(ctx, x, row.ID)
		if err != nil {
			return err
		}
		if err := store.Refund(ctx, x, row.ID, own.TeacherID, own.Size+beside, s.now()); err != nil {
			return err
		}
		warn, q, err := store.Commit(ctx, x, row.ID, l.TeacherID, own.Size+beside, s.now())
		if err != nil {
			return err
		}
		if warn {
			if err := s.deps.Alerts.WarnQuota(ctx, x, q); err != nil {
				return err
			}
		}
	}
	return applyPrivacy(ctx, x, l, row.ID, s.cfg.PlatformRule, s.now())
}

// removeJoined removes a teacher's own recording all of whose parts are in the verified
// archive of a lesson's. Its bytes go with the purge.
func (s *Ingester) removeJoined(ctx context.Context, x store.Session, own store.Ingest, row store.Recording, of store.Ingest) error {
	if row.ID != 0 {
		if err := s.adoptCompanions(ctx, x, row.ID, of); err != nil {
			return err
		}
		if _, err := store.RemoveRecording(ctx, x, row.ID, fmt.Sprintf("it is a part of recording %d now", of.RecordingID), s.now()); err != nil {
			return err
		}
		if err := store.Refund(ctx, x, row.ID, own.TeacherID, own.Size, s.now()); err != nil {
			return err
		}
	}
	if err := store.DeleteIngest(ctx, x, own.ID); err != nil {
		return err
	}
	return store.AppendHistory(ctx, x, store.HistoryEntry{At: s.now(), IngestID: of.ID, RecordingID: row.ID, What: "joined into the lesson's recording", Detail: fmt.Sprintf("recording %d", of.RecordingID)})
}

// adoptCompanions gives the companions of a teacher's own recording to the lesson's, which
// lacks them: Zoom may have trashed its copies.
func (s *Ingester) adoptCompanions(ctx context.Context, x store.Session, own int64, of store.Ingest) error {
	mine, err := store.Companions(ctx, x, own)
	if err != nil {
		return err
	}
	theirs, err := store.Companions(ctx, x, of.RecordingID)
	if err != nil || len(mine) == 0 {
		return err
	}
	return s.changeFiles(ctx, x, of.ID, anyRoom, func(store.Recording) error {
		for _, f := range mine {
			known := slices.ContainsFunc(theirs, func(t store.RecordingFile) bool { return t.ZoomFile == f.ZoomFile && t.Verified() })
			if !f.Verified() || known {
				continue
			}
			if err := store.ReassignFile(ctx, x, f.ID, of.RecordingID); err != nil {
				return err
			}
		}
		return nil
	})
}

// fileAfterRun follows the end of a run: what waited for it is filed now.
func (s *Ingester) fileAfterRun(ctx context.Context, i store.Ingest) error {
	return s.deps.Store.Update(ctx, "syncer: file own recordings", func(x store.Session) error {
		lesson := i.LessonID
		if i.MeetingUUID != "" {
			m, err := store.LoadMeeting(ctx, x, i.MeetingUUID)
			if err != nil || m.LessonID == 0 || m.Separate {
				return catalog.IgnoreNotFound(err)
			}
			return s.Request(ctx, x, m.LessonID, "its meeting belongs to it now")
		}
		l, err := store.LoadLesson(ctx, x, lesson)
		if err != nil {
			return catalog.IgnoreNotFound(err)
		}
		_, err = s.fileOwn(ctx, x, l, i.State() == store.Done)
		return err
	})
}
