package demo

import (
	"context"
	"crypto/md5" //nolint:gosec // checksums as archives have them
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/demo/lessons"
	"github.com/lectiospace/lectern/internal/media"
	syncstore "github.com/lectiospace/lectern/internal/syncer/store"
)

// fillSyncerTables adds what a syncer would have written: the files that accompany lessons,
// captions, chapters, the reason why one lesson failed, and how full the teachers' storage is.
func fillSyncerTables(ctx context.Context, store *catalog.Store, provider string, now time.Time) error {
	return store.Update(ctx, "demo: fill the syncer's tables", func(x catalog.Session) error {
		for _, fill := range []func(context.Context, catalog.Session, time.Time) error{addTexts, failIngest, syncstore.FillUsage} {
			if err := fill(ctx, x, now); err != nil {
				return err
			}
		}
		return addCompanions(ctx, x, provider, now)
	})
}

// addTexts adds captions and chapters.
func addTexts(ctx context.Context, x catalog.Session, now time.Time) error {
	tracks, err := lessons.Tracks()
	if err != nil {
		return err
	}
	for _, track := range tracks {
		if _, err := syncstore.PutCaption(ctx, x, lessons.Spoken, syncstore.Caption{Lang: track.Lang, Label: track.Label, Body: track.Text}, now); err != nil {
			return err
		}
	}
	var chapters []media.Chapter
	for _, c := range lessons.Chapters() {
		chapters = append(chapters, media.Chapter{Start: c.Start, Title: c.Title})
	}
	_, err = syncstore.PutChapters(ctx, x, lessons.Spoken, false, chapters)
	return err
}

// failIngest has the ingest of one lesson failed.
func failIngest(ctx context.Context, x catalog.Session, now time.Time) error {
	lesson, err := syncstore.LoadLesson(ctx, x, lessons.BrokenLesson)
	if err != nil {
		return err
	}
	ingest, _, err := syncstore.RequestIngest(ctx, x, lesson, now)
	if err != nil {
		return err
	}
	for _, event := range []syncstore.IngestEvent{syncstore.Begin, syncstore.Fail} {
		if err := ingest.Apply(event); err != nil {
			return err
		}
	}
	ingest.RecordingID, ingest.Reason = lessons.Broken, syncstore.ReasonGoneAtZoom
	_, err = syncstore.SaveIngest(ctx, x, ingest, "", now)
	return err
}

// addCompanions adds the files that accompany lessons, which a provider stores under their
// names.
func addCompanions(ctx context.Context, x catalog.Session, provider string, now time.Time) error {
	for _, c := range lessons.Companions() {
		data, err := fs.ReadFile(lessons.Media(), c.File)
		if err != nil {
			return err
		}
		file := syncstore.RecordingFile{
			RecordingID: c.Recording, Kind: c.Kind, Label: c.Label, ContentType: c.Type, Provider: provider, ArchiveKey: c.File,
			Derivation: c.Made, Name: c.Name,
		}
		if file.ID, err = syncstore.AddRecordingFile(ctx, x, file, now); err != nil {
			return err
		}
		sum5, sum256 := md5.Sum(data), sha256.Sum256(data) //nolint:gosec // checksums as archives have them
		file.Size, file.MD5, file.SHA256 = int64(len(data)), hex.EncodeToString(sum5[:]), hex.EncodeToString(sum256[:])
		file.Duration, file.VerifiedAt = c.Duration, now
		if err := syncstore.SaveRecordingFile(ctx, x, file); err != nil {
			return err
		}
		if c.Shared {
			if err := syncstore.ShareFile(ctx, x, file.ID, true); err != nil {
				return err
			}
		}
	}
	return nil
}
