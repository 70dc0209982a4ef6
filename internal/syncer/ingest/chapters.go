package ingest

import (
	"context"
	"io"
	"os"
	"slices"
	"time"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/zoom"
)

// checkDocument says why nothing of a companion's text can be read, nil where it can or is of
// a kind that is not read.
func checkDocument(kind media.CompanionKind, data []byte) (err error) {
	switch kind {
	case media.CompanionChapters:
		_, err = zoom.ParseChapters(data)
	case media.CompanionTimeline:
		_, err = zoom.ParseTimeline(data)
	case media.CompanionChat:
		_, err = zoom.ParseChat(data)
	case media.CompanionSummary:
		_, err = zoom.ParseSummary(data)
	}
	return err
}

// unreadable is checkDocument of a file, "" for nil.
func unreadable(kind media.CompanionKind, path string) (string, error) {
	in, err := os.Open(path)
	if err != nil {
		return "", failedAt(atDisk, err)
	}
	defer in.Close()
	data, err := io.ReadAll(io.LimitReader(in, zoom.MaxDocument+1))
	if err != nil {
		return "", failedAt(atDisk, err)
	}
	if err := checkDocument(kind, data); err != nil {
		return err.Error(), nil
	}
	return "", nil
}

// updateChapters makes the recording's chapters of its archived smart chapters. Each file's
// begin with the segment that it is of, which moves when another segment is joined.
func (c *companionRun) updateChapters(ctx context.Context) error {
	var all []media.Chapter
	found := false
	for _, f := range c.archivedBefore {
		if f.Kind != string(media.CompanionChapters) || !f.Verified() {
			continue
		}
		found = true
		data, err := c.readFile(ctx, f, zoom.MaxDocument+1)
		if media.KindOf(err) == media.NotFound {
			return c.s.RecordFileLoss(ctx, f) // the chapters that are there stay until it is archived again
		}
		if err != nil {
			return err
		}
		chapters, err := zoom.ParseChapters(data)
		if err != nil {
			continue // told when it was archived
		}
		offset := c.offsetOf(f)
		for _, one := range chapters {
			if one.Start += offset; c.recording.Seconds == 0 || one.Start < time.Duration(c.recording.Seconds)*time.Second {
				all = append(all, one)
			}
		}
	}
	if !found {
		return nil
	}
	slices.SortStableFunc(all, func(a, b media.Chapter) int { return int(min(max(a.Start-b.Start, -1), 1)) })
	all = slices.CompactFunc(all, func(a, b media.Chapter) bool { return a.Start == b.Start })
	return c.s.deps.Store.Update(ctx, "syncer: chapters", func(x store.Session) error {
		changed, err := store.PutChapters(ctx, x, c.recording.ID, false, all)
		if err != nil || !changed {
			return err
		}
		return c.history(ctx, x, &c.row, "chapters kept", "")
	})
}

// offsetOf is where the segment that a companion is of begins in the recording: the one that
// it begins with, else its meeting's first.
func (c *companionRun) offsetOf(companion store.RecordingFile) time.Duration {
	var file store.File
	for _, m := range c.meetings {
		for _, f := range m.Files {
			if f.Name() == companion.ZoomFile {
				file = f
			}
		}
	}
	segments := archivedFiles(c.meetings, c.row)
	slices.SortFunc(segments, func(a, b store.File) int { return a.Start.Compare(b.Start) })
	offset, ofMeeting := time.Duration(0), time.Duration(-1)
	for _, segment := range segments {
		if segment.MeetingUUID == file.MeetingUUID {
			if !file.Start.IsZero() && speaksOf(file, segment) {
				return offset
			}
			if ofMeeting < 0 {
				ofMeeting = offset
			}
		}
		offset += playedFor(segment)
	}
	return max(ofMeeting, 0)
}
