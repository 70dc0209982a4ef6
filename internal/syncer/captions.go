package syncer

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/riverqueue/river"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/webvtt"
)

// maxTranscript bounds one transcript: three hours of speech are about 400 KiB.
const maxTranscript = 8 << 20

// workCaptions brings the transcripts of a lesson's meetings beside its recording,
// each moved to where its segment stands in the joined file.
func (s *Syncer) workCaptions(ctx context.Context, job *river.Job[captionArgs]) error {
	var (
		i        store.Ingest
		meetings []store.Meeting
		work     = &ingest{s: s, log: s.log}
	)
	over := false
	err := s.deps.Store.View(ctx, "syncer: captions", func(x store.Session) (err error) {
		if i, err = store.LoadIngest(ctx, x, job.Args.IngestID, false); err != nil || i.LessonID == 0 || !i.Archived() || i.RecordingID == 0 {
			over = catalog.IsNotFound(err) || err == nil
			return ignoreNotFound(err)
		}
		if work.lesson, err = store.LoadLesson(ctx, x, i.LessonID); err != nil {
			return err
		}
		if work.teacher, err = store.LoadTeacher(ctx, x, work.lesson.TeacherID); err != nil {
			return err
		}
		meetings, err = store.MeetingsOf(ctx, x, i.LessonID)
		return err
	})
	if err != nil || over {
		return err
	}
	work.row = i
	track, err := work.transcripts(ctx, meetings)
	if err != nil || len(track.Cues) == 0 {
		return err
	}
	return s.deps.Store.Update(ctx, "syncer: keep captions", func(x store.Session) error {
		if err := store.PutCaption(ctx, x, i.RecordingID, store.Caption{Lang: "und", Label: "Transcript", Body: track.String()}, s.now()); err != nil {
			return err
		}
		return store.AppendHistory(ctx, x, store.HistoryEntry{At: s.now(), IngestID: i.ID, RecordingID: i.RecordingID, What: "captions kept"})
	})
}

// transcripts joins what is said in all archived segments.
func (w *ingest) transcripts(ctx context.Context, meetings []store.Meeting) (webvtt.Track, error) {
	var segments []store.File
	for _, m := range meetings {
		for _, f := range m.Files {
			if slices.Contains(w.row.Parts(), m.UUID+"/"+f.ID) {
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
				if f.Type != "TRANSCRIPT" || f.Status != "completed" || !f.GoneAt.IsZero() || !f.Start.IsZero() && !sameTime(f, segment) {
					continue
				}
				track, err := w.transcript(ctx, f)
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

func (w *ingest) transcript(ctx context.Context, f store.File) (webvtt.Track, error) {
	tokens := w.tokensFor(ctx, f)
	for try := 0; ; try++ {
		token, err := tokens.get(ctx)
		if err != nil {
			return webvtt.Track{}, err
		}
		data, err := w.read(ctx, f, token)
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
			w.log.Warn("a transcript cannot be read", slog.String("file", f.ID), slog.Any("error", err))
			return webvtt.Track{}, nil
		}
		return track, nil
	}
}

func (w *ingest) read(ctx context.Context, f store.File, token string) ([]byte, error) {
	d, err := w.s.deps.Zoom.Download(ctx, f.DownloadURL, token, 0, "")
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	_, err = io.Copy(&b, io.LimitReader(d.Body, maxTranscript))
	return b.Bytes(), errors.Join(err, d.Body.Close())
}
