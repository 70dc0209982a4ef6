package local

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/lectiospace/lectern/internal/archive"
	"github.com/lectiospace/lectern/internal/failpoint"
	"github.com/lectiospace/lectern/internal/media"
)

// recordingsDir is the folder below the root for new recordings. Files that an operator put
// elsewhere are never listed.
const recordingsDir = "lessons"

// Archive puts recordings into the folder. It implements archive.Archive.
type Archive struct {
	root *os.Root
}

// NewArchive opens the folder, which is made when it is not there.
func NewArchive(cfg Config) (*Archive, error) {
	if err := os.MkdirAll(cfg.Root, 0o750); err != nil {
		return nil, fmt.Errorf("origin-local-root: %w", err)
	}
	root, err := os.OpenRoot(cfg.Root)
	if err != nil {
		return nil, fmt.Errorf("origin-local-root: %w", err)
	}
	return &Archive{root: root}, nil
}

// Close closes the folder.
func (a *Archive) Close() error { return a.root.Close() }

// Provider implements archive.Archive.
func (a *Archive) Provider() string { return media.ProviderLocal }

// NewKey returns lessons/YEAR/HINT-RANDOM.mp4, or with the extension of the hint.
func (a *Archive) NewKey(_ context.Context, hint string) (string, error) {
	return path.Join(recordingsDir, time.Now().UTC().Format("2006"), archive.KeyName(hint)), nil
}

// partialOf is the temporary name of a key's file while it is copied.
func partialOf(key string) string { return path.Join(path.Dir(key), "."+path.Base(key)+".partial") }

// Put copies the file to a temporary name in the same folder, syncs it, and renames it: a
// reader sees the old file or the new one, whole.
func (a *Archive) Put(ctx context.Context, item archive.Item) (archive.Stored, error) {
	const op = "local: archive"
	if stored, err := a.Stat(ctx, item.Key); err == nil && stored.Same(item.Size, item.MD5) {
		return stored, nil
	}
	if !filepath.IsLocal(filepath.FromSlash(item.Key)) {
		return archive.Stored{}, media.Faultf(media.Invalid, op, "the key is not a path below the folder")
	}
	if err := failpoint.Err("local.make-folder"); err != nil {
		return archive.Stored{}, archiveFault(ctx, op, err)
	}
	if err := a.root.MkdirAll(path.Dir(item.Key), 0o750); err != nil {
		return archive.Stored{}, archiveFault(ctx, op, err)
	}
	partial := partialOf(item.Key)
	if err := a.copyFile(ctx, item, partial); err != nil {
		return archive.Stored{}, archiveFault(ctx, op, errors.Join(err, a.root.RemoveAll(partial)))
	}
	if err := failpoint.Err("local.rename"); err != nil {
		return archive.Stored{}, archiveFault(ctx, op, err)
	}
	if err := a.root.Rename(partial, item.Key); err != nil {
		return archive.Stored{}, archiveFault(ctx, op, err)
	}
	if err := failpoint.Err("local.sync-folder"); err != nil {
		return archive.Stored{}, archiveFault(ctx, op, err)
	}
	if err := a.syncFolder(path.Dir(item.Key)); err != nil {
		return archive.Stored{}, archiveFault(ctx, op, err)
	}
	return a.Stat(ctx, item.Key)
}

func (a *Archive) copyFile(ctx context.Context, item archive.Item, partial string) error {
	in, err := os.Open(item.Path)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := failpoint.Err("local.create"); err != nil {
		return err
	}
	out, err := a.root.OpenFile(partial, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o640)
	if err != nil {
		return err
	}
	const step = 64 << 20 // between two checks of ctx; within one the kernel copies
	for {
		if err := failpoint.Err("local.write"); err != nil {
			return errors.Join(err, out.Close())
		}
		n, err := io.CopyN(out, in, step)
		if errors.Is(err, io.EOF) && n < step {
			break
		}
		if err = errors.Join(err, ctx.Err()); err != nil {
			return errors.Join(err, out.Close())
		}
	}
	if err := failpoint.Err("local.sync"); err != nil {
		return errors.Join(err, out.Close())
	}
	return errors.Join(out.Sync(), out.Close())
}

func (a *Archive) syncFolder(name string) error {
	f, err := a.root.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Stat reads the whole file for its checksum, so that the checksum is that of the bytes on
// disk.
func (a *Archive) Stat(ctx context.Context, key string) (archive.Stored, error) {
	const op = "local: stat in the archive"
	f, err := a.root.Open(key)
	if err != nil {
		return archive.Stored{}, archiveFault(ctx, op, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return archive.Stored{}, archiveFault(ctx, op, errors.Join(err, fs.ErrNotExist))
	}
	if err := failpoint.Err("local.read"); err != nil {
		return archive.Stored{}, archiveFault(ctx, op, err)
	}
	sum := md5.New()
	if _, err := io.Copy(sum, archive.ContextReader{Ctx: ctx, Reader: f}); err != nil {
		return archive.Stored{}, archiveFault(ctx, op, err)
	}
	return archive.Stored{
		Key: key, Size: info.Size(), MD5: hex.EncodeToString(sum.Sum(nil)),
		Version: objectOf(key, info).Version,
	}, nil
}

// Identify implements archive.Identifier.
func (a *Archive) Identify(_ context.Context, key string) (media.Object, error) {
	f, obj, err := (&Origin{a.root}).open(key)
	if err != nil {
		return media.Object{}, err
	}
	return obj, f.Close()
}

// Open implements archive.Archive.
func (a *Archive) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	f, err := a.root.Open(key)
	if err != nil {
		return nil, archiveFault(ctx, "local: read the archive", err)
	}
	return f, nil
}

// Remove deletes the file, and what a process that was killed has left of its upload: the key
// may have been given up since, and nobody else knows of that.
func (a *Archive) Remove(ctx context.Context, key string) error {
	if err := failpoint.Err("local.remove"); err != nil {
		return archiveFault(ctx, "local: remove", err)
	}
	for _, name := range []string{key, partialOf(key)} {
		if err := a.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return archiveFault(ctx, "local: remove", err)
		}
	}
	return nil
}

// List lists the files that Put has written. Checksums are left out: they would mean reading
// everything.
func (a *Archive) List(ctx context.Context, each func(archive.Stored) error) error {
	err := fs.WalkDir(a.root.FS(), recordingsDir, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case !entry.Type().IsRegular() || strings.HasPrefix(entry.Name(), "."):
			return nil
		}
		info, err := entry.Info()
		if err != nil {
			return nil // removed meanwhile
		}
		return each(archive.Stored{Key: name, Size: info.Size()})
	})
	return archiveFault(ctx, "local: list the archive", err)
}

// archiveFault gives an error its Kind, so that a caller knows whether a retry may help.
func archiveFault(ctx context.Context, op string, err error) error {
	var known *media.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return err
	case ctx.Err() != nil:
		return media.Fault(media.KindOf(ctx.Err()), op, ctx.Err())
	case errors.Is(err, fs.ErrNotExist):
		return media.Fault(media.NotFound, op, nil)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return &media.Error{Kind: media.Quota, Op: op, Reason: "disk_full", Err: err}
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return media.Fault(media.Denied, op, err)
	default:
		return media.Fault(media.Unavailable, op, err)
	}
}
