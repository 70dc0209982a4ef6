package ingest

import (
	"bufio"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/lectiospace/lectern/internal/ffmpeg"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// joined is a file that is ready to be archived.
type joined struct {
	path     string
	size     int64
	md5      string // lower-case hex
	duration time.Duration
}

// build fetches the parts and joins them.
func (r *run) build(ctx context.Context) (joined, error) {
	paths, err := r.fetchAll(ctx)
	if err != nil {
		return joined{}, err
	}
	out, err := r.join(ctx, paths)
	if err != nil {
		return joined{}, err
	}
	out.size, out.md5, err = checksum(ctx, out.path)
	return out, failedAt(atDisk, err)
}

// fetchAll downloads what is joined and returns the files in order.
func (r *run) fetchAll(ctx context.Context) ([]string, error) {
	var paths []string
	for _, in := range joinOrder(r.plan.parts, r.row.Parts()) {
		var path string
		var err error
		if in.archived {
			path, err = r.fetchArchived(ctx)
		} else {
			path, err = r.fetch(ctx, in.part)
			err = failedAt(atZoom, err)
		}
		if err != nil {
			return nil, err
		}
		paths = append(paths, path)
	}
	return paths, nil
}

// joinInput is one of the files that are joined: a part at Zoom, or what is archived
// so far.
type joinInput struct {
	part     store.File
	archived bool
}

// joinOrder is what is joined, in time order. parts are the plan's, in time order;
// archived are the names of those that the archived file was made of. Where Zoom no
// longer has one of these, the archived file stands for all of them, at the place of
// the first: a part that lies between two of them can only follow. It is pure.
func joinOrder(parts []store.File, archived []string) (out []joinInput) {
	useArchived := slices.ContainsFunc(parts, func(f store.File) bool { return !f.ArchivedAt.IsZero() && f.LeftZoom() })
	placed := false
	for _, f := range parts {
		switch {
		case !useArchived || !slices.Contains(archived, f.Name()):
			out = append(out, joinInput{part: f})
		case !placed:
			out, placed = append(out, joinInput{archived: true}), true
		}
	}
	return out
}

// join makes one file of the inputs, with its index in front. A single part that is so
// already stays as it is: nothing is better than what Zoom made.
func (r *run) join(ctx context.Context, paths []string) (joined, error) {
	out := joined{path: paths[0]}
	tool := r.s.deps.Tool
	for _, path := range paths {
		info, err := tool.Probe(ctx, path)
		if err != nil && len(paths) > 1 {
			return joined{}, failedAt(atJoin, err)
		}
		if err != nil {
			r.log.Warn("ingest: part not probed", slog.Any("error", err))
		}
		out.duration += info.Duration
	}
	dir := r.s.work.path(r.row.ID)
	if len(paths) > 1 || !fastStart(paths[0]) {
		whole := filepath.Join(dir, "joined-"+Fingerprint(r.plan.names())+".mp4")
		if _, err := os.Stat(whole); err != nil {
			err := tool.Join(ctx, paths, whole)
			switch {
			case err != nil && len(paths) == 1 && ctx.Err() == nil:
				// It plays as it is, a little later.
				r.log.Warn("ingest: index left at the end", slog.Any("error", err))
				whole = paths[0]
			case err != nil:
				return joined{}, failedAt(atJoin, err)
			}
		}
		out.path = whole
	}
	if r.s.cfg.Reencode {
		small := filepath.Join(dir, "small-"+Fingerprint(r.plan.names())+".mp4")
		worth, err := tool.Smaller(ctx, out.path, small)
		if err != nil {
			return joined{}, failedAt(atJoin, err)
		}
		if worth {
			out.path = small
		}
	}
	return out, nil
}

func fastStart(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return false
	}
	layout, err := ffmpeg.Boxes(f, info.Size())
	return err == nil && layout.FastStart
}

// Fingerprint is a short name for a list of names.
func Fingerprint(names []string) string {
	sum := sha256.Sum256([]byte(strings.Join(names, "\n")))
	return hex.EncodeToString(sum[:8])
}

// checksum reads a file once, with constant memory.
func checksum(ctx context.Context, path string) (int64, string, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, "", err
	}
	defer f.Close()
	sum := md5.New()
	in := bufio.NewReaderSize(f, 1<<20)
	var size int64
	for {
		n, err := io.CopyN(sum, in, 64<<20)
		size += n
		if errors.Is(err, io.EOF) {
			return size, hex.EncodeToString(sum.Sum(nil)), nil
		}
		if err = errors.Join(err, ctx.Err()); err != nil {
			return 0, "", err
		}
	}
}
