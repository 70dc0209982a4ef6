package ingest

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/lectiospace/lectern/internal/archive"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/queue"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// Parts that no join brings together, neither by copying nor by encoding, are archived as
// they are: the recording plays the longest of them, or what was archived before, and the
// others are files beside it. They are verified like every archived file, so that Zoom's
// copies may go. They are joined when a join passes: it is tried again when another part
// comes, when one changes, and when ffmpeg does.

// joinName names a join: of which files, in which versions, by which ffmpeg.
func (s *Ingester) joinName(p plan) string {
	names := []string{s.ffmpeg()}
	for _, f := range p.parts {
		names = append(names, fmt.Sprintf("%s %d", f.Name(), f.Size))
	}
	return Fingerprint(names)
}

// triedInVain reports whether the join of a plan did not pass before. It is pure.
func triedInVain(parts []store.RecordingFile, join string) bool {
	return slices.ContainsFunc(parts, func(f store.RecordingFile) bool { return f.Tried == join })
}

// isComplete reports whether the archive holds what a plan has, joined or, as long as no
// join passes, with some of its parts beside it.
func (s *Ingester) isComplete(p plan, i store.Ingest, parts []store.RecordingFile) bool {
	switch {
	case p.changed:
		return false
	case len(parts) == 0:
		return slices.Equal(p.names(), i.Parts())
	}
	// A run may have ended between the upload of a part and its publication.
	published := !slices.ContainsFunc(p.parts, func(f store.File) bool { return f.ArchivedAt.IsZero() })
	return published && len(i.Parts()) > 0 && hasAll(p, i, parts) && triedInVain(parts, s.joinName(p))
}

// archivedNames are the files at Zoom that the archive holds: those that the recording was
// made of, and the parts beside it. It is pure.
func archivedNames(i store.Ingest, parts []store.RecordingFile) []string {
	names := i.Parts()
	for _, f := range parts {
		if f.Verified() {
			names = append(names, f.ZoomFile)
		}
	}
	return names
}

// hasAll reports whether the archive holds exactly the files of a plan. It is pure.
func hasAll(p plan, i store.Ingest, parts []store.RecordingFile) bool {
	names, archived := p.names(), archivedNames(i, parts)
	slices.Sort(names)
	slices.Sort(archived)
	return slices.Equal(names, archived)
}

// cannotJoin reports whether a join of inputs, all of which play, failed. It is pure.
func cannotJoin(inputs []joinInput, err error) bool {
	return err != nil && len(inputs) > 1 && media.KindOf(err) == media.Corrupt
}

// keepApart decides what is archived instead of a join that did not pass: the longest part
// where nothing is archived yet, else what the recording plays already; and each other
// part beside it.
func (r *run) keepApart(ctx context.Context, inputs []joinInput, cause error) (joined, error) {
	var out joined
	main := inputsOf(inputs, r.row.Parts())
	first := len(main) == 0
	if first {
		main = []joinInput{slices.MaxFunc(inputs, func(a, b joinInput) int { return cmp.Compare(a.info.Duration, b.info.Duration) })}
	}
	if first || slices.ContainsFunc(main, func(in joinInput) bool { return in.part.Changed() }) {
		var err error
		out, err = r.join(ctx, main)
		if err != nil {
			return r.keepMain(ctx, main, err)
		}
	}
	join := r.s.joinName(r.plan)
	out.join = join
	if !triedInVain(r.parts, join) {
		out.notes = append(out.notes, note{"parts not joined", store.ReasonPartsNotJoined + ": " + cause.Error()})
	}
	r.apartWhy = cause.Error()
	r.log.Warn("ingest: parts not joined, archived one by one", slog.String("reason", store.ReasonPartsNotJoined), slog.Int("parts", len(inputs)), slog.Any("error", cause))
	for _, in := range inputs {
		if !slices.ContainsFunc(main, func(m joinInput) bool { return m.name() == in.name() }) {
			out.apart = append(out.apart, in)
		}
	}
	return out, nil
}

// keepMain follows new versions of several joined parts of which no recording can be made:
// they are tried again later.
func (r *run) keepMain(ctx context.Context, main []joinInput, cause error) (joined, error) {
	if len(r.row.Parts()) == 0 || media.KindOf(cause) != media.Corrupt {
		return joined{}, cause
	}
	for _, in := range main {
		if in.part.Changed() {
			if _, err := r.markFault(ctx, in.part, cause, true); err != nil {
				return joined{}, err
			}
		}
	}
	return joined{}, &notYet{r.s.now().Add(time.Second), "the new version of a part cannot be joined"}
}

// inputsOf are the inputs that hold the named parts. It is pure.
func inputsOf(inputs []joinInput, names []string) (out []joinInput) {
	for _, in := range inputs {
		if in.archived || slices.Contains(names, in.part.Name()) {
			out = append(out, in)
		}
	}
	return out
}

// uploadApart archives the parts beside the recording and verifies them.
func (r *run) uploadApart(ctx context.Context, m *joined) error {
	for _, in := range m.apart {
		f, err := r.uploadPart(ctx, in, m)
		if err != nil {
			return err
		}
		f.Tried, f.Position = m.join, int64(slices.Index(r.plan.names(), in.part.Name()))
		m.beside = append(m.beside, f)
	}
	return nil
}

// uploadPart archives one part, unless it is archived already. Its key is in the database
// before the first byte goes up.
func (r *run) uploadPart(ctx context.Context, in joinInput, m *joined) (store.RecordingFile, error) {
	staged := store.RecordingFile{RecordingID: r.row.RecordingID, Kind: store.KindPart, ZoomFile: in.part.Name(), Position: int64(slices.Index(r.plan.names(), in.part.Name()))}
	for _, f := range r.parts {
		switch {
		case f.ZoomFile != in.part.Name():
		case f.Verified() && (f.Tried == m.join || !in.part.ArchivedAt.IsZero() && !in.part.Changed()):
			return f, nil
		case !f.Verified():
			staged = f
		}
	}
	one, err := r.join(ctx, []joinInput{in})
	if err != nil {
		return staged, err
	}
	m.notes = append(m.notes, one.notes...)
	sums, err := archive.FileSums(ctx, one.path)
	if err != nil {
		return staged, failedAt(atDisk, err)
	}
	staged.Size, staged.MD5, staged.SHA256, staged.Duration = sums.Size, sums.MD5, sums.SHA256, one.duration
	target, err := r.stage(ctx, &staged)
	if err != nil {
		return staged, err
	}
	stored, err := r.lock.Put(ctx, r.s.deps.Archives, target, r.partItem(staged, in.part, one.path))
	if err != nil {
		return staged, failedAt(atArchive, err)
	}
	if !stored.Same(staged.Size, staged.MD5) {
		return staged, r.discardPart(ctx, target, staged, stored)
	}
	r.archived = true
	staged.VerifiedAt = r.s.now()
	return staged, r.update(ctx, "syncer: a part is archived", func(x store.Session, _ *store.Ingest) error {
		f := staged
		f.Tried = m.join
		return store.SaveRecordingFile(ctx, x, f)
	})
}

// stage gives a file a key in the archive, unless it has one.
func (r *run) stage(ctx context.Context, f *store.RecordingFile) (archive.Archive, error) {
	if f.ID != 0 {
		target, err := r.s.deps.Archives.Get(f.Provider)
		return target, failedAt(atArchive, err)
	}
	target := r.s.deps.Target
	key, err := target.NewKey(ctx, store.KeyHint(r.row.LessonID, r.row.TeacherID))
	if err != nil {
		return nil, failedAt(atArchive, err)
	}
	f.Provider, f.ArchiveKey = target.Provider(), key
	return target, r.update(ctx, "syncer: a part's archive key", func(x store.Session, _ *store.Ingest) (err error) {
		f.ID, err = store.AddRecordingFile(ctx, x, *f, r.s.now())
		return err
	})
}

// partItem is a part for the archive. People see its place in time behind the lesson's name.
func (r *run) partItem(f store.RecordingFile, part store.File, path string) archive.Item {
	item := r.item(f.ArchiveKey, f.NameSuffix(), path, f.Size, f.MD5)
	item.Properties["zoomUuid"], item.Properties["zoomFileId"] = short(part.MeetingUUID), short(part.ID)
	return item
}

// discardPart deletes an archived part that is not what was sent, and gives up its key.
func (r *run) discardPart(ctx context.Context, target archive.Archive, f store.RecordingFile, stored archive.Stored) error {
	r.log.Error("ingest: archive's checksum does not match, file deleted", slog.String("key", f.ArchiveKey))
	if err := target.Remove(ctx, f.ArchiveKey); err != nil {
		return failedAt(atArchive, err)
	}
	err := r.update(ctx, "syncer: give up a part's archive key", func(x store.Session, i *store.Ingest) error {
		if err := store.MarkFilePurged(ctx, x, f.ID, r.s.now()); err != nil {
			return err
		}
		return r.history(ctx, x, i, "failed verification", fmt.Sprintf("the archive holds %d bytes with another checksum", stored.Size))
	})
	if err != nil {
		return err
	}
	return failedAt(atArchive, &media.Error{Kind: media.Corrupt, Op: "syncer: verify", Reason: store.ReasonArchiveUnverified})
}

// commitBeside makes the parts of a result the ones beside the recording, and the others
// removed.
func (r *run) commitBeside(ctx context.Context, x store.Session, m joined, now time.Time) error {
	for _, f := range r.parts {
		if !slices.ContainsFunc(m.beside, func(k store.RecordingFile) bool { return k.ID == f.ID }) {
			f.RemovedAt = now
			if err := store.SaveRecordingFile(ctx, x, f); err != nil {
				return err
			}
		}
	}
	for _, f := range m.beside {
		if err := store.SaveRecordingFile(ctx, x, f); err != nil {
			return err
		}
	}
	return nil
}

// deleteReplaced deletes the bytes of what commitBeside has removed. What is not deleted now
// is left to the purge.
func (r *run) deleteReplaced(ctx context.Context, m joined) {
	for _, f := range r.parts {
		if slices.ContainsFunc(m.beside, func(k store.RecordingFile) bool { return k.ID == f.ID }) {
			continue
		}
		target, err := r.s.deps.Archives.Get(f.Provider)
		if err == nil {
			err = target.Remove(ctx, f.ArchiveKey)
		}
		if err == nil {
			err = r.s.deps.Store.Update(ctx, "syncer: a replaced part purged", func(x store.Session) error { return store.MarkFilePurged(ctx, x, f.ID, r.s.now()) })
		}
		if err != nil {
			r.log.Warn("ingest: replaced part not deleted yet", slog.String("key", f.ArchiveKey), slog.Any("error", err))
		}
	}
	r.parts = m.beside
}

// RetryJoins requests the ingests again whose parts were not joined and may be joined now:
// Zoom lists them no longer, so that no list brings them up.
func (s *Ingester) RetryJoins(ctx context.Context) error {
	var apart []store.Ingest
	err := s.deps.Store.View(ctx, "syncer: parts that were not joined", func(x store.Session) error {
		all, err := store.IngestsInState(ctx, x, store.Done)
		apart = slices.DeleteFunc(all, func(i store.Ingest) bool { return i.Reason != store.ReasonPartsNotJoined || i.Orphaned() })
		return err
	})
	for _, i := range apart {
		if err != nil {
			return err
		}
		err = s.deps.Store.Update(ctx, "syncer: join parts again", func(x store.Session) error {
			meetings, err := store.MeetingsOfIngest(ctx, x, i)
			if err != nil {
				return err
			}
			parts, err := store.RecordingParts(ctx, x, i.RecordingID)
			if err != nil {
				return err
			}
			why, request := s.missing(meetings, i, true, parts)
			if !request {
				return nil
			}
			return s.requestAgain(ctx, x, i, why)
		})
	}
	return err
}

// reportApart gives a finished ingest the reason why parts are beside its recording, and
// alerts of it once, and of its end.
func (r *run) reportApart(ctx context.Context, x store.Session, i *store.Ingest) error {
	key := alertKey(*i) + ":apart"
	var beside []string
	for _, f := range r.parts {
		if f.Verified() {
			beside = append(beside, f.ZoomFile)
		}
	}
	if len(beside) == 0 {
		return r.s.deps.Alerts.Resolve(ctx, x, key, "The parts of a recording are joined after all", r.describe())
	}
	i.Reason, i.Detail = store.ReasonPartsNotJoined, cmp.Or(r.apartWhy, "no join of its parts has passed")
	if r.apartWhy == "" && r.row.Reason == i.Reason {
		i.Detail = r.row.Detail
	}
	return r.s.deps.Alerts.Raise(ctx, x, queue.AlertArgs{
		Key: key, State: Fingerprint(beside), Severity: "warning",
		Title: fmt.Sprintf("The parts of a recording could not be joined: %s", store.ReasonPartsNotJoined),
		Text:  fmt.Sprintf("%s. %d part(s) are archived beside it: %s. %s. Its history: `syncer explain %s`", r.describe(), len(beside), strings.Join(beside, ", "), store.Advice(store.ReasonPartsNotJoined), r.subject()),
	})
}
