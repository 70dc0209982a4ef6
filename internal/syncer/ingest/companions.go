package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/queue"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/syncer/workdir"
	"github.com/lectiospace/lectern/internal/zoom"
)

// Companions are the other files of a lesson's meetings: transcripts, chat, other views. They
// are archived beside the recording once that is published, each by itself: one that fails
// keeps neither the recording nor another companion waiting, and is tried again after growing
// pauses. What comes later is found by its event or by reconciliation.

// companionTries is how often a companion is tried by itself. From then on reconciliation
// tries it once a day while Zoom lists it.
const companionTries = 12

// companionKind is the kind of the companions' directories of temporary files.
const companionKind = "companion"

// companionJob names the directory of temporary files of an ingest's companions.
func companionJob(ingest int64) workdir.Job { return workdir.Job{Kind: companionKind, ID: ingest} }

// companionRun archives the companions of one recording. It belongs to one goroutine.
type companionRun struct {
	*run
	recording store.Recording
	meetings  []store.Meeting
	// archivedBefore are the companions that the archive has, or that are being uploaded.
	archivedBefore []store.RecordingFile
	plan           companionPlan
}

// companionsJob archives what is wanted and due of an ingest's companions.
func (s *Ingester) companionsJob(ctx context.Context, job *queue.Job[queue.CompanionsArgs]) error {
	if s.deps.Observer.On() || s.cfg.Companions.IsNone() {
		return nil // in mode observe they are requested again with the recording
	}
	lock, err := s.work.Lock(companionJob(job.Args.IngestID))
	if errors.Is(err, workdir.ErrBusy) {
		return queue.Snooze(busyWait)
	}
	if err != nil {
		return err
	}
	defer lock.Release()
	c, err := s.loadCompanions(ctx, job.Args.IngestID)
	if err != nil || c == nil {
		return err
	}
	c.lock = lock
	if err := c.dropJoined(ctx); err != nil {
		return err
	}
	for _, f := range c.plan.due(s.now()) {
		if err := c.archiveOne(ctx, f); err != nil {
			return err
		}
	}
	if c, err = s.loadCompanions(ctx, job.Args.IngestID); err != nil || c == nil {
		return err
	}
	if err := errors.Join(c.updateChapters(ctx), c.report(ctx)); err != nil {
		return err
	}
	if at := c.plan.nextTry(); !at.IsZero() {
		return queue.Snooze(max(at.Sub(s.now()), 10*time.Millisecond))
	}
	return lock.Clear()
}

// loadCompanions loads a published recording and plans its companions; nil when there is
// none: nothing is archived, or not any more.
func (s *Ingester) loadCompanions(ctx context.Context, id int64) (c *companionRun, err error) {
	err = s.deps.Store.View(ctx, "syncer: load companions", func(x store.Session) error {
		c = nil
		i, err := store.LoadIngest(ctx, x, id, false)
		if err != nil || i.Orphaned() || len(i.Parts()) == 0 || i.RecordingID == 0 {
			return catalog.IgnoreNotFound(err)
		}
		found := &companionRun{run: &run{s: s, row: i, log: s.log.With(slog.Int64("lesson", i.LessonID), slog.Int64("ingest", i.ID))}}
		if found.recording, err = store.LoadRecording(ctx, x, i.RecordingID, false); err != nil || found.recording.Deleted || !archivedElsewhere(found.recording) {
			return catalog.IgnoreNotFound(err)
		}
		if found.lesson, err = store.LessonOfIngest(ctx, x, i); err != nil {
			return err
		}
		if found.teacher, err = store.LoadTeacher(ctx, x, found.lesson.TeacherID); err != nil {
			return err
		}
		if found.meetings, err = store.MeetingsOfIngest(ctx, x, i); err != nil {
			return err
		}
		if err := found.choose(ctx, x); err != nil {
			return err
		}
		c = found
		return nil
	})
	return c, err
}

// choose plans with what is known now.
func (c *companionRun) choose(ctx context.Context, x store.Session) (err error) {
	c.plan, c.archivedBefore, err = c.s.companionsOf(ctx, x, c.meetings, c.row)
	return err
}

// companionsOf plans the companions of an ingest's recording.
func (s *Ingester) companionsOf(ctx context.Context, x store.Session, meetings []store.Meeting, i store.Ingest) (companionPlan, []store.RecordingFile, error) {
	parts, err := store.RecordingParts(ctx, x, i.RecordingID)
	if err != nil {
		return companionPlan{}, nil, err
	}
	companions, err := store.Companions(ctx, x, i.RecordingID)
	return s.planCompanions(meetings, i, parts, companions), companions, err
}

// archiveOne archives one companion. What is wrong with it alone is written down, and no
// error.
func (c *companionRun) archiveOne(ctx context.Context, f store.File) error {
	got, err := c.fetchCompanion(ctx, f)
	if err == nil {
		err = c.store(ctx, f, got)
	}
	switch {
	case err == nil, errors.Is(err, errWithdrawn):
		return nil
	case ctx.Err() != nil, !aboutCompanion(err):
		return err
	default:
		return c.markFault(ctx, f, err)
	}
}

// aboutCompanion reports whether an error concerns one companion, and not the account, this
// machine, the database or the archive as a whole.
func aboutCompanion(err error) bool {
	var account *credentialsError
	var at *stageError
	switch {
	case errors.As(err, &account), zoom.ReasonOf(err) == zoom.ReasonExpiredToken:
		return false
	case errors.As(err, &at):
		return at.at == atZoom
	}
	return media.ReasonOf(err) == store.ReasonQuota
}

// markFault writes down why a companion is not archived, and when it is tried again.
func (c *companionRun) markFault(ctx context.Context, f store.File, cause error) error {
	now := c.s.now()
	fault := store.Fault{Reason: media.ReasonOf(cause), Detail: cause.Error(), Count: f.Fault.Count + 1, At: now}
	if fault.Reason == "" {
		fault.Reason = reasonOfPart(cause)
	}
	switch {
	case fault.Reason == store.ReasonQuota:
		fault.Count, fault.RetryAt = store.DownloadTries, now.Add(c.s.cfg.RetakeEvery)
	case fault.Count < store.DownloadTries:
		fault.RetryAt = now.Add(c.s.deps.Queue.RetryDelay(int(fault.Count)))
	default:
		fault.RetryAt = now.Add(pauseBefore(fault.Count-store.DownloadTries+1, c.s.cfg.RetakeEvery))
	}
	c.log.Warn("companions: file not archived", slog.String("file", f.ID), slog.String("reason", fault.Reason), slog.Int64("count", fault.Count), slog.Any("error", cause))
	return c.s.deps.Store.Update(ctx, "syncer: a companion's fault", func(x store.Session) error {
		if err := store.MarkFault(ctx, x, f.MeetingUUID, f.ID, fault); err != nil || fault.Count != store.DownloadTries || f.Fault.Count >= store.DownloadTries {
			return err
		}
		return c.history(ctx, x, &c.row, "companion not archived", fmt.Sprintf("%s: %s; tried again from %s on, with growing pauses", f.Name(), cause, fault.RetryAt.UTC().Format(time.RFC3339)))
	})
}

// report alerts of companions that the archive lacks, once per list of them, and of the end
// of that.
func (c *companionRun) report(ctx context.Context) error {
	var names, text []string
	for _, f := range c.plan.wanted {
		if f.Fault.Count >= store.DownloadTries {
			names = append(names, f.Name())
			text = append(text, fmt.Sprintf("%s (%s): %s", f.Name(), f.Type, f.Fault.Detail))
		}
	}
	key := alertKey(c.row) + ":companions"
	return c.s.deps.Store.Update(ctx, "syncer: companions", func(x store.Session) error {
		if err := c.releaseTrash(ctx, x); err != nil {
			return err
		}
		if len(names) == 0 {
			return c.s.deps.Alerts.Resolve(ctx, x, key, "No companion of a recording is missing any more", c.describe())
		}
		return c.s.deps.Alerts.Raise(ctx, x, queue.AlertArgs{
			Key: key, State: Fingerprint(names), Severity: "info",
			Title: fmt.Sprintf("%d companion(s) of a recording could not be archived", len(names)),
			Text:  c.describe() + "\n" + strings.Join(text, "\n") + fmt.Sprintf("\nThe recording plays. Its copy stays at Zoom until they are archived; they are tried again by themselves. Its history: `syncer explain %s`", c.subject()),
		})
	})
}

// releaseTrash runs the trash of Zoom's copies that may have waited for the companions, once
// all of them are archived.
func (c *companionRun) releaseTrash(ctx context.Context, x store.Session) error {
	if !c.s.cfg.DeleteFromZoom || len(c.archivedBefore) == 0 || len(c.plan.wanted) > 0 || c.plan.processing {
		return nil
	}
	return c.s.deps.Queue.EnqueueTrash(ctx, x, c.row.ID, time.Time{})
}

// dropJoined removes companions that have become parts of the recording. Their bytes are
// deleted by the purge.
func (c *companionRun) dropJoined(ctx context.Context) error {
	if len(c.plan.joined) == 0 {
		return nil
	}
	return c.s.deps.Store.Update(ctx, "syncer: companions became parts", func(x store.Session) error {
		return c.s.changeFiles(ctx, x, c.row.ID, anyRoom, func(store.Recording) error {
			for _, f := range c.plan.joined {
				f.RemovedAt = c.s.now()
				if err := store.SaveRecordingFile(ctx, x, f); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// errNoRoom says that a teacher's quota has no room for a companion.
var errNoRoom = &media.Error{Kind: media.Quota, Op: "syncer: companions", Reason: store.ReasonQuota, Err: errors.New("the teacher's quota has no room for it")}

// errWithdrawn says that a recording was removed, or replaced, while a companion of it was
// archived.
var errWithdrawn = errors.New("the recording was removed meanwhile")

// room says whether the quota must have room for what changeFiles adds.
type room bool

const (
	needsRoom room = true
	anyRoom   room = false // nothing is added, or it is stored already
)

// changeFiles changes the files beside a recording and charges what that adds to the
// teacher's quota. Ingest, row and quota are locked in this order, as everywhere. errNoRoom:
// the quota has no room. errWithdrawn: there is no recording any more.
func (s *Ingester) changeFiles(ctx context.Context, x store.Session, ingest int64, needs room, change func(store.Recording) error) error {
	i, err := store.LoadIngest(ctx, x, ingest, true)
	if catalog.IsNotFound(err) || err == nil && (i.RecordingID == 0 || i.Orphaned()) {
		return errWithdrawn
	}
	if err != nil {
		return err
	}
	row, err := store.LoadRecording(ctx, x, i.RecordingID, true)
	if catalog.IsNotFound(err) || err == nil && row.Deleted {
		return errWithdrawn
	}
	if err != nil {
		return err
	}
	before, err := store.FileBytes(ctx, x, row.ID)
	if err != nil {
		return err
	}
	if err := change(row); err != nil {
		return err
	}
	after, err := store.FileBytes(ctx, x, row.ID)
	if err != nil || after == before {
		return err
	}
	owner, err := store.OwnerOf(ctx, x, row)
	if err != nil {
		return err
	}
	if after > before && needs {
		switch has, err := s.roomFor(ctx, x, owner, after-before); {
		case err != nil:
			return err
		case !has:
			return errNoRoom
		}
	}
	warn, quota, err := store.Commit(ctx, x, row.ID, owner, row.Size+after, s.now())
	if err != nil || !warn {
		return err
	}
	return s.deps.Alerts.WarnQuota(ctx, x, quota)
}
