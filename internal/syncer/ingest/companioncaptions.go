package ingest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// Captions are made again whenever a segment is joined. By then Zoom's copies of the earlier
// transcripts may have been trashed, and the archive has them as companions.

// loadCompanionTexts loads the archived transcripts and live captions of the recording, and
// returns the meetings with such files as if Zoom had them still.
func (r *run) loadCompanionTexts(ctx context.Context, meetings []store.Meeting) ([]store.Meeting, error) {
	err := r.s.deps.Store.View(ctx, "syncer: archived transcripts", func(x store.Session) error {
		all, err := store.Companions(ctx, x, r.row.RecordingID)
		r.texts = slices.DeleteFunc(all, func(c store.RecordingFile) bool {
			return !c.Verified() || c.Kind != string(media.CompanionTranscript) && c.Kind != string(media.CompanionCaptions)
		})
		return err
	})
	return availableTexts(meetings, r.texts), err
}

// availableTexts are meetings in which the files that the archive holds are not gone. It is
// pure.
func availableTexts(meetings []store.Meeting, archived []store.RecordingFile) []store.Meeting {
	out := slices.Clone(meetings)
	for n := range out {
		out[n].Files = slices.Clone(out[n].Files)
		for i := range out[n].Files {
			f := &out[n].Files[i]
			if slices.ContainsFunc(archived, func(c store.RecordingFile) bool { return holds(c, *f) }) {
				f.GoneAt, f.TrashedAt, f.UnlistedAt = time.Time{}, time.Time{}, time.Time{}
			}
		}
	}
	return out
}

// archivedText reads a file of captions from the archive; false where that does not hold it.
func (r *run) archivedText(ctx context.Context, f store.File) (data []byte, ok bool, err error) {
	i := slices.IndexFunc(r.texts, func(c store.RecordingFile) bool { return holds(c, f) })
	if i < 0 {
		return nil, false, nil
	}
	data, err = r.readFile(ctx, r.texts[i], maxTranscript)
	if media.KindOf(err) == media.NotFound {
		return nil, false, nil // lost: Zoom may have it still
	}
	return data, err == nil, err
}

// readFile reads at most limit bytes of a file beside a recording.
func (r *run) readFile(ctx context.Context, f store.RecordingFile, limit int64) ([]byte, error) {
	from, err := r.s.deps.Archives.Get(f.Provider)
	if err != nil {
		return nil, failedAt(atArchive, err)
	}
	in, err := from.Open(ctx, f.ArchiveKey)
	if err != nil {
		return nil, failedAt(atArchive, err)
	}
	var b bytes.Buffer
	_, err = io.Copy(&b, io.LimitReader(in, limit))
	return b.Bytes(), failedAt(atArchive, errors.Join(err, in.Close()))
}
