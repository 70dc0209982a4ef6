package store_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/catalog/catalogtest"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// TestRecordingFiles: files beside a recording from their upload to their purge, and what
// the quota, the purge and the search for orphans see of them, in every kind of database.
func TestRecordingFiles(t *testing.T) {
	catalogtest.Each(t, func(t *testing.T, db *catalogtest.DB) {
		err := db.Update(t.Context(), "test", func(x store.Session) error { return fileLife(t.Context(), t, x) })
		if err != nil {
			t.Fatal(err)
		}
	})
}

func fileLife(ctx context.Context, t *testing.T, x store.Session) error {
	_, before, _, err := store.RecomputeUsage(ctx, x, teacher, now)
	if err != nil {
		return err
	}
	recording, err := store.AddRecording(ctx, x, store.Recording{TeacherID: teacher, Provider: media.ProviderLocal, Visibility: media.VisibleCustomStudents, Start: now}, now)
	if err != nil {
		return err
	}
	if _, err := store.Publish(ctx, x, store.Recording{ID: recording, Provider: media.ProviderLocal, ArchiveKey: "main", Size: 100}, now); err != nil {
		return err
	}
	var files []store.RecordingFile
	for _, f := range []store.RecordingFile{
		{Kind: store.KindPart, Position: 2, ArchiveKey: "second", ZoomFile: "u/2", Size: 20, VerifiedAt: now},
		{Kind: store.KindPart, Position: 0, ArchiveKey: "first", ZoomFile: "u/0", Size: 10, VerifiedAt: now},
		{Kind: store.KindPart, Position: 3, ArchiveKey: "uploading", ZoomFile: "u/3", Size: 5},
		{Kind: "chat", ArchiveKey: "chat", ZoomFile: "u/c", Size: 1 << 10, VerifiedAt: now},
		{Kind: "audio", ArchiveKey: "audio", ZoomFile: "u/a", Size: 2 << 20, VerifiedAt: now},
		{Kind: "storyboard", ArchiveKey: "made here", Size: 3 << 20, VerifiedAt: now},
	} {
		f.RecordingID, f.Provider, f.MD5, f.SHA256, f.Duration, f.Tried = recording, media.ProviderLocal, "m", "s", 1500*time.Millisecond, "join"
		if f.ID, err = store.AddRecordingFile(ctx, x, f, now); err != nil {
			return err
		}
		if err := store.SaveRecordingFile(ctx, x, f); err != nil {
			return err
		}
		files = append(files, f)
	}
	parts, err := store.RecordingParts(ctx, x, recording)
	if err != nil || len(parts) != 3 || parts[0] != files[1] || parts[1].ID != files[0].ID || parts[2].Verified() {
		t.Errorf("parts: %+v, %v", parts, err)
	}
	names, err := store.ArchivedNames(ctx, x, store.Ingest{RecordingID: recording, ArchivedParts: "u/1"})
	if err != nil || !slices.Equal(names, []string{"u/1", "u/0", "u/2"}) {
		t.Errorf("archived: %v, %v", names, err)
	}
	// Parts count, and companions of Zoom's from 1 MiB on.
	if n, err := store.FileBytes(ctx, x, recording); err != nil || n != 30+2<<20 {
		t.Errorf("%d bytes beside it, %v", n, err)
	}
	if _, after, _, err := store.RecomputeUsage(ctx, x, teacher, now); err != nil || after.Used-before.Used != 130+2<<20 || after.Recordings-before.Recordings != 1 {
		t.Errorf("usage: %+v became %+v, %v", before, after, err)
	}
	keys := func(want ...string) {
		t.Helper()
		known, err := store.ReferencedKeys(ctx, x, media.ProviderLocal)
		for _, f := range files {
			if known[f.ArchiveKey] != slices.Contains(want, f.ArchiveKey) {
				t.Errorf("%q is referenced: %t, %v", f.ArchiveKey, known[f.ArchiveKey], err)
			}
		}
	}
	keys("first", "second", "uploading", "chat", "audio", "made here")
	files[0].RemovedAt = now
	if err := store.SaveRecordingFile(ctx, x, files[0]); err != nil {
		return err
	}
	replaced := func(failedBefore time.Time, want int) {
		t.Helper()
		if got, err := store.ReplacedFiles(ctx, x, failedBefore); err != nil || len(got) != want {
			t.Errorf("to be deleted: %+v, %v", got, err)
		}
	}
	replaced(now, 1)
	if err := store.MarkFilePurgeFailed(ctx, x, files[0].ID, now); err != nil {
		return err
	}
	replaced(now.Add(-time.Minute), 0)
	replaced(now, 1)
	if err := store.MarkFilePurged(ctx, x, files[0].ID, now); err != nil {
		return err
	}
	replaced(now, 0)
	keys("first", "uploading", "chat", "audio", "made here")
	if verified, err := store.VerifiedFiles(ctx, x, media.ProviderLocal); err != nil || len(verified) != 4 || verified[0].ArchiveKey != "first" {
		t.Errorf("verified: %+v, %v", verified, err)
	}
	if left, err := store.UnpurgedFiles(ctx, x, recording); err != nil || len(left) != 5 {
		t.Errorf("left: %+v, %v", left, err)
	}
	// A removed recording is purged for its files alone.
	if _, err := x.Exec(ctx, `UPDATE public.schedule_lessonrecording SET archive_key = '' WHERE id = $1`, recording); err != nil {
		return err
	}
	if _, err := store.RemoveRecording(ctx, x, recording, "", now); err != nil {
		return err
	}
	due, err := store.Purgeable(ctx, x, now)
	if !slices.ContainsFunc(due, func(r store.Recording) bool { return r.ID == recording }) {
		t.Errorf("purgeable: %+v, %v", due, err)
	}
	return err
}
