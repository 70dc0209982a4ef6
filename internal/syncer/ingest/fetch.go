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
	"strconv"

	"github.com/lectiospace/lectern/internal/failpoint"
	"github.com/lectiospace/lectern/internal/ffmpeg"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/zoom"
)

// fetchArchived downloads what is archived so far, by us or by the platform, unless it is
// there already.
func (r *run) fetchArchived(ctx context.Context) (string, error) {
	if r.row.Archived() {
		return r.fetchStored(ctx, media.Location{Provider: r.row.Provider, Key: r.row.ArchiveKey}, r.row.Size, r.row.MD5)
	}
	var row store.Recording
	err := r.s.deps.Store.View(ctx, "syncer: the platform's file", func(x store.Session) (err error) {
		row, err = store.LoadRecording(ctx, x, r.row.RecordingID, false)
		return err
	})
	if err != nil {
		return "", err
	}
	from, err := r.s.deps.Archives.Get(row.Provider)
	if err != nil {
		return "", failedAt(atArchive, err)
	}
	stored, err := from.Stat(ctx, row.Location().Key)
	if err != nil {
		return "", failedAt(atArchive, err)
	}
	return r.fetchStored(ctx, row.Location(), stored.Size, stored.MD5)
}

// fetchStored downloads an archived file of that size and MD5.
func (r *run) fetchStored(ctx context.Context, at media.Location, size int64, md5sum string) (string, error) {
	path := filepath.Join(r.s.work.Path(workJob(r.row.ID)), "archived-"+md5sum+".mp4")
	if info, err := os.Stat(path); err == nil && info.Size() == size {
		return path, nil
	}
	from, err := r.s.deps.Archives.Get(at.Provider)
	if err != nil {
		return "", failedAt(atArchive, err)
	}
	in, err := from.Open(ctx, at.Key)
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
	if hex.EncodeToString(sum.Sum(nil)) != md5sum {
		return "", failedAt(atArchive, media.Faultf(media.Corrupt, "syncer: read the archive", "the archived file is not what was put there"))
	}
	if err := failpoint.Err("ingest.rename-archived"); err != nil {
		return "", failedAt(atDisk, err)
	}
	return path, failedAt(atDisk, os.Rename(path+".partial", path))
}

// maxResumes bounds how often one run resumes a download that broke off after it had
// delivered something.
const maxResumes = 20

// maxTokens bounds how many refused tokens are replaced.
const maxTokens = 3

// maxRelinks bounds how often one run reads a meeting again for a new link to a file.
const maxRelinks = 1

// fetch downloads one part, unless it is there already, and says what it holds. It
// resumes where an earlier download broke off. A *partFault is written down already.
func (r *run) fetch(ctx context.Context, f store.File) (path string, info ffmpeg.Info, err error) {
	sum := sha256.Sum256([]byte(f.Name()))
	path = filepath.Join(r.s.work.Path(workJob(r.row.ID)), "part-"+hex.EncodeToString(sum[:8])+".mp4")
	if stat, err := os.Stat(path); err == nil && sizeBelieved(f, stat.Size()) {
		if info, err := r.s.deps.Tool.Probe(ctx, path); err == nil {
			return path, info, nil
		}
	}
	partial := path + ".partial"
	err = r.fetchTo(ctx, f, partial)
	if err == nil {
		info, err = r.accept(ctx, f, partial)
	}
	var known *partFault
	switch {
	case err == nil:
		r.log.Info("ingest: part fetched", slog.String("file", f.ID), slog.Int64("bytes", f.Size))
		if err := failpoint.Err("ingest.rename-part"); err != nil {
			return "", info, failedAt(atDisk, err)
		}
		return path, info, failedAt(atDisk, os.Rename(partial, path))
	case ctx.Err() != nil || errors.As(err, &known) || !aboutFile(err):
		return "", info, failedAt(atZoom, err)
	}
	fault, markErr := r.markFault(ctx, f, err, zoom.ReasonOf(err) == zoom.ReasonHost)
	if markErr != nil {
		return "", info, markErr
	}
	return "", info, failedAt(atZoom, fault)
}

// fetchTo downloads a file. A link that has expired, or that the file host does not know,
// is replaced by the one that Zoom lists now; a token that is refused, by another.
func (r *run) fetchTo(ctx context.Context, f store.File, partial string) error {
	tokens := r.tokensFor(ctx, f)
	refused, relinked := 0, 0
	for try := 0; ; try++ {
		token, err := tokens.get(ctx)
		if err != nil {
			return failedAt(atZoom, &credentialsError{err})
		}
		moved, err := r.download(ctx, f, partial, token)
		switch {
		case err == nil, ctx.Err() != nil:
			return err
		case zoom.ReasonOf(err) == zoom.ReasonExpiredToken && refused < maxTokens:
			// Seen right after an event: Zoom refuses one token and takes the next.
			refused++
			tokens.refuse(token)
		case zoom.ClassOf(err) == zoom.ClassNewLink && relinked < maxRelinks:
			relinked++
			if f, err = r.relink(ctx, f, err); err != nil {
				return err
			}
			tokens = r.tokensFor(ctx, f)
		case zoom.ReasonOf(err) == zoom.ReasonRange && try < maxResumes,
			media.KindOf(err).Passing() && zoom.ReasonOf(err) == "" && moved > 0 && try < maxResumes:
			r.log.Debug("ingest: download resumed", slog.Any("error", err))
		default:
			return err
		}
	}
}

// absentTries is how often a file has failed when it is noted that Zoom does not list its meeting.
const absentTries = 2 * store.DownloadTries

// relink reads a file's meeting again and returns the file with the link that Zoom lists
// now; its token is stored with the meeting. cause is returned where Zoom cannot be asked, or
// does not list the meeting.
func (r *run) relink(ctx context.Context, f store.File, cause error) (store.File, error) {
	var m store.Meeting
	err := r.s.deps.Store.View(ctx, "syncer: a meeting", func(x store.Session) (err error) {
		m, err = store.LoadMeeting(ctx, x, f.MeetingUUID)
		return err
	})
	if err != nil {
		return f, err
	}
	account := r.s.accountOf(ctx, m, r.teacher)
	if !account.Complete() {
		return f, cause
	}
	got, err := r.s.deps.Zoom.Recordings(ctx, account, m.UUID)
	if err != nil {
		r.log.Debug("ingest: no new link", slog.Any("error", err))
		if zoom.ClassOf(err) != zoom.ClassAbsent || f.Fault.Count < absentTries {
			return f, cause
		}
		// It may be listed again: the next list that has it takes this back.
		markErr := r.s.deps.Store.Update(ctx, "syncer: not listed at Zoom", func(x store.Session) error { return r.markUnlisted(ctx, x, m, nil) })
		return f, errors.Join(cause, markErr)
	}
	fresh := r.s.meetingFromZoom(got, m.UUID)
	for _, listed := range fresh.Files {
		if listed.ID == f.ID && listed.DownloadURL != "" {
			f.DownloadURL = listed.DownloadURL
		}
	}
	return f, r.s.deps.Store.Update(ctx, "syncer: a new link", func(x store.Session) error {
		return store.PutMeeting(ctx, x, fresh, r.s.now())
	})
}

// credentialsError is a token that was not to be had: a fault of the account, and not of
// a file.
type credentialsError struct{ error }

func (e *credentialsError) Unwrap() error { return e.error }

// sizeBelieved reports whether a whole file of a size is the one that Zoom lists: it has
// that size, or the same other size came store.DownloadTries times.
func sizeBelieved(f store.File, size int64) bool {
	return f.Size == 0 || size == f.Size || size == f.ReceivedSize && f.ReceivedCount >= store.DownloadTries
}

// accept says what a downloaded file holds, and refuses what is no recording, whatever
// its status and type said: a page for people, an index without tracks, a file that ends
// too early. Another size than Zoom lists is believed when it came store.DownloadTries times.
func (r *run) accept(ctx context.Context, f store.File, path string) (ffmpeg.Info, error) {
	info, err := r.s.deps.Tool.Probe(ctx, path)
	if err != nil {
		if media.KindOf(err) == media.Corrupt {
			err = errors.Join(err, os.Remove(path))
		}
		return info, err
	}
	if err := r.checkSize(ctx, f, path); err != nil || f.Measured != 0 {
		return info, err
	}
	return info, r.s.deps.Store.Update(ctx, "syncer: a part's length", func(x store.Session) error {
		return store.MarkMeasured(ctx, x, f.MeetingUUID, f.ID, info.Duration)
	})
}

// checkSize refuses a downloaded file of another size than Zoom lists, unless that size came
// store.DownloadTries times.
func (r *run) checkSize(ctx context.Context, f store.File, path string) error {
	stat, err := os.Stat(path)
	if err != nil {
		return failedAt(atDisk, err)
	}
	size := stat.Size()
	if f.Size == 0 || size == f.Size {
		return nil
	}
	count := int64(1)
	if size == f.ReceivedSize {
		count += f.ReceivedCount
	}
	f.ReceivedSize, f.ReceivedCount = size, count
	err = r.s.deps.Store.Update(ctx, "syncer: another size", func(x store.Session) error {
		return store.MarkReceived(ctx, x, f.MeetingUUID, f.ID, size, count)
	})
	if err == nil && !sizeBelieved(f, size) {
		err = errors.Join(media.Faultf(media.Corrupt, "syncer: download", "it has %d bytes and Zoom lists %d", size, f.Size), os.Remove(path))
	}
	return err
}

// open requests a file's bytes from an offset on.
func (r *run) open(ctx context.Context, f store.File, token string, offset int64, validator string) (*zoom.Download, error) {
	if f.Media() {
		return r.s.deps.Zoom.Download(ctx, f.DownloadURL, token, offset, validator)
	}
	return r.s.deps.Zoom.DownloadDocument(ctx, f.DownloadURL, token, offset, validator)
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

// partWriter is a partial file without its other methods: io.CopyBuffer uses its buffer.
type partWriter struct{ to io.Writer }

func (w partWriter) Write(b []byte) (int, error) {
	return failpoint.Write("ingest.write-part", w.to, b)
}

// download appends to a partial file what it lacks, and says how many bytes came.
func (r *run) download(ctx context.Context, f store.File, partial, token string) (moved int64, err error) {
	if err := failpoint.Err("ingest.create-part"); err != nil {
		return 0, err
	}
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
	whole, _ := os.ReadFile(partial + ".size") // what the host said when the download began
	d, err := r.open(ctx, f, token, have, string(validator))
	if err != nil {
		if zoom.ReasonOf(err) == zoom.ReasonRange {
			// The partial file is of another version: it is downloaded from the beginning.
			err = errors.Join(err, out.Truncate(0))
		}
		return 0, err
	}
	defer d.Body.Close()
	if d.Offset > 0 && d.Size >= 0 && strconv.FormatInt(d.Size, 10) != string(whole) {
		return 0, errors.Join(&media.Error{Kind: media.Corrupt, Op: "syncer: download", Reason: zoom.ReasonRange, Err: errors.New("the file has another size now")}, out.Truncate(0))
	}
	if err := failpoint.Err("ingest.truncate-part"); err != nil {
		return 0, err
	}
	if err := out.Truncate(d.Offset); err != nil {
		return 0, err
	}
	if _, err := out.Seek(d.Offset, io.SeekStart); err != nil {
		return 0, err
	}
	if d.Offset == 0 {
		if err := failpoint.Err("ingest.write-size"); err != nil {
			return 0, err
		}
		if err := os.WriteFile(partial+".size", strconv.AppendInt(nil, d.Size, 10), 0o600); err != nil {
			return 0, err
		}
	}
	if d.Validator != "" {
		if err := failpoint.Err("ingest.write-validator"); err != nil {
			return 0, err
		}
		if err := os.WriteFile(partial+".etag", []byte(d.Validator), 0o600); err != nil {
			return 0, err
		}
	}
	moved, err = io.CopyBuffer(partWriter{out}, d.Body, make([]byte, 1<<20))
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
