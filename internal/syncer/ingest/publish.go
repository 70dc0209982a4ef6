package ingest

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/lectiospace/lectern/internal/archive"
	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/queue"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// publish makes the recording playable, commits its quota and ends the ingest, in one
// transaction. Only then may Zoom's copy go, and not at once.
func (r *run) publish(ctx context.Context, m joined, stored archive.Stored) error {
	now := r.s.now()
	// Neither the platform has archived it before nor, before a loss, we have.
	removed, first := false, !r.row.Archived() && len(r.row.Parts()) == 0 && r.row.Size == 0
	err := r.update(ctx, "syncer: publish", func(x store.Session, i *store.Ingest) error {
		removed = false
		// The ingest first, then the row, then the quota: always in this order.
		if _, err := store.LoadIngest(ctx, x, i.ID, true); err != nil {
			return err
		}
		row, err := store.LoadRecording(ctx, x, i.RecordingID, true)
		if err != nil && !catalog.IsNotFound(err) {
			return err
		}
		if catalog.IsNotFound(err) || row.Deleted {
			removed = true
			return nil
		}
		if archivedByPlatform(row, *i) {
			return &notYet{now.Add(time.Second), "the platform has archived it meanwhile"}
		}
		if err := r.checkStillAtZoom(ctx, x); err != nil {
			return err
		}
		return r.commit(ctx, x, i, row, m, stored, now)
	})
	if err != nil {
		return err
	}
	if removed {
		return r.revert(ctx)
	}
	r.deleteReplaced(ctx, m)
	r.s.metrics.bytes.Add(float64(m.size))
	r.s.metrics.seconds.Observe(r.s.now().Sub(r.began).Seconds())
	if first && !queue.InBackfill(ctx) {
		r.s.metrics.delay.Observe(max(0, now.Sub(r.row.CreatedAt).Seconds()))
	}
	r.log.Info("ingest: recording archived", slog.Int64("recording", r.row.RecordingID), slog.Int64("bytes", m.size), slog.Int("parts", len(r.plan.parts)),
		slog.String("took", r.s.now().Sub(r.began).Round(time.Millisecond).String()))
	return nil
}

// commit writes what publish makes true.
func (r *run) commit(ctx context.Context, x store.Session, i *store.Ingest, row store.Recording, m joined, stored archive.Stored, now time.Time) error {
	if !i.Archived() && len(i.Parts()) == 0 {
		row.AvailableUntil = time.Time{}
		if r.lesson.KeepDays > 0 {
			row.AvailableUntil = now.AddDate(0, 0, int(r.lesson.KeepDays))
		}
	}
	size := row.Size
	if m.path != "" {
		size = m.size
		r.fill(&row, m, stored)
		if _, err := store.Publish(ctx, x, row, now); err != nil {
			return err
		}
	}
	if err := r.commitBeside(ctx, x, m, now); err != nil {
		return err
	}
	kept, err := r.keepSound(ctx, x, *i, m)
	if err != nil {
		return err
	}
	beside, err := store.FileBytes(ctx, x, row.ID)
	if err != nil {
		return err
	}
	warn, quota, err := store.Commit(ctx, x, row.ID, r.lesson.TeacherID, size+beside, now)
	if err != nil {
		return err
	}
	if warn {
		if err := r.s.deps.Alerts.WarnQuota(ctx, x, quota); err != nil {
			return err
		}
	}
	if m.path != "" {
		if err := r.forgetReplaced(ctx, x, *i, m); err != nil {
			return err
		}
	}
	for _, f := range r.plan.parts {
		if r.plan.isKept(f) {
			continue // the archive has its earlier version
		}
		if err := store.MarkArchived(ctx, x, f.MeetingUUID, f.ID, f.Size, now); err != nil {
			return err
		}
	}
	if err := i.Apply(store.Archive); err != nil {
		return err
	}
	if m.path != "" {
		if i.Archived() {
			i.OriginalKey, i.ArchiveKey, i.StagedKey = i.ArchiveKey, stored.Key, ""
			if kept {
				i.OriginalKey = "" // it is a companion's now
			}
		}
		i.ArchivedParts, i.ArchivedVersion = strings.Join(plan{parts: m.of}.names(), "\n"), stored.Version
		i.Size, i.MD5, i.SHA256 = m.size, m.md5, m.sha256
	}
	if m.path != "" || i.Archived() {
		i.VerifiedAt = now
	}
	i.Retakes, i.RetakenAt, i.RetakeAt = 0, time.Time{}, time.Time{}
	for _, note := range m.notes {
		if err := r.history(ctx, x, i, note.what, note.detail); err != nil {
			return err
		}
	}
	if m.path != "" {
		if err := r.history(ctx, x, i, "archived", fmt.Sprintf("%s, %s, version %s", stored.Key, media.Size(m.size), stored.Version)); err != nil {
			return err
		}
	}
	for _, f := range m.beside {
		if err := r.history(ctx, x, i, "part archived beside it", fmt.Sprintf("%s, %s, of %s", f.ArchiveKey, media.Size(f.Size), f.ZoomFile)); err != nil {
			return err
		}
	}
	if r.s.cfg.DeleteFromZoom {
		if err := r.s.deps.Queue.EnqueueTrash(ctx, x, i.ID, now.Add(r.s.cfg.ZoomTrashAfter)); err != nil {
			return err
		}
	}
	if m.path != "" {
		if err := r.s.deps.Derived.Request(ctx, x, row.ID); err != nil {
			return err
		}
	}
	return r.s.enqueueFollowers(ctx, x, i.ID)
}

// keepSound makes the archived file a companion where a video takes the place of a sound that
// Zoom has no more, and reports whether it has: nothing else is left of that sound.
func (r *run) keepSound(ctx context.Context, x store.Session, i store.Ingest, m joined) (kept bool, err error) {
	if m.path == "" || !i.Archived() {
		return false, nil
	}
	meetings, err := store.MeetingsOfIngest(ctx, x, i)
	sounds := archivedFiles(meetings, i)
	names := plan{parts: m.of}.names()
	only := func(f store.File) bool { return f.LessonSound() && f.LeftZoom() && !slices.Contains(names, f.Name()) }
	if err != nil || len(sounds) == 0 || slices.ContainsFunc(sounds, func(f store.File) bool { return !only(f) }) {
		return false, err
	}
	if kind, _ := sounds[0].CompanionKind(); !r.s.cfg.Companions.Wants(kind) {
		return false, nil
	}
	f := companionRow(i.RecordingID, sounds[0], meetings, media.Location{Provider: i.Provider, Key: i.ArchiveKey})
	if f.ID, err = store.AddRecordingFile(ctx, x, f, r.s.now()); err != nil {
		return false, err
	}
	f.Size, f.MD5, f.SHA256, f.ArchivedVersion, f.VerifiedAt = i.Size, i.MD5, i.SHA256, i.ArchivedVersion, i.VerifiedAt
	for _, part := range sounds {
		f.Duration += playedFor(part)
	}
	if err := store.SaveRecordingFile(ctx, x, f); err != nil {
		return false, err
	}
	return true, r.history(ctx, x, &i, "sound kept beside the video", fmt.Sprintf("%s: %s, %s", f.ZoomFile, f.ArchiveKey, media.Size(f.Size)))
}

// forgetReplaced notes that the archive no longer holds the parts of the earlier version that
// the new one is not made of, as a sound is replaced by the picture that comes after all. Those
// that are at Zoom still may be archived beside the recording; see keepSound for the others.
func (r *run) forgetReplaced(ctx context.Context, x store.Session, i store.Ingest, m joined) error {
	now := plan{parts: m.of}.names()
	replaced := slices.DeleteFunc(i.Parts(), func(name string) bool { return slices.Contains(now, name) })
	if len(replaced) == 0 {
		return nil
	}
	meetings, err := store.MeetingsOfIngest(ctx, x, i)
	if err != nil {
		return err
	}
	for _, meeting := range meetings {
		for _, f := range meeting.Files {
			if !slices.Contains(replaced, f.Name()) {
				continue
			}
			if err := store.MarkArchived(ctx, x, f.MeetingUUID, f.ID, 0, time.Time{}); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkStillAtZoom is errGone when a part was removed at Zoom while the run was under
// way, and a notYet when one belongs elsewhere now.
func (r *run) checkStillAtZoom(ctx context.Context, x store.Session) error {
	meetings, err := store.MeetingsOfIngest(ctx, x, r.row)
	switch {
	case err != nil:
		return err
	case lostAtZoom(r.plan.names(), meetings):
		return errGone
	case movedAway(r.plan.names(), meetings):
		return r.planAgain()
	default:
		return nil
	}
}

// fill writes what is known now into the recording's row.
func (r *run) fill(row *store.Recording, m joined, stored archive.Stored) {
	of := plan{parts: m.of}
	row.ZoomRecordingID, row.View = of.zoomID(), m.of[0].View
	row.SetLocation(media.Location{Provider: r.row.Provider, Key: stored.Key}, stored.Folder, stored.URL)
	row.Size = m.size
	row.Start, row.End = of.start(), of.end()
	duration := m.duration
	if duration <= 0 {
		for _, f := range m.of {
			duration += max(0, f.End.Sub(f.Start))
		}
	}
	row.Seconds = int64((duration + time.Second/2) / time.Second)
	if row.End.IsZero() {
		row.End = row.Start.Add(duration)
	}
}

// revert deletes what was archived of a recording that was removed meanwhile. What had
// been archived before is the purge's to delete, after the grace in which the removal can be
// undone.
func (r *run) revert(ctx context.Context) error {
	if r.row.Archived() {
		if err := r.removeStaged(ctx); err != nil {
			return err
		}
		return r.update(ctx, "syncer: removed meanwhile", func(x store.Session, i *store.Ingest) error {
			return r.markRemoved(ctx, x, i, "removed while a later segment was being archived")
		})
	}
	target, err := r.s.deps.Archives.Get(r.row.Provider)
	if err != nil {
		return failedAt(atArchive, err)
	}
	if err := target.Remove(ctx, r.row.ArchiveKey); err != nil {
		return failedAt(atArchive, err)
	}
	r.archived = false
	return r.update(ctx, "syncer: removed meanwhile", func(x store.Session, i *store.Ingest) error {
		return r.markRemoved(ctx, x, i, "removed while it was being archived")
	})
}
