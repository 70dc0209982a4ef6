package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/queue"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// RecordLoss follows the discovery that the archive no longer holds what an ingest put
// there: it is archived again while Zoom has all parts of it, else it has failed until Zoom
// lists one of them, recovered from its trash. An ingest that has changed since i was loaded
// is left alone.
func (s *Ingester) RecordLoss(ctx context.Context, i store.Ingest) error {
	if s.deps.Observer.On() {
		s.deps.Observer.Would(ctx, "record that an archived file is gone", slog.Int64("recording", i.RecordingID), slog.String("key", i.ArchiveKey))
		return nil
	}
	return s.deps.Store.Update(ctx, "syncer: lost from the archive", func(x store.Session) error {
		now, err := store.LoadIngest(ctx, x, i.ID, true)
		if err != nil || now.Lease != "" || now.ArchivedVersion != i.ArchivedVersion || now.ArchiveKey != i.ArchiveKey || now.Orphaned() || now.RecordingID == 0 {
			return catalog.IgnoreNotFound(err)
		}
		row, err := store.LoadRecording(ctx, x, now.RecordingID, true)
		if err != nil || row.Deleted {
			return catalog.IgnoreNotFound(err)
		}
		meetings, err := store.MeetingsOfIngest(ctx, x, now)
		if err != nil {
			return err
		}
		if allAtZoom(meetings, now.Parts()) {
			return s.refetch(ctx, x, now, meetings)
		}
		return s.fileLost(ctx, x, now, meetings)
	})
}

// allAtZoom reports whether Zoom still has every archived part. It is pure.
func allAtZoom(meetings []store.Meeting, parts []string) bool {
	for _, m := range meetings {
		for _, f := range m.Files {
			if slices.Contains(parts, f.Name()) && f.LeftZoom() {
				return false
			}
		}
	}
	return true
}

// recoverable reports whether Zoom has a file of meetings, or may still have it in its
// trash. It is pure.
func recoverable(meetings []store.Meeting, now time.Time) bool {
	for _, m := range meetings {
		for _, f := range m.Files {
			left := latest(f.TrashedAt, latest(f.GoneAt, f.UnlistedAt))
			if f.Media() && (left.IsZero() || now.Sub(left) < trashFor) {
				return true
			}
		}
	}
	return false
}

func (s *Ingester) fileLost(ctx context.Context, x store.Session, i store.Ingest, meetings []store.Meeting) error {
	if err := i.Apply(store.Lose); err != nil {
		return err
	}
	i.Reason, i.Detail = store.ReasonArchiveLost, "the file is gone from the archive, and Zoom's copy was trashed"
	if err := s.forgetArchive(ctx, x, i, meetings); err != nil {
		return err
	}
	if err := store.AppendHistory(ctx, x, store.HistoryEntry{At: s.now(), IngestID: i.ID, RecordingID: i.RecordingID, What: "lost from the archive", Detail: i.Provider + " " + i.ArchiveKey}); err != nil {
		return err
	}
	if err := store.SetStatus(ctx, x, i.RecordingID, media.StatusFailed, s.now()); err != nil {
		return err
	}
	return s.deps.Alerts.Raise(ctx, x, queue.AlertArgs{
		Key: alertKey(i), State: store.ReasonArchiveLost, Severity: "critical", Title: fmt.Sprintf("Recording %d is gone from the archive", i.RecordingID),
		Text: fmt.Sprintf("%s. Its history: `syncer explain %d`", store.Advice(store.ReasonArchiveLost), i.RecordingID),
	})
}

// RecordFileLoss follows the discovery that the archive no longer holds a file beside a
// recording: it is archived again while Zoom has it, else operators are told.
func (s *Ingester) RecordFileLoss(ctx context.Context, f store.RecordingFile) error {
	if s.deps.Observer.On() {
		s.deps.Observer.Would(ctx, "record that an archived part is gone", slog.Int64("recording", f.RecordingID), slog.String("key", f.ArchiveKey))
		return nil
	}
	if f.Derived() {
		return s.deps.Derived.Lost(ctx, f)
	}
	if f.Kind != store.KindPart {
		return s.recordCompanionLoss(ctx, f)
	}
	return s.recordPartLoss(ctx, f)
}

func (s *Ingester) recordCompanionLoss(ctx context.Context, f store.RecordingFile) error {
	err := s.deps.Store.Update(ctx, "syncer: a companion lost from the archive", func(x store.Session) error {
		i, err := store.IngestOfRecording(ctx, x, f.RecordingID)
		if err != nil {
			return catalog.IgnoreNotFound(err)
		}
		lost := false
		err = s.changeFiles(ctx, x, i.ID, anyRoom, func(store.Recording) error {
			now, err := store.LoadRecordingFile(ctx, x, f.ID)
			if err != nil || !now.RemovedAt.IsZero() || now.Location() != f.Location() {
				return catalog.IgnoreNotFound(err) // replaced, or moved
			}
			lost = true
			return store.MarkFilePurged(ctx, x, f.ID, s.now())
		})
		if err != nil || !lost {
			return err
		}
		err = store.AppendHistory(ctx, x, store.HistoryEntry{At: s.now(), IngestID: i.ID, RecordingID: f.RecordingID, What: "companion gone from the archive", Detail: f.Kind + ", " + f.ArchiveKey + ", of " + f.ZoomFile})
		if err != nil {
			return err
		}
		if f.Kind == string(media.CompanionAudio) { // it may have been the sound of the whole recording
			if err := s.deps.Derived.Again(ctx, x, f.RecordingID, store.DerivationSound); err != nil {
				return err
			}
		}
		meetings, err := store.MeetingsOfIngest(ctx, x, i)
		if err != nil {
			return err
		}
		if allAtZoom(meetings, []string{f.ZoomFile}) {
			return s.deps.Queue.EnqueueCompanions(ctx, x, i.ID)
		}
		return s.alertOfLoss(ctx, x, i, f, "A companion")
	})
	if errors.Is(err, errWithdrawn) {
		return nil
	}
	return err
}

// alertOfLoss tells operators of a file that neither the archive nor Zoom has any more.
func (s *Ingester) alertOfLoss(ctx context.Context, x store.Session, i store.Ingest, f store.RecordingFile, what string) error {
	return s.deps.Alerts.Raise(ctx, x, queue.AlertArgs{
		Key: alertKey(i) + ":lost:" + f.ZoomFile, State: store.ReasonArchiveLost, Severity: "critical", Title: fmt.Sprintf("%s of recording %d is gone from the archive", what, f.RecordingID),
		Text: fmt.Sprintf("%s. Its history: `syncer explain %d`", store.Advice(store.ReasonArchiveLost), f.RecordingID),
	})
}

func (s *Ingester) recordPartLoss(ctx context.Context, f store.RecordingFile) error {
	return s.deps.Store.Update(ctx, "syncer: a part lost from the archive", func(x store.Session) error {
		i, err := store.IngestOfRecording(ctx, x, f.RecordingID)
		if err != nil {
			return catalog.IgnoreNotFound(err)
		}
		if i, err = store.LoadIngest(ctx, x, i.ID, true); err != nil || i.Lease != "" || i.Orphaned() {
			return catalog.IgnoreNotFound(err) // a run at work may have replaced it
		}
		parts, err := store.RecordingParts(ctx, x, f.RecordingID)
		if err != nil || !slices.ContainsFunc(parts, func(p store.RecordingFile) bool { return p.ID == f.ID && p.Location() == f.Location() }) {
			return err
		}
		if err := store.MarkFilePurged(ctx, x, f.ID, s.now()); err != nil {
			return err
		}
		uuid, id := f.ZoomFile[:strings.LastIndexByte(f.ZoomFile, '/')], f.ZoomFile[strings.LastIndexByte(f.ZoomFile, '/')+1:]
		if err := store.MarkArchived(ctx, x, uuid, id, 0, time.Time{}); err != nil {
			return err
		}
		if err := store.AppendHistory(ctx, x, store.HistoryEntry{At: s.now(), IngestID: i.ID, RecordingID: f.RecordingID, What: "part gone from the archive", Detail: f.ArchiveKey + ", of " + f.ZoomFile}); err != nil {
			return err
		}
		meetings, err := store.MeetingsOfIngest(ctx, x, i)
		if err != nil {
			return err
		}
		if !allAtZoom(meetings, []string{f.ZoomFile}) {
			if err := s.alertOfLoss(ctx, x, i, f, "A part"); err != nil {
				return err
			}
		}
		return s.requestAgain(ctx, x, i, "a part of it is gone from the archive")
	})
}

// forgetArchive saves an ingest whose recording is not archived any more. Its key is given
// up. Parts beside the recording are as they were.
func (s *Ingester) forgetArchive(ctx context.Context, x store.Session, i store.Ingest, meetings []store.Meeting) error {
	parts, err := store.RecordingParts(ctx, x, i.RecordingID)
	if err != nil {
		return err
	}
	for _, m := range meetings {
		for _, f := range m.Files {
			if slices.ContainsFunc(parts, func(p store.RecordingFile) bool { return p.MadeOf(f) }) {
				continue
			}
			if err := store.MarkArchived(ctx, x, m.UUID, f.ID, 0, time.Time{}); err != nil {
				return err
			}
		}
	}
	i.ArchiveKey, i.ArchivedParts, i.ArchivedVersion, i.VerifiedAt = "", "", "", time.Time{}
	_, err = store.SaveIngest(ctx, x, i, "", s.now())
	return err
}

func (s *Ingester) refetch(ctx context.Context, x store.Session, i store.Ingest, meetings []store.Meeting) error {
	if err := i.Apply(store.Refetch); err != nil {
		return err
	}
	if err := s.forgetArchive(ctx, x, i, meetings); err != nil {
		return err
	}
	if err := store.SetStatus(ctx, x, i.RecordingID, media.StatusProcessing, s.now()); err != nil {
		return err
	}
	if err := store.AppendHistory(ctx, x, store.HistoryEntry{At: s.now(), IngestID: i.ID, RecordingID: i.RecordingID, What: "gone from the archive", Detail: "archived again from Zoom's copy"}); err != nil {
		return err
	}
	return s.requestAgain(ctx, x, i, "it is gone from the archive")
}
