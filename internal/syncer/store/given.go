package store

import (
	"context"
	"slices"

	"github.com/lectiospace/lectern/internal/catalog"
)

// ZoomGivesSound reports whether Zoom gives the sound of all of a recording: archived, the
// archive has it; listed, Zoom has one that can be downloaded. A recording that is joined of
// several segments has a sound of each, and none of all.
func ZoomGivesSound(ctx context.Context, x Session, recording int64) (archived, listed bool, err error) {
	i, err := IngestOfRecording(ctx, x, recording)
	if err != nil || len(i.Parts()) != 1 {
		return false, false, catalog.IgnoreNotFound(err)
	}
	meetings, err := MeetingsOfIngest(ctx, x, i)
	if err != nil {
		return false, false, err
	}
	companions, err := Companions(ctx, x, recording)
	if err != nil {
		return false, false, err
	}
	for _, f := range filesBeside(meetings, i.Parts()[0]) {
		if f.LessonSound() {
			archived = archived || isArchived(companions, f)
			listed = listed || f.available()
		}
	}
	return archived, listed, nil
}

func isArchived(companions []RecordingFile, f File) bool {
	return slices.ContainsFunc(companions, func(c RecordingFile) bool { return c.MadeOf(f) })
}

// filesBeside are the files of the meeting that has a file, whose name is given.
func filesBeside(meetings []Meeting, name string) []File {
	for _, m := range meetings {
		if slices.ContainsFunc(m.Files, func(f File) bool { return f.Name() == name }) {
			return m.Files
		}
	}
	return nil
}

// DownloadTries is how often in a row the download of a file may give nothing usable before
// what needs it goes on without it.
const DownloadTries = 3

// available reports whether Zoom has a file, and it is not known to be one that cannot be had.
func (f File) available() bool {
	return !f.LeftZoom() && f.DownloadURL != "" && f.Fault.Count < DownloadTries
}
