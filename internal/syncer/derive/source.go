package derive

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/lectiospace/lectern/internal/archive"
	"github.com/lectiospace/lectern/internal/failpoint"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// overhead is what a recording's directory holds beside the source, in bytes: another half of
// the source, since what is made is smaller, and this.
const overhead = 64 << 20

const sourcePrefix = "source-"

// sourceName is the name of a source in its recording's directory.
func sourceName(source string) string {
	sum := sha256.Sum256([]byte(source))
	return sourcePrefix + hex.EncodeToString(sum[:8]) + ".mp4"
}

// Keep moves the file of a recording that was just archived into its own directory, so that
// the archive need not be read. It does nothing where there is no room, or somebody works on the recording:
// then it is read from the archive like an older one. path must be on the file system of the
// work directory.
func (d *Deriver) Keep(recording int64, path, md5 string) {
	if d.off() {
		return
	}
	err := d.keep(recording, path, md5)
	if err != nil {
		d.log.Info("derive: recording is read from the archive later", slog.Int64("recording", recording), slog.Any("error", err))
	}
}

func (d *Deriver) keep(recording int64, path, md5 string) error {
	stat, err := os.Stat(path)
	if err != nil {
		return err
	}
	kept, err := d.deps.Work.Used(workKind)
	if err != nil {
		return err
	}
	if kept+stat.Size() > d.cfg.KeepSize {
		return errors.New("the files of other recordings wait")
	}
	lock, err := d.deps.Work.Lock(workJob(recording))
	if err != nil {
		return err
	}
	defer lock.Release()
	if err := failpoint.Err("derive.keep"); err != nil {
		return err
	}
	return os.Rename(path, filepath.Join(d.deps.Work.Path(workJob(recording)), sourceName(store.SourceOfMD5(md5))))
}

// fetch returns the path of the source: where Keep has left it, or an earlier run, else read
// from the archive.
func (r *run) fetch(ctx context.Context) (string, error) {
	job := workJob(r.row.ID)
	path := filepath.Join(r.deps.Work.Path(job), sourceName(r.source))
	if err := r.removeOtherSources(); err != nil {
		return "", onDisk(err)
	}
	if stat, err := os.Stat(path); err == nil {
		return path, r.reserve(stat.Size())
	}
	if wait := r.readPause(r.row.Location().Provider); wait > 0 {
		return "", &notNow{wait}
	}
	if _, err := r.deps.Tool.Version(ctx); err != nil {
		return "", &unavailableError{thisMachine, err} // before a source is read that nothing can be made of
	}
	from, err := r.deps.Archives.Get(r.row.Location().Provider)
	if err != nil {
		return "", r.fromArchive(err)
	}
	stored, err := from.Stat(ctx, r.row.Location().Key)
	if err != nil {
		return "", r.fromArchive(err)
	}
	if used, err := r.deps.Work.Used(workKind); err != nil || used > 0 && used+stored.Size > r.cfg.KeepSize {
		return "", errors.Join(err, &notNow{unavailablePause}) // others that were put off wait with their sources
	}
	if err := r.reserve(stored.Size); err != nil {
		return "", err
	}
	if err := r.download(ctx, from, stored.Size, path+".partial"); err != nil {
		return "", errors.Join(err, os.Remove(path+".partial"))
	}
	if err := failpoint.Err("derive.rename-source"); err != nil {
		return "", onDisk(err)
	}
	return path, onDisk(os.Rename(path+".partial", path))
}

// removeOtherSources removes what the recording was made of before. It would take the room of
// the present source, which might then never be read.
func (r *run) removeOtherSources() error {
	dir := r.deps.Work.Path(workJob(r.row.ID))
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), sourcePrefix) && e.Name() != sourceName(r.source) {
			err = errors.Join(err, os.Remove(filepath.Join(dir, e.Name())))
		}
	}
	return err
}

// reserve reserves room in the work directory for a source and what is made of it.
func (r *run) reserve(size int64) error {
	return onDisk(r.deps.Work.Reserve(workJob(r.row.ID), size+size/2+overhead))
}

// download reads the recording from its archive, and refuses what is not what was archived.
func (r *run) download(ctx context.Context, from archive.Archive, size int64, to string) error {
	in, err := from.Open(ctx, r.row.Location().Key)
	if err != nil {
		return r.fromArchive(err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return onDisk(err)
	}
	got, err := archive.CopySums(out, archive.ContextReader{Ctx: ctx, Reader: in, Limit: r.limit})
	r.metrics.read.Add(float64(got.Size))
	var disk *fs.PathError
	switch closed := out.Close(); {
	case closed != nil, errors.As(err, &disk) && disk.Path == to:
		return onDisk(errors.Join(err, closed))
	case err != nil:
		return &unavailableError{r.row.Location().Provider, err}
	case got.Size != size, r.md5 != "" && got.MD5 != r.md5:
		return media.Faultf(media.Corrupt, "derive: read the recording", "%d bytes with MD5 %s were read, and not %d with MD5 %s", got.Size, got.MD5, size, r.md5)
	}
	return nil
}
