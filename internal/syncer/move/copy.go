package move

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/lectiospace/lectern/internal/archive"
	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/failpoint"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/syncer/workdir"
)

// overhead is what a recording's directory holds beside the file, in bytes.
const overhead = 1 << 20

// copied is a verified copy, and how its archive describes it.
type copied struct {
	store.Copy
	stored archive.Stored
}

// copyAll makes a verified copy of each file of a plan.
func (r *run) copyAll(ctx context.Context, lock *workdir.Lock, p plan) ([]copied, error) {
	var begun []store.Copy
	err := r.m.deps.Store.View(ctx, "move: copies under way", func(x store.Session) (err error) {
		begun, err = store.CopiesUnderWay(ctx, x, p.row.ID)
		return err
	})
	if err != nil {
		return nil, err
	}
	var copies []copied
	for _, f := range p.files {
		c, err := r.copyFile(ctx, lock, p, f, begun)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", f.from.Provider, f.from.Key, err)
		}
		copies = append(copies, c)
	}
	return copies, nil
}

// source is a file as its archive describes it.
type source struct {
	object  media.Object // zero where the archive does not identify objects
	stored  archive.Stored
	archive archive.Archive
}

// inspect describes a file, and refuses one that is not what was archived.
func (r *run) inspect(ctx context.Context, f file) (s source, err error) {
	if s.archive, err = r.m.deps.Archives.Get(f.from.Provider); err != nil {
		return s, err
	}
	if s.object, err = identify(ctx, s.archive, f.from.Key); err != nil {
		return s, err
	}
	if s.stored, err = s.archive.Stat(ctx, f.from.Key); err != nil {
		return s, err
	}
	if f.md5 != "" && s.stored.MD5 != "" && (s.stored.MD5 != f.md5 || s.stored.Size != f.size) {
		return s, damaged("the archive holds %d bytes with MD5 %s, and not the %d bytes with MD5 %s that were archived", s.stored.Size, s.stored.MD5, f.size, f.md5)
	}
	return s, nil
}

// damaged is the error for a source that is not moved because it is not what was archived.
// It does not pass.
func damaged(format string, args ...any) error {
	return media.Faultf(media.Invalid, "move: verify the source", format, args...)
}

// identify is the object as viewers read it; zero where the archive does not say.
func identify(ctx context.Context, a archive.Archive, key string) (media.Object, error) {
	i, ok := a.(archive.Identifier)
	if !ok {
		return media.Object{}, nil
	}
	return i.Identify(ctx, key)
}

// unchanged reports whether the archive still holds the same version.
func (s source) unchanged(ctx context.Context, key string) (bool, error) {
	if s.object.Version != "" {
		now, err := identify(ctx, s.archive, key)
		return now == s.object, err
	}
	now, err := s.archive.Stat(ctx, key)
	return now == s.stored, err
}

// copyFile makes a verified copy of one file, or continues one that was begun. errChanged:
// the file changed meanwhile.
func (r *run) copyFile(ctx context.Context, lock *workdir.Lock, p plan, f file, begun []store.Copy) (copied, error) {
	src, err := r.inspect(ctx, f)
	if err != nil {
		return copied{}, err
	}
	target, err := r.m.deps.Archives.Get(r.o.To)
	if err != nil {
		return copied{}, err
	}
	c, err := r.ensureKey(ctx, p, f, src, begun)
	if err != nil {
		return copied{}, err
	}
	r.m.step("key recorded")
	if c.Verified() {
		if stored, err := target.Stat(ctx, c.To.Key); err == nil && stored.Same(c.Size, c.MD5) {
			return copied{c, stored}, nil
		}
	}
	job := workdir.Job{Kind: workKind, ID: p.row.ID}
	if err := r.m.deps.Work.Reserve(job, src.stored.Size+overhead); err != nil {
		return copied{}, err
	}
	defer r.m.deps.Work.Unreserve(job)
	local := filepath.Join(r.m.deps.Work.Path(job), "copy-"+strconv.FormatInt(c.ID, 10))
	if err := r.fetch(ctx, f, src, local, &c); err != nil {
		return copied{}, err
	}
	r.m.step("fetched")
	stored, err := lock.Put(ctx, r.m.deps.Archives, target, r.item(p, f, local, c))
	if err != nil {
		return copied{}, err
	}
	r.m.step("uploaded")
	if err := r.verify(ctx, target, stored, c); err != nil {
		return copied{}, err
	}
	c.ToVersion = stored.Version
	if c, err = r.record(ctx, f, src, c); err != nil {
		return copied{}, err
	}
	r.m.step("verified")
	failpoint.Here("move.remove-local")
	return copied{c, stored}, os.Remove(local)
}

// ensureKey finds the copy of a file that was begun, or begins one: its key is in the
// database before the first byte goes up. What was begun of another version, or for another
// archive, is abandoned.
func (r *run) ensureKey(ctx context.Context, p plan, f file, src source, begun []store.Copy) (store.Copy, error) {
	var stale []store.Copy
	for _, c := range begun {
		if c.FileID != f.id {
			continue
		}
		same := c.From == f.from && c.To.Provider == r.o.To && (!c.Verified() || c.FromVersion == src.stored.Version && c.Size == src.stored.Size && (src.stored.MD5 == "" || c.MD5 == src.stored.MD5))
		if same {
			return c, nil
		}
		stale = append(stale, c)
	}
	target, err := r.m.deps.Archives.Get(r.o.To)
	if err != nil {
		return store.Copy{}, err
	}
	key, err := target.NewKey(ctx, p.hint+f.ext)
	if err != nil {
		return store.Copy{}, err
	}
	c := store.Copy{RecordingID: p.row.ID, FileID: f.id, From: f.from, To: media.Location{Provider: r.o.To, Key: key}}
	err = r.m.deps.Store.Update(ctx, "move: begin a copy", func(x store.Session) error {
		if err := r.checkLease(ctx, x, p.row.ID); err != nil {
			return err
		}
		for _, old := range stale {
			if err := store.AbandonCopy(ctx, x, old.ID, r.m.now()); err != nil {
				return err
			}
		}
		var err error
		c.ID, err = store.AddCopy(ctx, x, c, r.m.now())
		return err
	})
	return c, err
}

// checkLease renews the lease of a recording. It is errLeaseLost when another mover has the recording.
func (r *run) checkLease(ctx context.Context, x store.Session, recording int64) error {
	owned, err := store.OwnsMove(ctx, x, recording, r.m.deps.ID, r.m.now())
	if err == nil && !owned {
		return errLeaseLost
	}
	return err
}

// fetch downloads the source to a local file, unless an earlier mover has and a checksum
// proves it, and fills in the copy's size and checksums. What was read has to be what the
// archive says it holds.
func (r *run) fetch(ctx context.Context, f file, src source, local string, c *store.Copy) error {
	sums, err := archive.FileSums(ctx, local)
	c.Size, c.MD5, c.SHA256 = sums.Size, sums.MD5, sums.SHA256
	if known := src.stored.MD5 != "" || f.md5 != ""; err == nil && known && proven(f, src, *c) == nil {
		return nil
	}
	if err := r.download(ctx, f, src, local+".partial", c); err != nil {
		return err
	}
	if err := proven(f, src, *c); err != nil {
		return err
	}
	if err := failpoint.Err("move.rename-local"); err != nil {
		return err
	}
	return os.Rename(local+".partial", local)
}

// proven is nil when what was read is what the source's archive says, and what was archived.
func proven(f file, src source, c store.Copy) error {
	switch {
	case c.Size != src.stored.Size, src.stored.MD5 != "" && c.MD5 != src.stored.MD5:
		return media.Faultf(media.Corrupt, "move: read the source", "%d bytes with MD5 %s were read, the archive says %d bytes with MD5 %s", c.Size, c.MD5, src.stored.Size, src.stored.MD5)
	case f.md5 != "" && c.MD5 != f.md5:
		return damaged("%d bytes with MD5 %s were read, and not the %d bytes with MD5 %s that were archived", c.Size, c.MD5, f.size, f.md5)
	default:
		return nil
	}
}

func (r *run) download(ctx context.Context, f file, src source, to string, c *store.Copy) error {
	in, err := src.archive.Open(ctx, f.from.Key)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := failpoint.Err("move.create-local"); err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	sums, err := archive.CopySums(out, archive.ContextReader{Ctx: ctx, Reader: in, Limit: r.limit})
	c.Size, c.MD5, c.SHA256 = sums.Size, sums.MD5, sums.SHA256
	return errors.Join(err, out.Close())
}

// item is a copy for its archive.
func (r *run) item(p plan, f file, local string, c store.Copy) archive.Item {
	return archive.Item{
		Key: c.To.Key, Path: local, Size: c.Size, MD5: c.MD5, Name: f.name, Folder: p.folder,
		Properties: map[string]string{"lesson": strconv.FormatInt(p.row.LessonID, 10)},
	}
}

// verify holds the copy against what was sent: by the archive's checksum or, where it names
// none, by reading it back. A copy that differs is removed and its key given up.
func (r *run) verify(ctx context.Context, target archive.Archive, stored archive.Stored, c store.Copy) error {
	if stored.Same(c.Size, c.MD5) {
		return nil
	}
	if stored.MD5 == "" && stored.Size == c.Size {
		in, err := target.Open(ctx, c.To.Key)
		if err != nil {
			return err
		}
		back, err := archive.CopySums(io.Discard, archive.ContextReader{Ctx: ctx, Reader: in, Limit: r.limit})
		if err := errors.Join(err, in.Close()); err != nil {
			return err
		}
		if back.Size == c.Size && back.SHA256 == c.SHA256 {
			return nil
		}
	}
	if err := target.Remove(ctx, c.To.Key); err != nil {
		return err
	}
	err := r.m.deps.Store.Update(ctx, "move: give up a copy", func(x store.Session) error { return store.AbandonCopy(ctx, x, c.ID, r.m.now()) })
	return errors.Join(err, media.Faultf(media.Corrupt, "move: verify the copy", "%s holds %d bytes with MD5 %s instead of the %d bytes with MD5 %s that were sent", r.o.To, stored.Size, stored.MD5, c.Size, c.MD5))
}

// record notes a copy as verified. errChanged: the source is not what it was when the
// copying began.
func (r *run) record(ctx context.Context, f file, src source, c store.Copy) (store.Copy, error) {
	if same, err := src.unchanged(ctx, f.from.Key); err != nil || !same {
		return c, cmp.Or(err, errChanged)
	}
	c.FromVersion, c.Modified, c.VerifiedAt = src.stored.Version, src.object.ModTime, r.m.now()
	checked := src.stored.MD5 != "" || f.md5 != "" // else nothing but the transport vouches for what was read
	if checked && c.FromVersion != "" && c.ToVersion != "" {
		c.Original, c.OriginalModified = media.Identity{Provider: f.from.Provider, ID: f.from.Key, Version: c.FromVersion}, c.Modified
		if src.object.Version == c.FromVersion {
			c.Original = src.object.Identity()
		}
	}
	return c, r.m.deps.Store.Update(ctx, "move: a copy is verified", func(x store.Session) error {
		if err := r.checkLease(ctx, x, c.RecordingID); err != nil {
			return err
		}
		before, err := store.CopyAt(ctx, x, c.RecordingID, c.FileID, c.From)
		if err != nil && !catalog.IsNotFound(err) {
			return err
		}
		// What was moved before is known by its first identity.
		if err == nil && before.Original != (media.Identity{}) && before.ToVersion == c.FromVersion && before.Size == c.Size && before.MD5 == c.MD5 {
			c.Original, c.OriginalModified = before.Original, before.OriginalModified
		}
		return saveCopy(ctx, x, c)
	})
}

// saveCopy writes a copy back. errChanged: the purge has given it up, since no mover that
// lived continued it.
func saveCopy(ctx context.Context, x store.Session, c store.Copy) error {
	ok, err := store.SaveCopy(ctx, x, c)
	if err == nil && !ok {
		return errChanged
	}
	return err
}
