package syncer

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/lectiospace/lectern/internal/archive"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// compareArchives finds what is archived and gone from there, and what lies there
// and belongs to nothing.
func (s *Syncer) compareArchives(ctx context.Context) error {
	for provider, a := range s.deps.Archives {
		if err := s.compareArchive(ctx, provider, a); err != nil {
			return err
		}
	}
	return nil
}

func (s *Syncer) compareArchive(ctx context.Context, provider string, a archive.Archive) error {
	var ours []store.Ingest
	// What is known is read before and after the list: a file that is new meanwhile is
	// no orphan, and one that is purged meanwhile not lost.
	err := s.deps.Store.View(ctx, "syncer: what is archived", func(x store.Session) error {
		all, err := store.IngestsInState(ctx, x, store.Done)
		ours = slices.DeleteFunc(all, func(i store.Ingest) bool { return i.Provider != provider || !i.Archived() || i.RecordingID == 0 })
		return err
	})
	if err != nil {
		return err
	}
	there := map[string]bool{}
	if err := a.List(ctx, func(o archive.Stored) error { there[o.Key] = true; return nil }); err != nil {
		return err
	}
	for _, i := range ours {
		if there[i.ArchiveKey] {
			continue
		}
		if _, err := a.Stat(ctx, i.ArchiveKey); media.KindOf(err) != media.NotFound {
			continue
		}
		if err := s.lost(ctx, i); err != nil {
			return err
		}
	}
	return s.tellOrphans(ctx, provider, there)
}

// tellOrphans reports files that belong to nothing here: their rows were deleted by
// the platform for good. They are not touched.
func (s *Syncer) tellOrphans(ctx context.Context, provider string, there map[string]bool) error {
	return s.deps.Store.Update(ctx, "syncer: orphans", func(x store.Session) error {
		known, err := store.ReferencedKeys(ctx, x, provider)
		if err != nil {
			return err
		}
		var orphans []string
		for key := range there {
			if !known[key] {
				orphans = append(orphans, key)
			}
		}
		slices.Sort(orphans)
		key := "archive.orphans." + provider
		if len(orphans) == 0 {
			return s.resolve(ctx, x, key, "No file in the archive is without a recording any more", "Nothing is left to do.")
		}
		s.log.Warn("files in the archive belong to no recording", slog.String("provider", provider), slog.Int("files", len(orphans)), slog.Any("first", orphans[:min(5, len(orphans))]))
		return s.raise(ctx, x, alertArgs{
			Key: key, State: fingerprint(orphans), Severity: "info",
			Title: fmt.Sprintf("%d file(s) in the archive %s belong to no recording", len(orphans), provider),
			Text:  strings.Join(orphans[:min(50, len(orphans))], "\n") + "\nTheir lessons were deleted on the platform. Delete the files there if they are not wanted.",
		})
	})
}

// lost takes up a recording again that has gone from the archive, from Zoom's copy
// while there is one; else it says that it is lost.
func (s *Syncer) lost(ctx context.Context, i store.Ingest) error {
	return s.deps.Store.Update(ctx, "syncer: lost from the archive", func(x store.Session) error {
		now, err := store.LoadIngest(ctx, x, i.ID, true)
		if err != nil || now.Lease != "" || now.ArchivedVersion != i.ArchivedVersion || now.LessonID == 0 || now.RecordingID == 0 {
			return ignoreNotFound(err)
		}
		row, err := store.LoadRecording(ctx, x, now.RecordingID, true)
		if err != nil || row.Deleted {
			return ignoreNotFound(err)
		}
		meetings, err := store.MeetingsOf(ctx, x, now.LessonID)
		if err != nil {
			return err
		}
		atZoom := true
		for _, m := range meetings {
			for _, f := range m.Files {
				if slices.Contains(now.Parts(), m.UUID+"/"+f.ID) && (!f.TrashedAt.IsZero() || !f.GoneAt.IsZero()) {
					atZoom = false
				}
			}
		}
		key := fmt.Sprintf("ingest:%d", now.ID)
		if !atZoom {
			now.State, now.Reason, now.Detail = store.Failed, reasonArchiveLost, "the file is gone from the archive, and Zoom's copy was trashed"
			if _, err := store.SaveIngest(ctx, x, now, "", s.now()); err != nil {
				return err
			}
			if err := store.SetStatus(ctx, x, row.ID, media.StatusFailed, s.now()); err != nil {
				return err
			}
			return s.raise(ctx, x, alertArgs{
				Key: key, State: reasonArchiveLost, Severity: "critical", Title: fmt.Sprintf("Recording %d is gone from the archive", row.ID),
				Text: fmt.Sprintf("Lesson %d: %s. Its story: `syncer explain %d`", now.LessonID, advice[reasonArchiveLost], row.ID),
			})
		}
		for _, m := range meetings {
			for _, f := range m.Files {
				if err := store.MarkArchived(ctx, x, m.UUID, f.ID, time.Time{}); err != nil {
					return err
				}
			}
		}
		now.State, now.ArchiveKey, now.ArchivedParts, now.ArchivedVersion, now.VerifiedAt = store.Waiting, "", "", "", time.Time{}
		if _, err := store.SaveIngest(ctx, x, now, "", s.now()); err != nil {
			return err
		}
		if err := store.SetStatus(ctx, x, row.ID, media.StatusProcessing, s.now()); err != nil {
			return err
		}
		if err := store.AppendHistory(ctx, x, store.HistoryEntry{At: s.now(), IngestID: now.ID, RecordingID: row.ID, What: "gone from the archive", Detail: "archived again from Zoom's copy"}); err != nil {
			return err
		}
		return s.takeUp(ctx, x, now.LessonID, "it is gone from the archive")
	})
}
