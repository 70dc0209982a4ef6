package move

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/syncer/workdir"
)

// file is a file of a recording that is to be moved.
type file struct {
	id   int64 // of the RecordingFile, 0 for the file that the recording's row names
	from media.Location
	// size and md5 are what was archived; md5 is "" where that is not known.
	size int64
	md5  string
	name string // for people
	// suffix ends its name for people, and ext is the extension, with the dot.
	suffix, ext string
}

// plan is what is to be done with one recording.
type plan struct {
	row    store.Recording
	ingest store.Ingest // ID 0: no syncer has archived it
	files  []file
	folder string // the teacher's, in Drive
	hint   string // of keys
}

// bytes is the size of what is moved, as far as it is known.
func (p plan) bytes() (n int64) {
	for _, f := range p.files {
		n += f.size
	}
	return n
}

// choose says which files of a recording are to be moved, or why none. It is pure.
func choose(row store.Recording, i store.Ingest, beside []store.RecordingFile, from, to string) (files []file, skip string) {
	at := row.Location()
	switch {
	case row.Deleted:
		return nil, "it was removed"
	case at.Provider == media.ProviderZoom, at.Key == "", !row.Playable():
		return nil, fmt.Sprintf("it is not archived yet (status %s)", row.Status)
	}
	moves := func(provider string) bool { return provider != to && (from == "" || provider == from) }
	if moves(at.Provider) {
		main := file{from: at, size: row.Size, ext: store.KeyExtension(at.Key, ".mp4")}
		main.suffix = main.ext
		if archivedAt(i, at) {
			main.size, main.md5 = i.Size, i.MD5
		}
		files = append(files, main)
	}
	for _, f := range beside {
		if f.Verified() && f.RemovedAt.IsZero() && moves(f.Provider) {
			files = append(files, file{id: f.ID, from: f.Location(), size: f.Size, md5: f.MD5, suffix: f.NameSuffix(), ext: f.Extension()})
		}
	}
	switch {
	case len(files) > 0:
		return files, ""
	case at.Provider == to:
		return nil, "it is in " + to + " already"
	default:
		return nil, fmt.Sprintf("it is in %s, not in %s", at.Provider, from)
	}
}

// archivedAt reports whether an ingest has archived what is at a location.
func archivedAt(i store.Ingest, at media.Location) bool {
	return i.Archived() && at == media.Location{Provider: i.Provider, Key: i.ArchiveKey}
}

// load plans the move of a recording, or says why it is not moved.
func (r *run) load(ctx context.Context, id int64) (p plan, skip string, err error) {
	err = r.m.deps.Store.View(ctx, "move: load a recording", func(x store.Session) error {
		p, skip = plan{}, ""
		var err error
		if p.row, err = store.LoadRecording(ctx, x, id, false); err != nil {
			return err
		}
		owner, err := store.OwnerOf(ctx, x, p.row)
		if err != nil {
			return err
		}
		if r.o.Teacher != 0 && owner != r.o.Teacher {
			skip = fmt.Sprintf("it is teacher %d's", owner)
			return nil
		}
		if p.ingest, err = store.IngestOfRecording(ctx, x, id); err != nil && !catalog.IsNotFound(err) {
			return err
		}
		beside, err := store.UnpurgedFiles(ctx, x, id)
		if err != nil {
			return err
		}
		if p.files, skip = choose(p.row, p.ingest, beside, r.o.From, r.o.To); skip != "" {
			return nil
		}
		return p.describe(ctx, x, owner)
	})
	if catalog.IsNotFound(err) {
		return p, "it was removed", nil
	}
	return p, skip, err
}

// describe fills in what people see of the copies in an archive: names, the teacher's
// folder, and the lesson in the keys.
func (p *plan) describe(ctx context.Context, x store.Session, owner int64) error {
	title, err := store.Title(ctx, x, p.row.ID)
	if err != nil {
		return err
	}
	teacher, err := store.LoadTeacher(ctx, x, owner)
	if err != nil && !catalog.IsNotFound(err) {
		return err
	}
	p.folder, p.hint = teacher.DriveFolder, store.KeyHint(p.row.LessonID, owner)
	for n := range p.files {
		p.files[n].name = store.ArchiveName(p.row.Start, title, p.files[n].suffix)
	}
	return nil
}

// try moves a recording as it is now. errChanged: it is another one at the end.
func (r *run) try(ctx context.Context, id int64) (Result, error) {
	result := Result{Recording: id, Outcome: Moved}
	if !r.o.DryRun {
		if err := r.m.acquire(ctx, id); err != nil {
			return result, err
		}
		defer r.m.release(ctx, id)
		r.m.step("leased")
	}
	p, skip, err := r.load(ctx, id)
	result.From, result.Files, result.Bytes = p.row.Location().Provider, len(p.files), p.bytes()
	switch {
	case err != nil:
		return result, err
	case skip != "":
		result.Outcome, result.Reason = Skipped, skip
		return result, r.abandon(ctx, id)
	case r.o.DryRun:
		return result, nil
	}
	lock, err := r.m.deps.Work.Lock(workdir.Job{Kind: workKind, ID: id})
	if errors.Is(err, workdir.ErrBusy) {
		return result, &busyError{why: "its last mover is ending"}
	}
	if err != nil {
		return result, err
	}
	defer lock.Release()
	copies, err := r.copyAll(ctx, lock, p)
	if err != nil {
		return result, err
	}
	result.Bytes = 0
	for _, c := range copies {
		result.Bytes += c.Size
	}
	result.Outcome, result.Reason, err = r.switchTo(ctx, p, copies)
	if err != nil {
		return result, err
	}
	r.m.step("switched")
	if err := lock.AbortUpload(ctx, r.m.deps.Archives); err != nil {
		r.m.log.Warn("move: upload not aborted", slog.Int64("recording", id), slog.Any("error", err))
	}
	return result, lock.Clear()
}

// abandon gives up what was begun of a recording that is not moved after all.
func (r *run) abandon(ctx context.Context, id int64) error {
	if r.o.DryRun {
		return nil
	}
	return r.m.deps.Store.Update(ctx, "move: abandon copies", func(x store.Session) error { return r.m.abandonAll(ctx, x, id) })
}

// abandonAll gives up the copies of a recording's files that are under way.
func (m *Mover) abandonAll(ctx context.Context, x store.Session, recording int64) error {
	begun, err := store.CopiesUnderWay(ctx, x, recording)
	for _, c := range begun {
		if err == nil {
			err = store.AbandonCopy(ctx, x, c.ID, m.now())
		}
	}
	return err
}
