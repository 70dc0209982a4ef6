package syncer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/zoom"
)

// Explain writes the story of one recording, by its id or by a meeting's uuid.
// NotFound: nobody has heard of it.
func (s *Syncer) Explain(ctx context.Context, subject string, w io.Writer) error {
	var b strings.Builder
	err := s.deps.Store.View(ctx, "syncer: explain", func(x store.Session) error {
		b.Reset()
		if id, err := strconv.ParseInt(subject, 10, 64); err == nil {
			return explainRecording(ctx, x, id, &b)
		}
		return explainMeeting(ctx, x, subject, &b)
	})
	if err != nil {
		if media.KindOf(err) == media.NotFound {
			return media.Faultf(media.NotFound, "explain", "neither a recording's id nor a meeting's uuid that is known: %s", subject)
		}
		return err
	}
	_, err = io.WriteString(w, b.String())
	return err
}

func at(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

func explainRecording(ctx context.Context, x store.Session, id int64, b *strings.Builder) error {
	row, err := store.LoadRecording(ctx, x, id, false)
	if err != nil {
		return err
	}
	fmt.Fprintf(b, "recording %d  lesson %d  status %s  visibility %s\n", row.ID, row.LessonID, row.Status, row.Visibility)
	where := row.Location()
	fmt.Fprintf(b, "  archive    %s %s, %d bytes, %d s\n", where.Provider, where.Key, row.Size, row.Seconds)
	fmt.Fprintf(b, "  zoom       %s (%s)\n", row.ZoomRecordingID, row.View)
	if !row.AvailableUntil.IsZero() {
		fmt.Fprintf(b, "  retention  until %s\n", at(row.AvailableUntil))
	}
	if row.Deleted {
		fmt.Fprintf(b, "  removed    %s\n", at(row.DeletedAt))
	}
	i, err := store.IngestOfRecording(ctx, x, id)
	if catalog.IsNotFound(err) {
		b.WriteString("  not archived by this syncer\n")
		return writeStory(ctx, x, b, 0, id, nil)
	}
	if err != nil {
		return err
	}
	return explainIngest(ctx, x, i, b)
}

func explainIngest(ctx context.Context, x store.Session, i store.Ingest, b *strings.Builder) error {
	fmt.Fprintf(b, "ingest %d  lesson %d  state %s", i.ID, i.LessonID, i.State)
	if i.Reason != "" {
		fmt.Fprintf(b, "  reason %s: %s", i.Reason, i.Detail)
	}
	b.WriteString("\n")
	if i.Reason != "" && advice[i.Reason] != "" {
		fmt.Fprintf(b, "  to do      %s\n", advice[i.Reason])
	}
	if !i.FailingSince.IsZero() {
		fmt.Fprintf(b, "  failing    since %s, %d attempts\n", at(i.FailingSince), i.Attempts)
	}
	if i.Archived() {
		fmt.Fprintf(b, "  verified   %s, %d bytes, md5 %s\n", at(i.VerifiedAt), i.Size, i.MD5)
	}
	meetings, err := store.MeetingsOf(ctx, x, i.LessonID)
	if err != nil {
		return err
	}
	var uuids []string
	for _, m := range meetings {
		uuids = append(uuids, m.UUID)
		describeMeeting(m, i, b)
	}
	return writeStory(ctx, x, b, i.ID, i.RecordingID, uuids)
}

func describeMeeting(m store.Meeting, i store.Ingest, b *strings.Builder) {
	fmt.Fprintf(b, "meeting %s  id %s  began %s  first heard of %s\n", m.UUID, m.MeetingID, at(began(m)), at(m.FirstSeen))
	for _, f := range m.Files {
		state := "at Zoom"
		switch {
		case !f.TrashedAt.IsZero():
			state = "archived, trashed at Zoom " + at(f.TrashedAt)
		case !f.ArchivedAt.IsZero():
			state = "archived " + at(f.ArchivedAt)
		case !f.GoneAt.IsZero():
			state = "gone at Zoom " + at(f.GoneAt)
		case f.Status != "completed" && f.Status != "":
			state = f.Status
		case f.Type != "MP4" && f.Type != "M4A":
			state = "not video, stays at Zoom"
		case i.Archived() && !slices.Contains(i.Parts(), m.UUID+"/"+f.ID):
			state = "another view, stays at Zoom"
		}
		fmt.Fprintf(b, "  file %s  %s %s  %d bytes  %s\n", f.ID, f.Type, f.View, f.Size, state)
	}
}

func explainMeeting(ctx context.Context, x store.Session, uuid string, b *strings.Builder) error {
	m, err := store.LoadMeeting(ctx, x, uuid)
	if err != nil {
		return err
	}
	events, err := store.EventsOf(ctx, x, uuid)
	if err != nil {
		return err
	}
	for _, e := range events {
		fmt.Fprintf(b, "event %d  %s  %s  %s: %s\n", e.ID, at(e.ReceivedAt), e.Name, e.State, e.Note)
	}
	if m.LessonID != 0 {
		i, err := store.IngestOfLesson(ctx, x, m.LessonID)
		if err == nil {
			return explainIngest(ctx, x, i, b)
		}
		if !catalog.IsNotFound(err) {
			return err
		}
	}
	describeMeeting(m, store.Ingest{}, b)
	if m.LessonID == 0 {
		fmt.Fprintf(b, "  waits: %s\n", m.Note)
	}
	return writeStory(ctx, x, b, 0, 0, []string{uuid})
}

func writeStory(ctx context.Context, x store.Session, b *strings.Builder, ingest, recording int64, uuids []string) error {
	lines, err := store.History(ctx, x, ingest, recording, uuids)
	if err != nil {
		return err
	}
	slices.SortStableFunc(lines, func(a, b store.HistoryEntry) int { return a.At.Compare(b.At) })
	for _, l := range lines {
		fmt.Fprintf(b, "%s  %s", at(l.At), l.What)
		if l.Detail != "" {
			fmt.Fprintf(b, ": %s", l.Detail)
		}
		b.WriteString("\n")
	}
	return nil
}

// Jobs lists the queue, newest first, a line per job that begins with its id. state
// "" means all.
func (s *Syncer) Jobs(ctx context.Context, state string, w io.Writer) error {
	params := river.NewJobListParams().First(1000).OrderBy(river.JobListOrderByID, river.SortOrderDesc)
	if state != "" {
		switch state {
		case "failed":
			state = string(rivertype.JobStateCancelled)
		case "waiting":
			state = string(rivertype.JobStateScheduled)
		case "done":
			state = string(rivertype.JobStateCompleted)
		}
		if !slices.Contains(rivertype.JobStates(), rivertype.JobState(state)) {
			return media.Faultf(media.Invalid, "jobs", "%q is not a state: available, cancelled (also failed), completed, discarded, pending, retryable, running, scheduled", state)
		}
		params = params.States(rivertype.JobState(state))
	}
	list, err := s.client.JobList(ctx, params)
	if err != nil {
		return catalog.WrapError(ctx, "jobs", err)
	}
	for _, j := range list.Jobs {
		fmt.Fprintf(w, "%d\t%s\t%s\tattempt %d\t%s", j.ID, j.Kind, j.State, j.Attempt, string(shown(j)))
		if j.FinalizedAt == nil && j.ScheduledAt.After(s.now()) {
			fmt.Fprintf(w, "\tnext %s", at(j.ScheduledAt))
		}
		if n := len(j.Errors); n > 0 {
			fmt.Fprintf(w, "\t%s: %s", at(j.Errors[n-1].At), strings.ReplaceAll(j.Errors[n-1].Error, "\n", "; "))
		}
		if output := j.Output(); len(output) > 0 {
			fmt.Fprintf(w, "\t%s", output)
		}
		fmt.Fprintln(w)
	}
	return nil
}

// shown is what a job is about; the texts of alerts are long.
func shown(j *rivertype.JobRow) []byte {
	if len(j.EncodedArgs) > 120 {
		return append(slices.Clone(j.EncodedArgs[:117]), "..."...)
	}
	return j.EncodedArgs
}

// Retry runs a job again, now. Where another job has the same work to do already, that
// one is hurried: two of them would do it twice.
func (s *Syncer) Retry(ctx context.Context, id int64) error {
	old, err := s.client.JobGet(ctx, id)
	if errors.Is(err, river.ErrNotFound) {
		return media.Faultf(media.NotFound, "retry", "there is no job %d", id)
	}
	if err != nil {
		return catalog.WrapError(ctx, "retry", err)
	}
	if old.FinalizedAt != nil {
		twins, err := s.client.JobList(ctx, river.NewJobListParams().Kinds(old.Kind).States(unfinished...).First(10_000))
		if err != nil {
			return catalog.WrapError(ctx, "retry", err)
		}
		for _, twin := range twins.Jobs {
			if bytes.Equal(twin.EncodedArgs, old.EncodedArgs) {
				id = twin.ID
			}
		}
	}
	job, err := s.client.JobRetry(ctx, id)
	if err != nil {
		return catalog.WrapError(ctx, "retry", err)
	}
	s.log.Info("a job is run again", slog.Int64("job", job.ID))
	return nil
}

// Replay feeds a webhook's body through the intake, signed with the configured
// secret, and says what became of it.
func (s *Syncer) Replay(ctx context.Context, body []byte) (string, error) {
	const op = "replay"
	secrets := s.deps.Zooms.Secrets()
	if len(secrets) == 0 {
		return "", media.Faultf(media.Invalid, op, "zoom-webhook-secret is not set")
	}
	timestamp := strconv.FormatInt(s.now().Unix(), 10)
	if _, err := secrets.Verify(zoom.Sign(secrets[0], timestamp, body), timestamp, body, s.now(), s.deps.Zooms.WebhookTolerance); err != nil {
		return "", err
	}
	if len(body) > maxBody {
		return "", media.Faultf(media.Invalid, op, "the body is larger than 1 MiB")
	}
	event, err := zoom.ParseEvent(body)
	if err != nil {
		return "", media.Fault(media.Invalid, op, err)
	}
	if event.Name == zoom.EventValidation {
		return "ignored", nil
	}
	results, err := s.intake.transaction(ctx, []*pending{{event: s.eventRow(event, 0, body)}})
	if err != nil {
		return "", err
	}
	return results[0], nil
}
