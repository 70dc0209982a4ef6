package ingest

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/lectiospace/lectern/internal/ffmpeg"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/zoom"
)

// fetchArchived downloads what is archived so far, unless it is there already.
func (r *run) fetchArchived(ctx context.Context) (string, error) {
	path := filepath.Join(r.s.work.path(r.row.ID), "archived-"+r.row.MD5+".mp4")
	if info, err := os.Stat(path); err == nil && info.Size() == r.row.Size {
		return path, nil
	}
	from, err := r.s.deps.Archives.Get(r.row.Provider)
	if err != nil {
		return "", failedAt(atArchive, err)
	}
	in, err := from.Open(ctx, r.row.ArchiveKey)
	if err != nil {
		return "", failedAt(atArchive, err)
	}
	defer in.Close()
	out, err := os.Create(path + ".partial")
	if err != nil {
		return "", failedAt(atDisk, err)
	}
	sum := md5.New()
	_, err = io.Copy(io.MultiWriter(out, sum), in)
	if err = errors.Join(err, out.Close()); err != nil {
		return "", failedAt(atArchive, err)
	}
	if hex.EncodeToString(sum.Sum(nil)) != r.row.MD5 {
		return "", failedAt(atArchive, media.Faultf(media.Corrupt, "syncer: read the archive", "the archived file is not what was put there"))
	}
	return path, failedAt(atDisk, os.Rename(path+".partial", path))
}

// maxResumes bounds how often one run resumes a download that broke off after it had
// delivered something.
const maxResumes = 20

// maxTokens bounds how many refused tokens are replaced.
const maxTokens = 3

// fetch downloads one part, unless it is there already; it resumes where an earlier
// download broke off.
func (r *run) fetch(ctx context.Context, f store.File) (string, error) {
	sum := sha256.Sum256([]byte(f.Name()))
	path := filepath.Join(r.s.work.path(r.row.ID), "part-"+hex.EncodeToString(sum[:8])+".mp4")
	if info, err := os.Stat(path); err == nil && (f.Size == 0 || info.Size() == f.Size) {
		return path, nil
	}
	tokens := r.tokensFor(ctx, f)
	refused := 0
	for try := 0; ; try++ {
		token, err := tokens.get(ctx)
		if err != nil {
			return "", err
		}
		moved, err := r.download(ctx, f, path+".partial", token)
		switch {
		case err == nil:
			if err := checkVideo(path+".partial", f); err != nil {
				return "", errors.Join(err, os.Remove(path+".partial"))
			}
			r.log.Info("ingest: part fetched", slog.String("file", f.ID), slog.Int64("bytes", f.Size))
			return path, os.Rename(path+".partial", path)
		case ctx.Err() != nil:
			return "", err
		case zoom.ReasonOf(err) == zoom.ReasonExpiredToken && refused < maxTokens:
			// Seen right after an event: Zoom refuses one token and takes the next.
			refused++
			tokens.refuse(token)
		case media.KindOf(err).Passing() && zoom.ReasonOf(err) == "" && moved > 0 && try < maxResumes:
			r.log.Debug("ingest: download resumed", slog.Any("error", err))
		default:
			return "", err
		}
	}
}

// downloadTokens are the tokens that may open a file, the best first. They belong to
// one goroutine.
type downloadTokens struct {
	r       *run
	account zoom.Account
	sealed  string
	refused map[string]bool
	last    string
}

func (r *run) tokensFor(ctx context.Context, f store.File) *downloadTokens {
	t := &downloadTokens{r: r, refused: map[string]bool{}}
	_ = r.s.deps.Store.View(ctx, "syncer: a meeting", func(x store.Session) error {
		m, err := store.LoadMeeting(ctx, x, f.MeetingUUID)
		if err == nil {
			t.account, t.sealed = r.s.accountOf(ctx, m, r.teacher), m.SealedToken
		}
		return err
	})
	return t
}

func (t *downloadTokens) refuse(token string) { t.refused[token], t.last = true, token }

// get is the file's own token, from its webhook or from the API, else the app's,
// renewed when it was refused.
func (t *downloadTokens) get(ctx context.Context) (string, error) {
	if token, err := t.r.s.deps.Tokens.Open(t.sealed, DownloadTokenPurpose); err == nil && token != "" && !t.refused[token] {
		return token, nil
	}
	if !t.account.Complete() {
		return "", errNoCredentials("syncer: download")
	}
	refused := ""
	if t.refused[t.last] {
		refused = t.last
	}
	return t.r.s.deps.Zoom.Token(ctx, t.account, refused)
}

// download appends to a partial file what it lacks, and says how many bytes came.
func (r *run) download(ctx context.Context, f store.File, partial, token string) (moved int64, err error) {
	out, err := os.OpenFile(partial, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	have, err := out.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, err
	}
	if f.Size > 0 && have >= f.Size {
		have = 0
	}
	validator, _ := os.ReadFile(partial + ".etag")
	d, err := r.s.deps.Zoom.Download(ctx, f.DownloadURL, token, have, string(validator))
	if err != nil {
		if zoom.ReasonOf(err) == zoom.ReasonRange {
			// The partial file is of another version: it is downloaded from the beginning.
			err = errors.Join(err, out.Truncate(0))
		}
		return 0, err
	}
	defer d.Body.Close()
	if d.Size >= 0 && f.Size > 0 && d.Size != f.Size && d.Offset > 0 {
		return 0, errors.Join(&media.Error{Kind: media.Corrupt, Op: "syncer: download", Reason: zoom.ReasonRange, Err: errors.New("the file has another size now")}, out.Truncate(0))
	}
	if err := out.Truncate(d.Offset); err != nil {
		return 0, err
	}
	if _, err := out.Seek(d.Offset, io.SeekStart); err != nil {
		return 0, err
	}
	if d.Validator != "" {
		if err := os.WriteFile(partial+".etag", []byte(d.Validator), 0o600); err != nil {
			return 0, err
		}
	}
	moved, err = io.CopyBuffer(struct{ io.Writer }{out}, d.Body, make([]byte, 1<<20))
	if err != nil {
		return moved, err
	}
	end := d.Offset + moved
	if d.Size >= 0 && end != d.Size && d.Offset == 0 {
		return moved, media.Faultf(media.Unavailable, "syncer: download", "the download broke off at %d of %d bytes", end, d.Size)
	}
	if f.Size > 0 && end < f.Size && (d.Size < 0 || end != d.Size) {
		return moved, media.Faultf(media.Unavailable, "syncer: download", "the download broke off at %d of %d bytes", end, f.Size)
	}
	return moved, nil
}

// checkVideo refuses what is no recording, whatever its status and type said: a page
// for people, a file that ends too early or has another size than Zoom lists.
func checkVideo(path string, f store.File) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if f.Size > 0 && info.Size() != f.Size {
		return media.Faultf(media.Corrupt, "syncer: download", "it has %d bytes and Zoom lists %d", info.Size(), f.Size)
	}
	_, err = ffmpeg.Boxes(file, info.Size())
	return err
}
