package syncer

import (
	"bufio"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/lectiospace/lectern/internal/ffmpeg"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/zoom"
)

// made is a file that is ready to be archived.
type made struct {
	path     string
	size     int64
	md5      string
	duration time.Duration
	// parts are how long each part is, for the captions.
	parts []time.Duration
}

// make fetches the parts and joins them.
func (w *ingest) make(ctx context.Context) (made, error) {
	paths, err := w.fetchAll(ctx)
	if err != nil {
		return made{}, err
	}
	out, err := w.join(ctx, paths)
	if err != nil {
		return made{}, err
	}
	out.size, out.md5, err = checksum(ctx, out.path)
	return out, failedAt(atDisk, err)
}

// fetchAll has every part on disk, in order. Parts that Zoom no longer has stand in
// the archive, joined: that file takes their place.
func (w *ingest) fetchAll(ctx context.Context) ([]string, error) {
	var paths []string
	archived := false
	for _, f := range w.plan.parts {
		if !f.ArchivedAt.IsZero() && (!f.TrashedAt.IsZero() || !f.GoneAt.IsZero()) {
			archived = true
		}
	}
	if archived {
		path, err := w.fetchArchived(ctx)
		if err != nil {
			return nil, err
		}
		paths = append(paths, path)
	}
	before := len(paths)
	for _, f := range w.plan.parts {
		if archived && slices.Contains(w.row.Parts(), f.MeetingUUID+"/"+f.ID) {
			before = len(paths)
			continue
		}
		path, err := w.fetch(ctx, f)
		if err != nil {
			return nil, failedAt(atZoom, err)
		}
		if archived && f.Start.Before(w.plan.parts[0].Start.Add(time.Nanosecond)) && before == 1 && len(paths) == 1 {
			paths = append([]string{path}, paths...) // it came before what is archived
			continue
		}
		paths = append(paths, path)
	}
	return paths, nil
}

// fetchArchived has what is archived so far on disk.
func (w *ingest) fetchArchived(ctx context.Context) (string, error) {
	path := filepath.Join(w.s.space.folder(w.row.ID), "archived-"+w.row.MD5+".mp4")
	if info, err := os.Stat(path); err == nil && info.Size() == w.row.Size {
		return path, nil
	}
	from, err := w.s.archiveOf(w.row.Provider)
	if err != nil {
		return "", failedAt(atArchive, err)
	}
	in, err := from.Open(ctx, w.row.ArchiveKey)
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
	if hex.EncodeToString(sum.Sum(nil)) != w.row.MD5 {
		return "", failedAt(atArchive, media.Faultf(media.Corrupt, "syncer: read the archive", "the archived file is not what was put there"))
	}
	return path, failedAt(atDisk, os.Rename(path+".partial", path))
}

// resumeTries bounds how often one run goes on with a download that broke off and
// had moved meanwhile.
const resumeTries = 20

// fetch has one part on disk, going on where an earlier try broke off.
func (w *ingest) fetch(ctx context.Context, f store.File) (string, error) {
	sum := sha256.Sum256([]byte(f.MeetingUUID + "/" + f.ID))
	path := filepath.Join(w.s.space.folder(w.row.ID), "part-"+hex.EncodeToString(sum[:8])+".mp4")
	if info, err := os.Stat(path); err == nil && (f.Size == 0 || info.Size() == f.Size) {
		return path, nil
	}
	tokens := w.tokensFor(ctx, f)
	refused := 0
	for try := 0; ; try++ {
		token, err := tokens.get(ctx)
		if err != nil {
			return "", err
		}
		moved, err := w.download(ctx, f, path+".partial", token)
		switch {
		case err == nil:
			if err := checkVideo(path+".partial", f); err != nil {
				return "", errors.Join(err, os.Remove(path+".partial"))
			}
			w.log.Info("a part was fetched", slog.String("file", f.ID), slog.Int64("bytes", f.Size))
			return path, os.Rename(path+".partial", path)
		case ctx.Err() != nil:
			return "", err
		case zoom.ReasonOf(err) == zoom.ReasonExpiredToken && refused < 3:
			// Seen right after an event: Zoom refuses one token and takes the next.
			refused++
			tokens.refuse(token)
		case media.KindOf(err).Passing() && zoom.ReasonOf(err) == "" && moved > 0 && try < resumeTries:
			w.log.Debug("a download broke off and goes on", slog.Any("error", err))
		default:
			return "", err
		}
	}
}

// downloadTokens are the tokens that may open a file, tried in turn.
type downloadTokens struct {
	w       *ingest
	account zoom.Account
	sealed  string
	refused map[string]bool
	last    string
}

func (w *ingest) tokensFor(ctx context.Context, f store.File) *downloadTokens {
	t := &downloadTokens{w: w, refused: map[string]bool{}}
	_ = w.s.deps.Store.View(ctx, "syncer: a meeting", func(x store.Session) error {
		m, err := store.LoadMeeting(ctx, x, f.MeetingUUID)
		if err == nil {
			t.account, t.sealed = w.account(ctx, m), m.SealedToken
		}
		return err
	})
	return t
}

func (t *downloadTokens) refuse(token string) { t.refused[token], t.last = true, token }

// get gives the file's own token, from its webhook or from the API, and else the
// app's, renewed when it was refused.
func (t *downloadTokens) get(ctx context.Context) (string, error) {
	if token, err := t.w.s.tokens.open(t.sealed, downloadPurpose); err == nil && token != "" && !t.refused[token] {
		return token, nil
	}
	if !t.account.Complete() {
		return "", &media.Error{Kind: media.Denied, Op: "syncer: download", Reason: zoom.ReasonCredentials, Err: errors.New("the teacher's Zoom credentials are not complete")}
	}
	refused := ""
	if t.refused[t.last] {
		refused = t.last
	}
	return t.w.s.deps.Zoom.Token(ctx, t.account, refused)
}

// download appends to a partial file what Zoom still owes, and says how many bytes
// came.
func (w *ingest) download(ctx context.Context, f store.File, partial, token string) (moved int64, err error) {
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
	d, err := w.s.deps.Zoom.Download(ctx, f.DownloadURL, token, have, string(validator))
	if err != nil {
		if zoom.ReasonOf(err) == zoom.ReasonRange {
			// What is here does not line up with what is there: from the beginning.
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

// join makes one file of the parts, its index in front. A single part that is so
// already stays as it is: nothing is better than what Zoom made.
func (w *ingest) join(ctx context.Context, paths []string) (made, error) {
	out := made{path: paths[0]}
	tool := w.s.deps.Tool
	for _, path := range paths {
		info, err := tool.Probe(ctx, path)
		if err != nil && len(paths) > 1 {
			return made{}, failedAt(atJoin, err)
		}
		if err != nil {
			w.log.Warn("a recording cannot be looked into", slog.Any("error", err))
		}
		out.parts = append(out.parts, info.Duration)
		out.duration += info.Duration
	}
	folder := w.s.space.folder(w.row.ID)
	if len(paths) > 1 || !fastStart(paths[0]) {
		joined := filepath.Join(folder, "joined-"+fingerprint(w.plan.names())+".mp4")
		if _, err := os.Stat(joined); err != nil {
			err := tool.Join(ctx, paths, joined)
			switch {
			case err != nil && len(paths) == 1 && ctx.Err() == nil:
				// It plays as it is, a little later.
				w.log.Warn("the index stays at the end of a recording", slog.Any("error", err))
				joined = paths[0]
			case err != nil:
				return made{}, failedAt(atJoin, err)
			}
		}
		out.path = joined
	}
	if w.s.cfg.Reencode {
		small := filepath.Join(folder, "small-"+fingerprint(w.plan.names())+".mp4")
		worth, err := tool.Smaller(ctx, out.path, small)
		if err != nil {
			return made{}, failedAt(atJoin, err)
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

func fingerprint(names []string) string {
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

// session is what an upload leaves behind for the next try, beside the file: it
// opens the archive to whoever has it, and is never written into the database.
type session struct {
	Key     string `json:"key"`
	MD5     string `json:"md5"`
	Session string `json:"session"`
}

func (w *ingest) sessionPath() string {
	return filepath.Join(w.s.space.folder(w.row.ID), "session.json")
}

func (w *ingest) loadSession(key, md5 string) string {
	var s session
	data, err := os.ReadFile(w.sessionPath())
	if err != nil || json.Unmarshal(data, &s) != nil || s.Key != key || s.MD5 != md5 {
		return ""
	}
	return s.Session
}

func (w *ingest) saveSession(key, md5 string) func(string) error {
	return func(uri string) error {
		data, err := json.Marshal(session{key, md5, uri})
		if err != nil {
			return err
		}
		partial := w.sessionPath() + ".partial"
		if err := os.WriteFile(partial, data, 0o600); err != nil {
			return fmt.Errorf("the upload's session: %w", err)
		}
		return os.Rename(partial, w.sessionPath())
	}
}
