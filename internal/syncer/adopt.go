package syncer

import (
	"context"
	"fmt"
	"strings"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// adopt finds or makes the recording's row. done says that there is nothing to do
// after all: it was removed here, or archived by the platform.
func (w *ingest) adopt(ctx context.Context) (done bool, err error) {
	err = w.s.deps.Store.Update(ctx, "syncer: the recording's row", func(x store.Session) error {
		done = false
		rows, err := store.RecordingsOfLesson(ctx, x, w.row.LessonID)
		if err != nil {
			return err
		}
		meetings, err := store.MeetingsOf(ctx, x, w.row.LessonID)
		if err != nil {
			return err
		}
		row, found := chooseRow(rows, w.row, meetings)
		switch {
		case found && row.Deleted:
			w.row.State, done = store.Removed, true
			w.row.RecordingID = row.ID
			if err := store.Release(ctx, x, row.ID, w.s.now()); err != nil {
				return err
			}
			return w.save(ctx, x, "removed here, it does not come back", "")
		case found && w.row.RecordingID == 0 && archivedElsewhere(row):
			w.row.State, w.row.RecordingID, w.row.ArchivedParts, done = store.Done, row.ID, strings.Join(w.plan.names(), "\n"), true
			return w.save(ctx, x, "archived already, by the platform", "")
		case found:
			w.row.RecordingID = row.ID
			listed, err := store.HasViewers(ctx, x, row.ID)
			if err != nil {
				return err
			}
			if !listed {
				visibility, err := w.s.applyPrivacy(ctx, x, row.ID, w.lesson)
				if err != nil {
					return err
				}
				if err := store.SetVisibility(ctx, x, row.ID, visibility, w.s.now()); err != nil {
					return err
				}
			}
			if row.Status != media.StatusReady && row.Status != media.StatusArchived {
				if err := store.SetStatus(ctx, x, row.ID, media.StatusProcessing, w.s.now()); err != nil {
					return err
				}
			}
		default:
			id, err := store.AddRecording(ctx, x, store.Recording{
				LessonID: w.row.LessonID, ZoomRecordingID: w.plan.zoomID(), View: w.plan.view, Provider: w.s.deps.Target.Provider(),
				Visibility: media.VisibleLessonGroup, Start: w.plan.start(), End: w.plan.end(),
			}, w.s.now())
			if err != nil {
				return err
			}
			visibility, err := w.s.applyPrivacy(ctx, x, id, w.lesson)
			if err != nil {
				return err
			}
			if err := store.SetVisibility(ctx, x, id, visibility, w.s.now()); err != nil {
				return err
			}
			w.row.RecordingID = id
		}
		return w.save(ctx, x, "taken up", fmt.Sprintf("%d part(s): %s", len(w.plan.parts), strings.Join(w.plan.names(), ", ")))
	})
	return done, err
}

// chooseRow finds the row that stands for Zoom's recording of the lesson: the one
// made before, one that names one of its files, or one that waits for a recording.
// Rows of other things (an upload, a soundtrack) are left alone. It is pure.
func chooseRow(rows []store.Recording, i store.Ingest, meetings []store.Meeting) (store.Recording, bool) {
	names := map[string]bool{}
	for _, m := range meetings {
		names["bundle_"+m.UUID], names["bundle_"+m.MeetingID] = true, true
		for _, f := range m.Files {
			if f.Type == "MP4" || i.LessonID != 0 && f.Type == "M4A" && f.View == "audio_only" {
				names[f.ID] = f.Type == "MP4" || names[f.ID]
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

// archivedElsewhere reports whether a row plays from an archive already.
func archivedElsewhere(r store.Recording) bool {
	return (r.Status == media.StatusReady || r.Status == media.StatusArchived) && r.Provider != media.ProviderZoom && r.Location().Key != ""
}
