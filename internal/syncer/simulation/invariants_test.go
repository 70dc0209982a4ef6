package simulation

import (
	"bytes"
	"context"
	"slices"
	"strings"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// view reads the database apart from all processes.
func (w *world) view(f func(ctx context.Context, x store.Session) error) {
	w.t.Helper()
	if err := w.admin.View(w.ctx, "simulation", func(x store.Session) error { return f(w.ctx, x) }); err != nil {
		w.t.Fatal(err)
	}
}

// fail reports a broken invariant.
func (w *world) fail(format string, args ...any) {
	w.t.Helper()
	w.note("BROKEN: "+format, args...)
	w.t.Errorf(format, args...)
}

// checkAlways checks what holds whenever no process runs.
func (w *world) checkAlways() {
	w.t.Helper()
	w.checkAccess(false)
	if w.runs() {
		return
	}
	if w.counted() {
		w.checkQuotas()
		w.checkBearers()
	}
	w.checkEvents()
}

// counted reports whether the storage was counted since a lesson has changed its teacher, by the
// order of the runs: the time of a run is that of a clock which may have been ahead.
func (w *world) counted() bool {
	return !w.substituted || w.number64(`SELECT COUNT(*) FROM lectern.lectern_runs WHERE kind = 'usage' AND outcome = 'ok' AND id > $1`, w.runsBefore) > 0
}

// checkQuotas: every account is the sum of what is stored.
func (w *world) checkQuotas() {
	w.t.Helper()
	w.view(func(ctx context.Context, x store.Session) error {
		all, err := store.QuotaTeachers(ctx, x)
		for _, teacher := range all {
			q, err := store.ReadQuota(ctx, x, teacher)
			if err != nil {
				return err
			}
			stored, err := store.StoredUsage(ctx, x, q)
			if err != nil {
				return err
			}
			if stored.Used != q.Used || stored.Recordings != q.Recordings {
				w.fail("teacher %d is charged %d bytes of %d recordings, and %d of %d are stored", teacher, q.Used, q.Recordings, stored.Used, stored.Recordings)
			}
		}
		return err
	})
}

// checkBearers: the account that a recording is counted in bears its charge, so that a refund
// reaches it too.
func (w *world) checkBearers() {
	w.t.Helper()
	n := w.number64(`SELECT COUNT(*) FROM lectern.lectern_quota_charges c JOIN public.schedule_lessonrecording r ON r.id = c.recording_id
		LEFT JOIN public.schedule_lesson l ON l.id = r.lesson_id
		WHERE c.state = 'charged' AND r.is_deleted = $1 AND c.teacher_id <> `+catalog.RecordingOwner, false)
	if n != 0 {
		w.fail("%d recordings are charged to another teacher than the one whose account has their bytes", n)
	}
}

// checkReservations: no quota is reserved when nothing is under way.
func (w *world) checkReservations() {
	w.t.Helper()
	var ingests []int64
	w.view(func(ctx context.Context, x store.Session) error {
		ingests = nil
		return x.Each(ctx, `SELECT COALESCE(i.id, 0) FROM lectern.lectern_quota_charges c LEFT JOIN lectern.lectern_ingests i ON i.recording_id = c.recording_id WHERE c.reserved <> 0`, nil, func(scan func(...any) error) error {
			var id int64
			err := scan(&id)
			ingests = append(ingests, id)
			return err
		})
	})
	for _, id := range ingests {
		if id == 0 || !w.unreadable(id) { // else it is being tried anew
			w.fail("bytes of a quota are reserved for ingest %d, and nothing is under way", id)
		}
	}
}

// checkEvents: what was acknowledged is in the database.
func (w *world) checkEvents() {
	w.t.Helper()
	known := map[acknowledged]bool{}
	w.view(func(ctx context.Context, x store.Session) error {
		return x.Each(ctx, `SELECT event, meeting_uuid FROM lectern.lectern_zoom_events`, nil, func(scan func(...any) error) error {
			var a acknowledged
			err := scan(&a.event, &a.uuid)
			known[a] = true
			return err
		})
	})
	for _, a := range w.acknowledged {
		if !known[a] {
			w.fail("the event %s of %s was acknowledged and is not stored", a.event, a.uuid)
		}
	}
}

// reference is a row that names an object of the archive.
type reference struct {
	key  string
	what string
	live bool // of a recording that is not removed, and plays
	gone bool // of a recording that is removed
	ends bool // of a recording of a lesson, which is kept for so many days
}

// references are the rows that name archived objects which are verified.
func (w *world) references() (out []reference) {
	w.t.Helper()
	w.view(func(ctx context.Context, x store.Session) error {
		out = nil
		err := x.Each(ctx, `SELECT archive_key, status, is_deleted, lesson_id IS NOT NULL FROM public.schedule_lessonrecording WHERE archive_key <> ''`, nil, func(scan func(...any) error) error {
			r := reference{what: "recording"}
			var status media.Status
			err := scan(&r.key, &status, &r.gone, &r.ends)
			r.live = !r.gone && (status == media.StatusReady || status == media.StatusArchived)
			out = append(out, r)
			return err
		})
		if err != nil {
			return err
		}
		return x.Each(ctx, `SELECT f.archive_key, f.kind, r.is_deleted, r.lesson_id IS NOT NULL FROM lectern.lectern_recording_files f JOIN public.schedule_lessonrecording r ON r.id = f.recording_id
			WHERE f.purged_at IS NULL AND f.removed_at IS NULL AND f.verified_at IS NOT NULL`, nil, func(scan func(...any) error) error {
			var r reference
			err := scan(&r.key, &r.what, &r.gone, &r.ends)
			r.live = !r.gone
			out = append(out, r)
			return err
		})
	})
	return out
}

// contentOf are the names, with versions, of the files at Zoom that an object holds.
func contentOf(data []byte) []string {
	if v, err := parseVideo(data); err == nil {
		return v.Of
	}
	for _, word := range bytes.Fields(data) {
		if bytes.Contains(word, []byte("@")) {
			return []string{string(word)}
		}
	}
	return nil
}

// checkEnd checks what holds in the end, when nothing has gone wrong for days.
func (w *world) checkEnd() {
	w.t.Helper()
	w.checkAlways()
	w.checkQuotas()
	w.checkBearers()
	w.checkReservations()
	w.checkAccess(true)
	w.checkAudience()
	w.checkArchived()
	w.checkOrphans()
	w.checkJobs()
}

// checkArchived: whatever Zoom has listed is archived once, until its days are over, or was removed
// at Zoom by others before it could be.
func (w *world) checkArchived() {
	w.t.Helper()
	holders := map[string][]reference{} // by name without version
	for _, r := range w.references() {
		data := w.objects.get(r.key)
		if data == nil && !r.live {
			continue // purged
		}
		if data == nil {
			w.fail("the %s names %s, which the archive does not have", r.what, r.key)
			continue
		}
		if !r.live {
			continue
		}
		of := contentOf(data)
		if of == nil {
			w.fail("%s, a %s, holds nothing that Zoom has ever had", r.key, r.what)
		}
		for _, tag := range of {
			name, version, _ := strings.Cut(tag, "@")
			held := r
			held.what = r.what + " " + r.key + " version " + version
			holders[name] = append(holders[name], held)
		}
	}
	for _, m := range w.meetings {
		for _, f := range m.files {
			held := holders[f.name()]
			switch {
			case len(held) == 1 && held[0].ends && w.time().After(m.expiresUntil()):
				w.fail("%s has outlived its %d days: %s\n%s", f.name(), m.keep, held[0].what, w.explain(m.uuid))
			case len(held) == 1:
			case len(held) == 0 && (m.trashed || w.time().After(m.expiresFrom()) || m.removed > 0 || f.broken):
			case len(held) == 0:
				w.fail("%s is not archived:\n%s", f.name(), w.explain(m.uuid))
			default:
				var whats []string
				for _, r := range held {
					whats = append(whats, r.what)
				}
				w.fail("%s is archived %d times: %s", f.name(), len(held), strings.Join(whats, ", "))
			}
		}
	}
}

// explain is the syncer's own account of a meeting.
func (w *world) explain(uuid string) string {
	var b strings.Builder
	m := w.machines[0]
	if m.process == nil {
		w.start(m)
	}
	if err := m.process.syncer.Explain(w.ctx, uuid, &b); err != nil {
		return err.Error()
	}
	return b.String()
}

// checkOrphans: the archive holds nothing that no row names.
func (w *world) checkOrphans() {
	w.t.Helper()
	var known map[string]bool
	w.view(func(ctx context.Context, x store.Session) (err error) {
		known, err = store.ReferencedKeys(ctx, x, media.ProviderLocal)
		return err
	})
	for _, key := range w.objects.keys() {
		if !known[key] {
			w.fail("%s belongs to nothing: %s", key, slices.Concat(contentOf(w.objects.get(key))))
		}
	}
}

// checkJobs: no job is at work, waits to be, or is tried again and again, but for what Zoom lists
// and nobody can read: that is tried anew each day.
func (w *world) checkJobs() {
	w.t.Helper()
	type job struct {
		kind, state, args, attempt string
		ingest                     int64
	}
	var open []job
	w.view(func(ctx context.Context, x store.Session) error {
		open = nil
		return x.Each(ctx, `SELECT kind, state, CAST(json(args) AS text), attempt, COALESCE(json_extract(args, '$.ingest_id'), 0) FROM river_job WHERE state IN ('available', 'running', 'retryable', 'pending')`, nil, func(scan func(...any) error) error {
			var j job
			err := scan(&j.kind, &j.state, &j.args, &j.attempt, &j.ingest)
			open = append(open, j)
			return err
		})
	})
	for _, j := range open {
		if j.kind != "ingest" || j.state != "retryable" || !w.unreadable(j.ingest) {
			w.fail("a job is unfinished: %s %s %s, attempt %s", j.kind, j.state, j.args, j.attempt)
		}
	}
}

// unreadable reports whether a meeting of an ingest has a file that nobody can read.
func (w *world) unreadable(ingest int64) (found bool) {
	w.t.Helper()
	w.view(func(ctx context.Context, x store.Session) error {
		i, err := store.LoadIngest(ctx, x, ingest, false)
		if err != nil {
			return err
		}
		known, err := store.MeetingsOfIngest(ctx, x, i)
		for _, k := range known {
			for _, m := range w.meetings {
				found = found || m.uuid == k.UUID && slices.ContainsFunc(m.files, func(f *file) bool { return f.broken })
			}
		}
		return err
	})
	return found
}
