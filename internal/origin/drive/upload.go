package drive

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"

	drivev3 "google.golang.org/api/drive/v3"
	"google.golang.org/api/googleapi"

	"github.com/lectiospace/lectern/internal/archive"
	"github.com/lectiospace/lectern/internal/media"
)

// The SDK's resumable upload cannot be resumed by another process, gives a chunk 32 seconds
// and holds it in memory. This file implements the protocol itself.
// https://developers.google.com/workspace/drive/api/guides/manage-uploads#resumable

const (
	// uploadChunk is the size of one request in bytes, a multiple of 256 KiB as the protocol
	// demands. A lost connection costs at most this.
	uploadChunk = 32 << 20
	// maxSessions bounds how many sessions one upload may use up.
	maxSessions = 3
)

// withRetry repeats a small request while its fault passes.
func (a *Archive) withRetry(ctx context.Context, request func() error) error {
	for try := 1; ; try++ {
		err := a.withFreshToken(request)
		if err == nil || try == a.retry.Tries || !media.KindOf(fault("", err)).Passing() {
			return err
		}
		if err := a.pause(ctx, try); err != nil {
			return err
		}
	}
}

// pause waits before try n+1.
func (a *Archive) pause(ctx context.Context, n int) error {
	return a.retry.Wait(ctx, "drive: wait", n, 0)
}

// Put uploads the item, resuming the session that it names, and returns Drive's metadata of
// the file.
func (a *Archive) Put(ctx context.Context, item archive.Item) (archive.Stored, error) {
	const op = "drive: upload"
	ref, err := media.ParseDriveRef(item.Key)
	if err != nil {
		return archive.Stored{}, media.Fault(media.Invalid, op, err)
	}
	item.Key = ref.ID
	f, err := os.Open(item.Path)
	if err != nil {
		return archive.Stored{}, media.Fault(media.Other, op, err)
	}
	defer f.Close()
	session := item.Session
	for range maxSessions {
		if session == "" {
			there, err := a.alreadyThere(ctx, &item)
			if err != nil || there.Key != "" {
				return there, err
			}
			if session, err = a.begin(ctx, item); err != nil {
				return archive.Stored{}, err
			}
			if session == "" { // somebody created the file meanwhile
				item.Replace = true
				continue
			}
			if err := item.SaveSession(session); err != nil {
				return archive.Stored{}, media.Fault(media.Other, op, err)
			}
		}
		err := a.send(ctx, session, f, item.Size)
		// A resumed session may have been left in a state that Drive does not continue:
		// a new one costs what was sent, the old one would be refused for ever.
		unusable := session == item.Session && media.KindOf(err) == media.Invalid
		if errors.Is(err, errSessionGone) || unusable {
			session = ""
			continue
		}
		if err != nil {
			return archive.Stored{}, err
		}
		return a.Stat(ctx, item.Key)
	}
	return archive.Stored{}, media.Faultf(media.Unavailable, op, "sessions do not last")
}

// alreadyThere checks whether the file is complete, as after a lost last answer. A file
// with other content is replaced, never duplicated.
func (a *Archive) alreadyThere(ctx context.Context, item *archive.Item) (archive.Stored, error) {
	stored, err := a.Stat(ctx, item.Key)
	switch {
	case err == nil && stored.Same(item.Size, item.MD5):
		return stored, nil
	case err == nil:
		item.Replace = true
	case media.KindOf(err) == media.NotFound:
		item.Replace = false
	default:
		return archive.Stored{}, err
	}
	return archive.Stored{}, nil
}

// begin opens a session and returns its URI, which is a secret; "" when a file with the id
// exists after all.
func (a *Archive) begin(ctx context.Context, item archive.Item) (string, error) {
	const op = "drive: begin upload"
	meta := drivev3.File{Name: item.Name, MimeType: "video/mp4", AppProperties: map[string]string{markKey: markValue}}
	maps.Copy(meta.AppProperties, item.Properties)
	var folder media.DriveRef
	method, path := http.MethodPatch, "/upload/drive/v3/files/"+item.Key
	if !item.Replace {
		method, path = http.MethodPost, "/upload/drive/v3/files"
		meta.Id = item.Key
		var err error
		if folder, err = a.folder(item); err != nil {
			return "", err
		}
		if folder.ID != "" {
			meta.Parents = []string{folder.ID}
		}
	}
	body, err := json.Marshal(&meta)
	if err != nil {
		return "", media.Fault(media.Other, op, err)
	}
	target := googleapi.ResolveRelative(a.service.BasePath, path) + "?" + url.Values{
		"uploadType": {"resumable"}, "supportsAllDrives": {"true"}, "fields": {"id"},
	}.Encode()
	session, inUse := "", false
	err = a.withRetry(ctx, func() error {
		req, err := http.NewRequestWithContext(ctx, method, target, strings.NewReader(string(body)))
		if err != nil {
			return media.Fault(media.Invalid, op, err)
		}
		req.Header.Set("Content-Type", "application/json; charset=UTF-8")
		setResourceKeys(req.Header, folder)
		req.Header.Set("X-Upload-Content-Type", "video/mp4")
		req.Header.Set("X-Upload-Content-Length", strconv.FormatInt(item.Size, 10))
		resp, err := a.client.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode == http.StatusConflict {
			inUse = true
			return nil
		}
		if err := googleapi.CheckResponse(resp); err != nil {
			return err
		}
		location, err := req.URL.Parse(resp.Header.Get("Location"))
		if err != nil || resp.Header.Get("Location") == "" {
			// Seen in practice: a success that does not say where to send the bytes.
			return media.Faultf(media.Unavailable, op, "the answer names no session")
		}
		session = location.String()
		return nil
	})
	if inUse {
		return "", nil
	}
	return session, archiveFault(op, err)
}

var errSessionGone = errors.New("the upload session is gone")

// send sends the rest of a session's bytes, from wherever it stands.
func (a *Archive) send(ctx context.Context, session string, f *os.File, size int64) error {
	const op = "drive: upload"
	offset, done, err := a.sessionOffset(ctx, session, size)
	failures := 0
	for !done {
		if err == nil && offset > size {
			return errSessionGone // it has received something else
		}
		if err == nil {
			before := offset
			offset, done, err = a.sendChunk(ctx, session, f, offset, size)
			if err == nil && offset > before {
				failures = 0
			}
			if err == nil && !done && offset == before {
				err = media.Faultf(media.Unavailable, op, "Drive keeps nothing of what is sent")
			}
			if err == nil {
				continue
			}
		}
		if errors.Is(err, errSessionGone) {
			return err
		}
		failures++
		if failures >= a.retry.Tries || !media.KindOf(archiveFault(op, err)).Passing() {
			return archiveFault(op, err)
		}
		if err := a.pause(ctx, failures); err != nil {
			return err
		}
		// How much of a chunk was kept whose answer is missing, only Drive knows.
		offset, done, err = a.sessionOffset(ctx, session, size)
	}
	return nil
}

// sessionOffset asks for the number of bytes that a session has received.
func (a *Archive) sessionOffset(ctx context.Context, session string, size int64) (offset int64, done bool, err error) {
	return a.put(ctx, session, strings.NewReader(""), 0, "bytes */"+strconv.FormatInt(size, 10))
}

// sendChunk sends one chunk.
func (a *Archive) sendChunk(ctx context.Context, session string, f *os.File, offset, size int64) (int64, bool, error) {
	n := min(a.chunk, size-offset)
	body := io.NewSectionReader(f, offset, n)
	span := "bytes " + strconv.FormatInt(offset, 10) + "-" + strconv.FormatInt(offset+n-1, 10) + "/" + strconv.FormatInt(size, 10)
	return a.put(ctx, session, body, n, span)
}

// put sends one request of the protocol and reads the session's offset after it.
func (a *Archive) put(ctx context.Context, session string, body io.ReadSeeker, length int64, span string) (offset int64, done bool, err error) {
	const op = "drive: upload"
	err = archive.Send(ctx, op, body, func(ctx context.Context, body io.ReadSeekCloser) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodPut, session, body)
		if err != nil {
			return media.Faultf(media.Invalid, op, "the session cannot be used")
		}
		if length == 0 {
			req.Body = http.NoBody
		}
		req.ContentLength = length
		req.Header.Set("Content-Range", span)
		resp, err := a.client.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		offset, done, err = sessionState(resp)
		return err
	})
	return offset, done, err
}

// sessionState reads an answer of the protocol.
func sessionState(resp *http.Response) (offset int64, done bool, err error) {
	switch status := resp.StatusCode; {
	case status == http.StatusPermanentRedirect: // 308, here "Resume Incomplete"
		return receivedBytes(resp.Header.Get("Range")), false, nil
	case status == http.StatusOK, status == http.StatusCreated:
		_, _ = io.CopyN(io.Discard, resp.Body, 1<<20)
		return 0, true, nil
	case status == http.StatusNotFound, status == http.StatusGone:
		return 0, false, errSessionGone
	default:
		return 0, false, googleapi.CheckResponse(resp)
	}
}

// receivedBytes reads "bytes=0-N", which means N+1 bytes. Without the header it is 0.
func receivedBytes(h string) int64 {
	_, last, ok := strings.Cut(strings.TrimPrefix(h, "bytes="), "-")
	n, err := strconv.ParseInt(last, 10, 64)
	if !ok || err != nil || n < 0 {
		return 0
	}
	return n + 1
}
