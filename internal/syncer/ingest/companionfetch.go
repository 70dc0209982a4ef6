package ingest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/lectiospace/lectern/internal/failpoint"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/zoom"
)

// unknownSize is what is reserved for a companion whose size Zoom does not list: captions and
// timelines, which are small.
const unknownSize = 16 << 20

// fetched is a companion on our disk.
type fetched struct {
	path     string
	duration time.Duration // 0 where it does not play
	// problem is what is wrong with a file that is archived all the same, "" for nothing.
	problem string
}

// fetchCompanion downloads a companion, resuming where an earlier download broke off, and
// checks that it is whole and no page for people.
func (c *companionRun) fetchCompanion(ctx context.Context, f store.File) (fetched, error) {
	job := companionJob(c.row.ID)
	if err := c.checkRoom(ctx, f); err != nil {
		return fetched{}, err
	}
	size := f.Size
	if size == 0 {
		size = unknownSize
	}
	if err := c.s.work.Reserve(job, size); err != nil {
		return fetched{}, failedAt(atDisk, err)
	}
	defer c.s.work.Unreserve(job)
	sum := sha256.Sum256([]byte(f.Name()))
	path := filepath.Join(c.s.work.Path(job), hex.EncodeToString(sum[:8])+"."+f.FileExtension())
	if stat, err := os.Stat(path); err != nil || f.Size == 0 || !sizeBelieved(f, stat.Size()) {
		if err := c.fetchTo(ctx, f, path+".partial"); err != nil {
			return fetched{}, failedAt(atZoom, err)
		}
		if err := c.checkFile(ctx, f, path+".partial"); err != nil {
			return fetched{}, failedAt(atZoom, err)
		}
		if !f.Media() {
			if err := c.confirm(ctx, f, path+".partial"); err != nil {
				return fetched{}, failedAt(atZoom, err)
			}
		}
		if err := failpoint.Err("ingest.rename-companion"); err != nil {
			return fetched{}, failedAt(atDisk, err)
		}
		if err := os.Rename(path+".partial", path); err != nil {
			return fetched{}, failedAt(atDisk, err)
		}
	}
	return c.inspect(ctx, f, path)
}

// checkRoom refuses a companion for which the teacher's quota has no room, before a byte is
// fetched.
func (c *companionRun) checkRoom(ctx context.Context, f store.File) error {
	if f.Size < store.CompanionCountedFrom {
		return nil
	}
	room := false
	err := c.s.deps.Store.Update(ctx, "syncer: room for a companion", func(x store.Session) (err error) {
		owner, err := store.OwnerOf(ctx, x, c.recording)
		if err != nil {
			return err
		}
		room, err = c.s.roomFor(ctx, x, owner, f.Size)
		return err
	})
	if err == nil && !room {
		return errNoRoom
	}
	return err
}

// checkFile refuses a downloaded file that is a page for people, whatever its status and type
// said, or that has another size than Zoom lists: that size is believed when it came
// store.DownloadTries times.
func (c *companionRun) checkFile(ctx context.Context, f store.File, path string) error {
	head, err := beginning(path)
	if err != nil {
		return failedAt(atDisk, err)
	}
	if isPage(head) && f.FileExtension() != "html" {
		return errors.Join(&media.Error{Kind: media.Corrupt, Op: "syncer: download", Reason: zoom.ReasonPage, Err: errors.New("a page for people instead of the file")}, os.Remove(path))
	}
	return c.checkSize(ctx, f, path)
}

// confirm downloads a file again whose size Zoom does not list, and compares the sizes: one that
// was cut on its way, and came with the length of what was left of it, shows by nothing else.
func (c *companionRun) confirm(ctx context.Context, f store.File, path string) error {
	if f.Size != 0 {
		return nil
	}
	again := path + ".again"
	if err := os.RemoveAll(again); err != nil {
		return failedAt(atDisk, err)
	}
	if err := c.fetchTo(ctx, f, again); err != nil {
		return err
	}
	first, err := os.Stat(path)
	if err != nil {
		return failedAt(atDisk, err)
	}
	second, err := os.Stat(again)
	if err != nil {
		return failedAt(atDisk, err)
	}
	if err := os.Remove(again); err != nil || first.Size() == second.Size() {
		return failedAt(atDisk, err)
	}
	return errors.Join(media.Faultf(media.Corrupt, "syncer: download", "Zoom lists no size, and two downloads differ: %d and %d bytes", first.Size(), second.Size()), os.Remove(path))
}

// beginning are the first bytes of a file.
func beginning(path string) ([]byte, error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return io.ReadAll(io.LimitReader(in, 512))
}

// isPage reports whether a file begins as HTML does.
func isPage(head []byte) bool {
	head = bytes.ToLower(bytes.TrimSpace(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))))
	return bytes.HasPrefix(head, []byte("<!doctype html")) || bytes.HasPrefix(head, []byte("<html"))
}

// inspect says how long a companion plays, or that its text cannot be read. One that is empty
// or does not play is tried again a few times, since a file host may be late, and kept as it
// is then, if it is as long as Zoom lists, or as it comes a second time: another size and no
// picture are a broken download, and Zoom's copy would be trashed after it.
func (c *companionRun) inspect(ctx context.Context, f store.File, path string) (fetched, error) {
	out := fetched{path: path}
	stat, err := os.Stat(path)
	if err != nil {
		return out, failedAt(atDisk, err)
	}
	var problem error
	switch {
	case stat.Size() == 0:
		problem = media.Faultf(media.Corrupt, "syncer: download", "the file is empty")
	case !f.Media():
		kind, _ := f.CompanionKind()
		out.problem, err = unreadable(kind, path)
		return out, err
	default:
		info, err := c.s.deps.Tool.Probe(ctx, path)
		if err != nil && media.KindOf(err) != media.Corrupt {
			return out, failedAt(atJoin, err)
		}
		out.duration, problem = info.Duration, err
	}
	if problem == nil {
		return out, nil
	}
	if f.Fault.Count+1 < store.DownloadTries || f.Size != 0 && stat.Size() != f.Size {
		return out, failedAt(atZoom, errors.Join(problem, os.Remove(path)))
	}
	if f.Media() {
		if err := c.confirm(ctx, f, path); err != nil {
			return out, failedAt(atZoom, err)
		}
	}
	out.problem = strings.ReplaceAll(problem.Error(), "\n", " ")
	c.log.Warn("companions: file kept as it is", slog.String("file", f.ID), slog.String("problem", out.problem))
	return out, nil
}
