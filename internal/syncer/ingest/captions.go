package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/syncer/queue"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/webvtt"
	"github.com/lectiospace/lectern/internal/zoom"
)

// maxTranscript bounds one transcript: three hours of speech are about 400 KiB.
const maxTranscript = 8 << 20

// captionsJob stores the captions of a lesson's meetings with its recording, each moved
// to where its segment is in the joined file. A file that cannot be read is reported in
// the history and costs the others nothing.
func (s *Ingester) captionsJob(ctx context.Context, job *queue.Job[queue.CaptionsArgs]) error {
	if s.deps.Observer.On() {
		return nil // they are requested again with the recording
	}
	r, meetings, err := s.loadArchived(ctx, job.Args.IngestID)
	if err != nil || r == nil || r.row.RecordingID == 0 {
		return err
	}
	if removed, err := r.recordingRemoved(ctx); err != nil || removed {
		return err // Zoom's copies may be in its trash, and would be tried for weeks
	}
	if meetings, err = r.loadCompanionTexts(ctx, meetings); err != nil {
		return err
	}
	track, problems, err := r.captions(ctx, meetings)
	if err != nil {
		return err
	}
	return s.deps.Store.Update(ctx, "syncer: store captions", func(x store.Session) error {
		for _, p := range problems {
			if err := r.history(ctx, x, &r.row, "captions not read", p); err != nil {
				return err
			}
		}
		if len(track.Cues) == 0 {
			return nil
		}
		kept, err := store.PutCaption(ctx, x, r.row.RecordingID, store.Caption{Lang: "und", Label: "Transcript", Body: track.String()}, s.now())
		switch {
		case err != nil:
			return err
		case !kept:
			return r.history(ctx, x, &r.row, "captions not replaced", "a person has corrected or removed them")
		default:
			return r.history(ctx, x, &r.row, "captions kept", "")
		}
	})
}

// recordingRemoved reports whether the recording was removed, or has expired.
func (r *run) recordingRemoved(ctx context.Context) (removed bool, err error) {
	err = r.s.deps.Store.View(ctx, "syncer: is a recording removed", func(x store.Session) error {
		row, err := store.LoadRecording(ctx, x, r.row.RecordingID, false)
		removed = row.Deleted || catalog.IsNotFound(err)
		return catalog.IgnoreNotFound(err)
	})
	return removed, err
}

// loadArchived loads an archived ingest for the jobs that follow it; nil when there is
// no such ingest, its lesson is gone, or nothing of it is archived. The run holds no
// lease: it must not update the ingest.
func (s *Ingester) loadArchived(ctx context.Context, id int64) (r *run, meetings []store.Meeting, err error) {
	err = s.deps.Store.View(ctx, "syncer: load an archived ingest", func(x store.Session) error {
		r = nil
		i, err := store.LoadIngest(ctx, x, id, false)
		if err != nil || i.Orphaned() || !i.Archived() {
			return catalog.IgnoreNotFound(err)
		}
		found := &run{s: s, row: i, log: s.log.With(slog.Int64("lesson", i.LessonID), slog.Int64("ingest", i.ID))}
		if found.lesson, err = store.LessonOfIngest(ctx, x, i); err != nil {
			return err
		}
		if found.teacher, err = store.LoadTeacher(ctx, x, found.lesson.TeacherID); err != nil {
			return err
		}
		if meetings, err = store.MeetingsOfIngest(ctx, x, i); err != nil {
			return err
		}
		r = found
		return nil
	})
	return r, meetings, err
}

// captions joins the captions of all archived segments. problems say what could not be
// read; an error is one that passes.
func (r *run) captions(ctx context.Context, meetings []store.Meeting) (track webvtt.Track, problems []string, err error) {
	for _, source := range captionSources(archivedFiles(meetings, r.row), meetings) {
		data, err := r.captionData(ctx, source.file)
		if errors.Is(err, errNotListed) {
			problems = append(problems, fmt.Sprintf("%s: %v", source.file.Name(), err))
			continue
		}
		if err != nil {
			return track, problems, err
		}
		part, err := webvtt.Parse(data)
		switch {
		case err != nil:
			problems = append(problems, fmt.Sprintf("%s: %v", source.file.Name(), err))
		case part.Skipped > 0:
			problems = append(problems, fmt.Sprintf("%s: %d cues without valid times were left out", source.file.Name(), part.Skipped))
		}
		track.Append(part, source.offset)
	}
	return track, problems, nil
}

// archivedFiles are the files of meetings that an ingest's archived recording is made of.
func archivedFiles(meetings []store.Meeting, i store.Ingest) (files []store.File) {
	parts := i.Parts()
	for _, m := range meetings {
		for _, f := range m.Files {
			if slices.Contains(parts, f.Name()) {
				files = append(files, f)
			}
		}
	}
	return files
}

// errNotListed says that Zoom does not list a file any more.
var errNotListed = errors.New("Zoom does not list it any more")

// captionData reads a file of captions from the archive, or downloads it, with another token
// where one is refused, and by another link where Zoom lists one. errNotListed: neither has it.
func (r *run) captionData(ctx context.Context, f store.File) ([]byte, error) {
	if data, ok, err := r.archivedText(ctx, f); ok || err != nil {
		return data, err
	}
	if f.LeftZoom() {
		return nil, errNotListed
	}
	tokens := r.tokensFor(ctx, f)
	relinked := 0
	for try := 0; ; try++ {
		token, err := tokens.get(ctx)
		if err != nil {
			return nil, err
		}
		data, err := r.read(ctx, f, token)
		switch {
		case err == nil || ctx.Err() != nil:
			return data, err
		case zoom.ClassOf(err) == zoom.ClassNewLink && relinked < maxRelinks:
			relinked++
			if f, err = r.relink(ctx, f, err); err != nil {
				return nil, err
			}
			tokens = r.tokensFor(ctx, f)
		case try == 2:
			return nil, err
		default:
			tokens.refuse(token)
		}
	}
}

func (r *run) read(ctx context.Context, f store.File, token string) ([]byte, error) {
	d, err := r.s.deps.Zoom.Download(ctx, f.DownloadURL, token, 0, "")
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	_, err = io.Copy(&b, io.LimitReader(d.Body, maxTranscript))
	return b.Bytes(), errors.Join(err, d.Body.Close())
}
