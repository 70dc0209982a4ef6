package ingest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// ensureRecordingRow finds or creates the recording's row. done says that there is
// nothing to do after all: it was removed here, or the platform has archived all of it.
// What else Zoom has is joined with the platform's file then.
func (r *run) ensureRecordingRow(ctx context.Context) (done bool, err error) {
	adopted := false
	err = r.update(ctx, "syncer: the recording's row", func(x store.Session, i *store.Ingest) error {
		done, adopted = false, false
		rows, err := store.RecordingsOfIngest(ctx, x, *i)
		if err != nil {
			return err
		}
		meetings, err := store.MeetingsOfIngest(ctx, x, *i)
		if err != nil {
			return err
		}
		row, found := chooseRow(rows, *i, meetings)
		switch {
		case found && row.Deleted:
			done, i.RecordingID = true, row.ID
			return r.markRemoved(ctx, x, i, "removed here, it does not come back")
		case found && archivedByPlatform(row, *i):
			adopted, i.RecordingID = true, row.ID
			return r.adopt(ctx, x, i, row, meetings)
		case found:
			i.RecordingID = row.ID
			err = r.reuseRow(ctx, x, row)
		default:
			i.RecordingID, err = r.addRow(ctx, x)
		}
		if err != nil {
			return err
		}
		return r.history(ctx, x, i, "begun", fmt.Sprintf("%d part(s): %s", len(r.plan.parts), strings.Join(r.plan.names(), ", ")))
	})
	if err != nil || !adopted {
		return done, err
	}
	err = r.choose(ctx) // what is archived is known now
	return err == nil && (r.nothingLeft() || len(r.row.Parts()) == 0), err
}

// adopt records what the platform has archived: the parts that its row names, and their
// cost, which the platform has charged.
func (r *run) adopt(ctx context.Context, x store.Session, i *store.Ingest, row store.Recording, meetings []store.Meeting) error {
	names := partsOfRow(row.ZoomRecordingID, meetings, r.s.now())
	i.ArchivedParts = strings.Join(names, "\n")
	i.StagedKey, i.ArchiveKey = i.ArchiveKey, "" // what was uploaded meanwhile
	for _, m := range meetings {
		for _, f := range m.Files {
			if !slices.Contains(names, f.Name()) {
				continue
			}
			if err := store.MarkArchived(ctx, x, m.UUID, f.ID, f.Size, r.s.now()); err != nil {
				return err
			}
		}
	}
	if err := i.Apply(store.Archive); err != nil {
		return err
	}
	if err := store.AdoptCharge(ctx, x, row.ID, r.lesson.TeacherID, row.Size, r.s.now()); err != nil {
		return err
	}
	return r.history(ctx, x, i, "archived already, by the platform", strings.Join(names, ", "))
}

// partsOfRow are the parts that a row made by the platform stands for: the file that it
// names, or those of the meeting whose bundle it is, whether Zoom still has them or not. It
// is pure.
func partsOfRow(zoomID string, meetings []store.Meeting, now time.Time) []string {
	bundle, isBundle := strings.CutPrefix(zoomID, "bundle_")
	var bundled []store.Meeting
	for _, m := range meetings {
		for _, f := range m.Files {
			if f.ID == zoomID {
				return []string{f.Name()}
			}
		}
		if isBundle && (m.UUID == bundle || m.MeetingID == bundle) {
			m.Files = slices.Clone(m.Files)
			for n := range m.Files {
				f := &m.Files[n]
				f.GoneAt, f.TrashedAt, f.UnlistedAt = time.Time{}, time.Time{}, time.Time{}
			}
			bundled = append(bundled, m)
		}
	}
	return makePlan(bundled, nil, 0, now).names()
}

// markRemoved follows the discovery that the recording was removed here.
func (r *run) markRemoved(ctx context.Context, x store.Session, i *store.Ingest, what string) error {
	if err := i.Apply(store.Remove); err != nil {
		return err
	}
	if err := store.Release(ctx, x, i.RecordingID, r.s.now()); err != nil {
		return err
	}
	return r.history(ctx, x, i, what, "")
}

// reuseRow prepares a row that was there before. Its viewers stay as they are, if it
// has any.
func (r *run) reuseRow(ctx context.Context, x store.Session, row store.Recording) error {
	listed, err := store.HasViewers(ctx, x, row.ID)
	if err != nil {
		return err
	}
	if !listed && r.row.LessonID != 0 {
		if err := applyPrivacy(ctx, x, r.lesson, row.ID, r.s.cfg.PlatformRule, r.s.now()); err != nil {
			return err
		}
	}
	if row.Playable() {
		return nil
	}
	return store.SetStatus(ctx, x, row.ID, media.StatusProcessing, r.s.now())
}

// addRow creates a row and returns its id.
func (r *run) addRow(ctx context.Context, x store.Session) (int64, error) {
	row := store.Recording{
		LessonID: r.row.LessonID, ZoomRecordingID: r.plan.zoomID(), View: r.plan.view, Provider: r.s.deps.Target.Provider(),
		Visibility: media.VisibleLessonGroup, Start: r.plan.start(), End: r.plan.end(),
	}
	if r.row.LessonID == 0 {
		// A teacher's own: nobody is listed, so that nobody else sees it.
		row.TeacherID, row.Title, row.Visibility = r.row.TeacherID, r.lesson.Title, media.VisibleCustomStudents
	}
	id, err := store.AddRecording(ctx, x, row, r.s.now())
	if err != nil || r.row.LessonID == 0 {
		return id, err
	}
	return id, applyPrivacy(ctx, x, r.lesson, id, r.s.cfg.PlatformRule, r.s.now())
}

// chooseRow finds the row that stands for Zoom's recording of the lesson: the one
// made before, one that names one of its files, or one that waits for a recording.
// Rows of other things (an upload, a soundtrack) are left alone. It is pure.
func chooseRow(rows []store.Recording, i store.Ingest, meetings []store.Meeting) (store.Recording, bool) {
	names := map[string]bool{}
	for _, m := range meetings {
		names["bundle_"+m.UUID], names["bundle_"+m.MeetingID] = true, true
		for _, f := range m.Files {
			if f.Picture() || i.LessonID != 0 && f.MixedSound() {
				names[f.ID] = f.Picture() || names[f.ID]
			}
		}
	}
	var removed, waiting *store.Recording
	for n := range rows {
		r := &rows[n]
		switch {
		case i.RecordingID != 0 && r.ID == i.RecordingID:
			return *r, true
		case r.ZoomRecordingID != "" && names[r.ZoomRecordingID] && !r.Deleted:
			return *r, true
		case r.ZoomRecordingID != "" && names[r.ZoomRecordingID] && removed == nil:
			removed = r
		case !r.Deleted && waiting == nil && (r.Status == media.StatusProcessing || r.Status == media.StatusFailed) && r.Location().Key == "",
			!r.Deleted && waiting == nil && r.Provider == media.ProviderZoom:
			waiting = r
		}
	}
	switch {
	case removed != nil:
		return *removed, true
	case waiting != nil:
		return *waiting, true
	default:
		return store.Recording{}, false
	}
}

// archivedByPlatform reports whether a row plays what the platform has archived and the
// ingest has not recorded yet.
func archivedByPlatform(r store.Recording, i store.Ingest) bool {
	return !i.Archived() && len(i.Parts()) == 0 && archivedElsewhere(r) && r.Location().Key != i.ArchiveKey
}

// archivedElsewhere reports whether a row plays from an archive already.
func archivedElsewhere(r store.Recording) bool {
	return r.Playable() && r.Provider != media.ProviderZoom && r.Location().Key != ""
}
