package ingest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/lectiospace/lectern/internal/syncer/queue"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/webvtt"
)

// maxTranscript bounds one transcript: three hours of speech are about 400 KiB.
const maxTranscript = 8 << 20

// captionsJob stores the transcripts of a lesson's meetings with its recording, each
// moved to where its segment is in the joined file.
func (s *Ingester) captionsJob(ctx context.Context, job *queue.Job[queue.CaptionsArgs]) error {
	r, meetings, err := s.loadArchived(ctx, job.Args.IngestID)
	if err != nil || r == nil || r.row.RecordingID == 0 {
		return err
	}
	track, err := r.transcripts(ctx, meetings)
	if err != nil || len(track.Cues) == 0 {
		return err
	}
	return s.deps.Store.Update(ctx, "syncer: store captions", func(x store.Session) error {
		if err := store.PutCaption(ctx, x, r.row.RecordingID, store.Caption{Lang: "und", Label: "Transcript", Body: track.String()}, s.now()); err != nil {
			return err
		}
		return r.history(ctx, x, &r.row, "captions kept", "")
	})
}

// loadArchived loads an archived ingest for the jobs that follow it; nil when there is
// no such ingest, its lesson is gone, or nothing of it is archived. The run holds no
// lease: it must not update the ingest.
func (s *Ingester) loadArchived(ctx context.Context, id int64) (r *run, meetings []store.Meeting, err error) {
	err = s.deps.Store.View(ctx, "syncer: load an archived ingest", func(x store.Session) error {
		r = nil
		i, err := store.LoadIngest(ctx, x, id, false)
		if err != nil || i.Orphaned() || !i.Archived() {
			return ignoreNotFound(err)
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

// transcripts joins the transcripts of all archived segments.
func (r *run) transcripts(ctx context.Context, meetings []store.Meeting) (webvtt.Track, error) {
	var segments []store.File
	for _, m := range meetings {
		for _, f := range m.Files {
			if slices.Contains(r.row.Parts(), f.Name()) {
				segments = append(segments, f)
			}
		}
	}
	slices.SortFunc(segments, func(a, b store.File) int { return a.Start.Compare(b.Start) })
	var out webvtt.Track
	offset := time.Duration(0)
	for _, segment := range segments {
		length := max(0, segment.End.Sub(segment.Start))
		for _, m := range meetings {
			if m.UUID != segment.MeetingUUID {
				continue
			}
			for _, f := range m.Files {
				if !f.Transcript() || !f.Completed() || !f.GoneAt.IsZero() || !f.Start.IsZero() && !sameTime(f, segment) {
					continue
				}
				track, err := r.transcript(ctx, f)
				if err != nil {
					return out, err
				}
				out.Append(track, offset)
			}
		}
		offset += length
	}
	return out, nil
}

func (r *run) transcript(ctx context.Context, f store.File) (webvtt.Track, error) {
	tokens := r.tokensFor(ctx, f)
	for try := 0; ; try++ {
		token, err := tokens.get(ctx)
		if err != nil {
			return webvtt.Track{}, err
		}
		data, err := r.read(ctx, f, token)
		if err != nil {
			if try < 2 && ctx.Err() == nil {
				tokens.refuse(token)
				continue
			}
			return webvtt.Track{}, err
		}
		track, err := webvtt.Parse(data)
		if err != nil {
			// A recording without captions is better than one that is tried for ever.
			r.log.Warn("captions: transcript not parsed", slog.String("file", f.ID), slog.Any("error", err))
			return webvtt.Track{}, nil
		}
		return track, nil
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
