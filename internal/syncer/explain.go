package syncer

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/printable"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// Explain writes what is known of one recording, with its history, by its id or by a
// meeting's uuid. media.NotFound: nothing is known.
func (s *Syncer) Explain(ctx context.Context, subject string, w io.Writer) error {
	var b strings.Builder
	mode := ""
	if s.observer.On() {
		mode = "mode observe: nothing is archived, changed or deleted\n"
	}
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
	_, err = io.WriteString(w, mode+b.String())
	return err
}

// writef is fmt.Fprintf for lines in which strings come from outside: names of meetings,
// what Zoom and ffmpeg have answered. Each of them stays within its line.
func writef(b *strings.Builder, format string, args ...any) {
	for i, a := range args {
		if text, ok := a.(string); ok {
			args[i] = printable.Escape(text)
		}
	}
	fmt.Fprintf(b, format, args...)
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
	writef(b, "recording %d  %s  status %s  visibility %s\n", row.ID, lessonOrOwn(row.LessonID, row.TeacherID), row.Status, row.Visibility)
	where := row.Location()
	writef(b, "  archive    %s %s, %d bytes, %d s\n", where.Provider, where.Key, row.Size, row.Seconds)
	if err := explainCopies(ctx, x, id, b); err != nil {
		return err
	}
	writef(b, "  zoom       %s (%s)\n", row.ZoomRecordingID, row.View)
	if !row.AvailableUntil.IsZero() {
		writef(b, "  retention  until %s\n", at(row.AvailableUntil))
	}
	if row.Deleted {
		writef(b, "  removed    %s\n", at(row.DeletedAt))
	}
	if err := explainDerived(ctx, x, id, b); err != nil {
		return err
	}
	i, err := store.IngestOfRecording(ctx, x, id)
	if catalog.IsNotFound(err) {
		b.WriteString("  not archived by this syncer\n")
		return writeHistory(ctx, x, b, 0, id, nil)
	}
	if err != nil {
		return err
	}
	return explainIngest(ctx, x, i, b)
}

// explainCopies tells where a recording's files were before they were moved, and what is
// being copied.
func explainCopies(ctx context.Context, x store.Session, recording int64, b *strings.Builder) error {
	copies, err := store.CopiesOf(ctx, x, recording)
	for _, c := range copies {
		switch {
		case !c.AbandonedAt.IsZero() && !c.RemovedAt.IsZero():
		case !c.AbandonedAt.IsZero():
			writef(b, "  abandoned  %s %s, to be removed\n", c.To.Provider, c.To.Key)
		case c.SwitchedAt.IsZero():
			writef(b, "  copying    to %s %s since %s: `syncer move --to %s --recording %d` goes on\n", c.To.Provider, c.To.Key, at(c.CreatedAt), c.To.Provider, recording)
		case c.RemovedAt.IsZero():
			writef(b, "  moved      from %s %s at %s; that stays for the grace of removed recordings\n", c.From.Provider, c.From.Key, at(c.SwitchedAt))
		default:
			writef(b, "  moved      from %s %s at %s; removed there %s\n", c.From.Provider, c.From.Key, at(c.SwitchedAt), at(c.RemovedAt))
		}
	}
	return err
}

// lessonOrOwn names the lesson, or says whose own it is.
func lessonOrOwn(lesson, teacher int64) string {
	switch {
	case lesson != 0:
		return fmt.Sprintf("lesson %d", lesson)
	case teacher != 0:
		return fmt.Sprintf("no lesson, teacher %d's own", teacher)
	default:
		return "no lesson"
	}
}

func explainIngest(ctx context.Context, x store.Session, i store.Ingest, b *strings.Builder) error {
	owner := lessonOrOwn(i.LessonID, i.TeacherID)
	if i.Orphaned() {
		owner = "of a deleted lesson"
	}
	writef(b, "ingest %d  %s  state %s", i.ID, owner, i.State())
	if i.Reason != "" {
		writef(b, "  reason %s: %s", i.Reason, i.Detail)
	}
	b.WriteString("\n")
	if store.Advice(i.Reason) != "" {
		writef(b, "  to do      %s\n", store.Advice(i.Reason))
	}
	if !i.FailingSince.IsZero() {
		writef(b, "  failing    since %s, %d attempts\n", at(i.FailingSince), i.Attempts)
	}
	if i.State() == store.Failed && i.Reason != store.ReasonQuota {
		when := "by the next reconciliation while Zoom lists it"
		if !i.RetakeAt.IsZero() {
			when = fmt.Sprintf("by reconciliation from %s on while Zoom lists it; `syncer reconcile` does not wait", at(i.RetakeAt))
		}
		writef(b, "  next try   %s\n", when)
	}
	if i.Retakes > 0 {
		writef(b, "  taken up again at %s, time %d\n", at(i.RetakenAt), i.Retakes)
	}
	if i.Archived() {
		writef(b, "  verified   %s, %d bytes, md5 %s\n", at(i.VerifiedAt), i.Size, i.MD5)
		if i.SHA256 != "" {
			writef(b, "  sha-256    %s\n", i.SHA256)
		}
	}
	if err := explainParts(ctx, x, i, b); err != nil {
		return err
	}
	companions, err := explainCompanions(ctx, x, i, b)
	if err != nil {
		return err
	}
	meetings, err := store.MeetingsOfIngest(ctx, x, i)
	if err != nil {
		return err
	}
	var uuids []string
	for _, m := range meetings {
		uuids = append(uuids, m.UUID)
		describeMeeting(m, i, companions, b)
	}
	return writeHistory(ctx, x, b, i.ID, i.RecordingID, uuids)
}

// explainParts names the parts that are archived beside a recording.
func explainParts(ctx context.Context, x store.Session, i store.Ingest, b *strings.Builder) error {
	parts, err := store.RecordingParts(ctx, x, i.RecordingID)
	for _, f := range parts {
		state := "verified " + at(f.VerifiedAt)
		if !f.Verified() {
			state = "is being uploaded"
		}
		writef(b, "  part %-5d %s %s, %d bytes, %d s, of %s, %s\n", f.Position+1, f.Provider, f.ArchiveKey, f.Size, int64(f.Duration.Seconds()+0.5), f.ZoomFile, state)
	}
	return err
}

// explainCompanions names what accompanies a recording, and returns it.
func explainCompanions(ctx context.Context, x store.Session, i store.Ingest, b *strings.Builder) ([]store.RecordingFile, error) {
	companions, err := store.Companions(ctx, x, i.RecordingID)
	for _, f := range companions {
		state := "verified " + at(f.VerifiedAt)
		if !f.Verified() {
			state = "is being uploaded"
		}
		if f.Shared {
			state += ", shown to students"
		}
		writef(b, "  companion  %d %s %s %s, %d bytes, of %s, %s\n", f.ID, f.Kind, f.Provider, f.ArchiveKey, f.Size, f.ZoomFile, state)
	}
	return companions, err
}

// explainDerived names the files that are made of a recording, and those that could not be.
func explainDerived(ctx context.Context, x store.Session, recording int64, b *strings.Builder) error {
	files, err := store.DerivedFiles(ctx, x, recording)
	if err != nil {
		return err
	}
	for _, f := range files {
		state := "verified " + at(f.VerifiedAt)
		if !f.Verified() {
			state = "is being uploaded"
		}
		writef(b, "  made       %d %s %s %s, %d bytes, %s\n", f.ID, f.Name, f.Provider, f.ArchiveKey, f.Size, state)
	}
	all, err := store.Derivations(ctx, x, recording)
	for _, d := range all {
		switch {
		case d.MadeAt.IsZero() && d.RetryAt.IsZero():
			writef(b, "  not made   %s: given up %s after %d attempts: %s%s\n", d.Kind, at(d.TriedAt), d.Attempts, d.Detail, reasonOf(d))
		case d.MadeAt.IsZero() && d.Attempts == 0:
			writef(b, "  not made   %s: %s; next %s\n", d.Kind, d.Detail, at(d.RetryAt))
		case d.MadeAt.IsZero():
			writef(b, "  not made   %s: %d attempts: %s%s; next %s\n", d.Kind, d.Attempts, d.Detail, reasonOf(d), at(d.RetryAt))
		case d.Detail != "":
			writef(b, "  not made   %s: %s\n", d.Kind, d.Detail)
		}
	}
	return err
}

// reasonOf is the end of a line about files that could not be made.
func reasonOf(d store.Derivation) string {
	if d.Reason == "" {
		return ""
	}
	return ", reason " + d.Reason
}

// companionOf is the verified companion that a file at Zoom was archived as, the zero value
// for none.
func companionOf(companions []store.RecordingFile, f store.File) store.RecordingFile {
	for _, c := range companions {
		if c.MadeOf(f) {
			return c
		}
	}
	return store.RecordingFile{}
}

func describeMeeting(m store.Meeting, i store.Ingest, companions []store.RecordingFile, b *strings.Builder) {
	writef(b, "meeting %s  id %s  began %s  first seen %s\n", m.UUID, m.MeetingID, at(m.Began()), at(m.FirstSeen))
	if m.Note != "" {
		writef(b, "  lesson     %s\n", m.Note)
	}
	for _, f := range m.Files {
		state := "at Zoom"
		companion := companionOf(companions, f)
		switch {
		case !f.TrashedAt.IsZero():
			state = "archived, trashed at Zoom " + at(f.TrashedAt)
		case f.Changed():
			state = fmt.Sprintf("archived %s when it had %d bytes, changed at Zoom since: the new version is archived next, unless another part is only in the archive", at(f.ArchivedAt), f.ArchivedSize)
		case !f.ArchivedAt.IsZero():
			state = "archived " + at(f.ArchivedAt)
		case companion.Verified():
			state = fmt.Sprintf("archived beside the recording as %s %s", companion.Kind, at(companion.VerifiedAt))
		case !f.GoneAt.IsZero():
			state = "gone at Zoom " + at(f.GoneAt)
		case !f.UnlistedAt.IsZero():
			state = "not listed at Zoom since " + at(f.UnlistedAt)
		case f.Fault.Count > 0:
			state = fmt.Sprintf("missing: %s, %d times: %s; next try %s", f.Fault.Reason, f.Fault.Count, f.Fault.Detail, at(f.Fault.RetryAt))
		case !f.Completed():
			state = f.Status
		case i.Archived() && !slices.Contains(i.Parts(), f.Name()):
			kind, _ := f.CompanionKind()
			state = fmt.Sprintf("not archived: it is a %s, which is archived beside the recording where sync-companions has it", kind)
		}
		writef(b, "  file %s  %s %s  %d bytes  %s\n", f.ID, f.Type, f.View, f.Size, state)
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
		writef(b, "event %d  %s  %s  %s: %s\n", e.ID, at(e.ReceivedAt), e.Name, e.State, e.Note)
	}
	i, err := store.IngestOfMeeting(ctx, x, uuid)
	if catalog.IsNotFound(err) && m.LessonID != 0 {
		i, err = store.IngestOfLesson(ctx, x, m.LessonID)
	}
	if err == nil {
		return explainIngest(ctx, x, i, b)
	}
	if !catalog.IsNotFound(err) {
		return err
	}
	describeMeeting(m, store.Ingest{}, nil, b)
	if m.LessonID == 0 {
		writef(b, "  waits: %s\n", m.Note)
	}
	return writeHistory(ctx, x, b, 0, 0, []string{uuid})
}

func writeHistory(ctx context.Context, x store.Session, b *strings.Builder, ingest, recording int64, uuids []string) error {
	lines, err := store.History(ctx, x, ingest, recording, uuids)
	if err != nil {
		return err
	}
	slices.SortStableFunc(lines, func(a, b store.HistoryEntry) int { return a.At.Compare(b.At) })
	for _, l := range lines {
		writef(b, "%s  %s", at(l.At), l.What)
		if l.Detail != "" {
			writef(b, ": %s", l.Detail)
		}
		b.WriteString("\n")
	}
	return nil
}
