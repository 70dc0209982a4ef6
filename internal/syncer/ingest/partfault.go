package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/queue"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/zoom"
)

// maxPause bounds the pauses between tries of what does not come good.
const maxPause = 24 * time.Hour

// pauseBefore is the pause before the n-th try, from 1, of what did not come good:
// every, doubled each time, at most a day.
func pauseBefore(n int64, every time.Duration) time.Duration {
	if n < 1 {
		return 0
	}
	for range n - 1 {
		if every >= maxPause {
			break
		}
		every *= 2
	}
	return min(every, maxPause)
}

// partFault is a file that gives no recording for now. The other parts of the lesson may.
type partFault struct {
	file   store.File // as it is stored now
	reason string     // of the ingest, when no part is left
	err    error
}

func (e *partFault) Error() string { return fmt.Sprintf("file %s: %v", e.file.ID, e.err) }
func (e *partFault) Unwrap() error { return e.err }

// givenUp reports whether the others are to be archived without the file.
func (e *partFault) givenUp() bool { return e.file.Fault.Count >= store.DownloadTries }

// aboutFile reports whether an error of a download is about this one file, and not
// about Zoom as a whole, the credentials or this machine.
func aboutFile(err error) bool {
	var account *credentialsError
	switch {
	case errors.As(err, &account):
		return false
	case zoom.ReasonOf(err) == zoom.ReasonExpiredToken:
		return false
	case zoom.ReasonOf(err) == zoom.ReasonHost, zoom.ClassOf(err) == zoom.ClassNewLink:
		return true
	}
	switch media.KindOf(err) {
	case media.Corrupt, media.NotFound, media.Invalid, media.Denied:
		return true
	}
	return false
}

// reasonOfPart is the ingest's reason for a fault of a file.
func reasonOfPart(err error) string {
	switch {
	case zoom.ReasonOf(err) == zoom.ReasonHost:
		return store.ReasonDownloadHost
	case media.KindOf(err) == media.Denied && zoom.ClassOf(err) == zoom.ClassRefused:
		return store.ReasonNoAccess
	}
	return store.ReasonDownloadInvalid
}

// reasonOfFault is the ingest's reason for a fault that was written down before.
func reasonOfFault(f store.Fault) string {
	switch f.Reason {
	case store.ReasonDownloadHost, store.ReasonNoAccess, store.ReasonJoinFailed:
		return f.Reason
	}
	return store.ReasonDownloadInvalid
}

// markFault writes down that a file gave no recording. final says that trying it again
// soon cannot help. The history names it once it is given up.
func (r *run) markFault(ctx context.Context, f store.File, err error, final bool) (*partFault, error) {
	now := r.s.now()
	fault := &partFault{file: f, reason: reasonOfPart(err), err: err}
	before := f.Fault.Count
	count := before + 1
	if final {
		count = max(count, store.DownloadTries)
	}
	reason := media.ReasonOf(err)
	if reason == "" {
		reason = fault.reason
	}
	fault.file.Fault = store.Fault{Reason: reason, Detail: err.Error(), Count: count, At: now}
	if count >= store.DownloadTries {
		fault.file.Fault.RetryAt = now.Add(pauseBefore(count-store.DownloadTries+1, r.s.cfg.RetakeEvery))
		r.bad[f.Name()] = true
	}
	r.log.Warn("ingest: part not usable", slog.String("file", f.ID), slog.Int64("count", count), slog.Any("error", err))
	return fault, r.s.deps.Store.Update(ctx, "syncer: a part's fault", func(x store.Session) error {
		if err := store.MarkFault(ctx, x, f.MeetingUUID, f.ID, fault.file.Fault); err != nil || count < store.DownloadTries || before >= store.DownloadTries {
			return err
		}
		return r.history(ctx, x, &r.row, "part missing", fmt.Sprintf("%s: %s; tried again from %s on, with growing pauses", f.Name(), err, fault.file.Fault.RetryAt.UTC().Format(time.RFC3339)))
	})
}

// reportMissing alerts of parts that the archived recording lacks, once per list of
// them, and of the end of that.
func (r *run) reportMissing(ctx context.Context, x store.Session, i store.Ingest) error {
	key := alertKey(i) + ":parts"
	if len(r.plan.missing) == 0 {
		return r.s.deps.Alerts.Resolve(ctx, x, key, "No part of a recording is missing any more", r.describe())
	}
	state, text := "", ""
	for _, f := range r.plan.missing {
		state += f.Name() + " "
		text += fmt.Sprintf("\n%s: %s", f.Name(), f.Fault.Detail)
	}
	return r.s.deps.Alerts.Raise(ctx, x, queue.AlertArgs{
		Key: key, State: Fingerprint([]string{state}), Severity: "warning",
		Title: fmt.Sprintf("%d part(s) of an archived recording are missing", len(r.plan.missing)),
		Text:  r.describe() + text + "\nThey stay at Zoom and are tried again by themselves.",
	})
}
