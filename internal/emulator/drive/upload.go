package drive

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/lectiospace/lectern/internal/emulator"
)

// grain divides the length of every chunk but the last.
const grain = 256 << 10

// UploadFaults are the scripted faults of uploads; the zero value is none.
type UploadFaults struct {
	// NoStorage refuses files outside shared drives, as a service account's are.
	NoStorage bool
	// Forbidden refuses new files with this reason; "" is none.
	Forbidden string
	// LoseFinal drops the answer to a last chunk, which is kept: the next N times.
	LoseFinal int
	// ShortAccept keeps only a part of a chunk: the next N times.
	ShortAccept int
	// Refuse answers a chunk with 503 and keeps nothing: the next N times.
	Refuse int
	// Expire forgets the session at its next use: the next N times.
	Expire int
	// Damage changes one byte of what is stored: the next N finished uploads.
	Damage int
	// Rate is bytes per second of one upload; 0 = no limit.
	Rate int64
	// NoDelete answers files.delete with 403: the principal may only trash.
	NoDelete bool
}

// Usage is what has been used, in Drive's quota units and in numbers.
type Usage struct {
	Units    int64 // read 5, list 100, download 200, modify 50
	Created  int64 // finished uploads that made a file
	Revised  int64 // finished uploads that gave a file a new revision
	Sessions int64 // resumable sessions opened
	Received int64 // bytes
}

// session is a resumable upload.
type session struct {
	id, fileID string
	update     bool
	file       File

	// mu serializes the session's requests: one whose sender was killed has to end
	// before the next learns how much was kept.
	mu    sync.Mutex
	total int64 // -1 until known
	path  string
	got   int64
	done  map[string]any
}

// Usage is what has been used so far.
func (s *Server) Usage() Usage {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.usage
}

func (s *Server) count(units int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.usage.Units += units
}

// Files lists the files that are not trashed.
func (s *Server) Files() []File {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []File
	for _, e := range s.files {
		if !e.file.Trashed {
			f := e.file
			f.Content = e.revisions[e.head]
			out = append(out, f)
		}
	}
	slices.SortFunc(out, func(a, b File) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// Deleted lists the ids that files.delete was granted for.
func (s *Server) Deleted() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.deleted)
}

// SpoolIn keeps uploaded bytes in files below dir. Without it they are kept in a
// temporary folder that the caller's process leaves behind.
func (s *Server) SpoolIn(dir string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spool = dir
}

// serveUploads answers /upload/… and says whether it did.
func (s *Server) serveUploads(w http.ResponseWriter, r *http.Request) bool {
	rest, ok := strings.CutPrefix(r.URL.Path, "/upload")
	if !ok {
		return false
	}
	rest = strings.Trim(strings.TrimPrefix(rest, "/drive/v3"), "/")
	if id := r.URL.Query().Get("upload_id"); id != "" && r.Method == http.MethodPut {
		s.serveChunk(w, r, id)
		return true
	}
	if r.URL.Query().Get("uploadType") != "resumable" {
		refuse(w, http.StatusBadRequest, "badRequest")
		return true
	}
	switch fileID, update := strings.CutPrefix(rest, "files/"); {
	case r.Method == http.MethodPost && rest == "files":
		s.openSession(w, r, "", false)
	case r.Method == http.MethodPatch && update:
		s.openSession(w, r, fileID, true)
	default:
		refuse(w, http.StatusNotFound, "notFound")
	}
	return true
}

type metadataJSON struct {
	ID            string            `json:"id"`
	Name          string            `json:"name"`
	MimeType      string            `json:"mimeType"`
	Parents       []string          `json:"parents"`
	AppProperties map[string]string `json:"appProperties"`
	Trashed       *bool             `json:"trashed"`
}

func (s *Server) openSession(w http.ResponseWriter, r *http.Request, fileID string, update bool) {
	var in metadataJSON
	_ = json.NewDecoder(r.Body).Decode(&in)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.usage.Units += 50
	if update {
		if e := s.files[fileID]; e == nil {
			refuse(w, http.StatusNotFound, "notFound")
			return
		}
	} else {
		if fileID = in.ID; fileID == "" {
			s.revision++
			fileID = fmt.Sprintf("generated-%d", s.revision)
		}
		if s.files[fileID] != nil {
			refuse(w, http.StatusConflict, "fileIdInUse")
			return
		}
		if slices.ContainsFunc(in.Parents, func(p string) bool { return s.files[p] != nil && s.files[p].file.ReadOnly }) {
			refuse(w, http.StatusForbidden, "insufficientFilePermissions")
			return
		}
		shared := r.URL.Query().Get("supportsAllDrives") == "true" && slices.ContainsFunc(in.Parents, func(p string) bool { return strings.HasPrefix(p, "shared") })
		if reason := s.faults.Upload.Forbidden; reason != "" {
			refuse(w, http.StatusForbidden, reason)
			return
		}
		if s.faults.Upload.NoStorage && !shared {
			refuse(w, http.StatusForbidden, "storageQuotaExceeded")
			return
		}
	}
	spool, err := s.spoolFolder()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	s.revision++
	s.usage.Sessions++
	u := &session{
		id: fmt.Sprintf("session-%d-%d", s.revision, time.Now().UnixNano()), fileID: fileID, update: update, total: -1,
		file: File{ID: fileID, Name: in.Name, MimeType: in.MimeType, Parents: in.Parents, AppProperties: in.AppProperties},
	}
	if n, err := strconv.ParseInt(r.Header.Get("X-Upload-Content-Length"), 10, 64); err == nil {
		u.total = n
	}
	if u.file.MimeType == "" {
		u.file.MimeType = r.Header.Get("X-Upload-Content-Type")
	}
	u.path = filepath.Join(spool, u.id)
	s.sessions[u.id] = u
	w.Header().Set("Location", "http://"+r.Host+r.URL.Path+"?uploadType=resumable&upload_id="+u.id)
	w.WriteHeader(http.StatusOK)
}

func (s *Server) spoolFolder() (string, error) {
	if s.spool == "" {
		dir, err := os.MkdirTemp("", "drive-emulator-")
		if err != nil {
			return "", err
		}
		s.spool = dir
	}
	return s.spool, nil
}

// useFault reports whether a fault is due, and counts it down.
func useFault(n *int) bool {
	if *n <= 0 {
		return false
	}
	*n--
	return true
}

func (s *Server) serveChunk(w http.ResponseWriter, r *http.Request, id string) {
	s.mu.Lock()
	u := s.sessions[id]
	if u != nil && useFault(&s.faults.Upload.Expire) {
		delete(s.sessions, id)
		u = nil
	}
	if u == nil {
		s.mu.Unlock()
		refuse(w, http.StatusNotFound, "notFound")
		return
	}
	refused := useFault(&s.faults.Upload.Refuse)
	faults := s.faults.Upload
	s.mu.Unlock()
	if refused {
		refuse(w, http.StatusServiceUnavailable, "backendError")
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.done != nil {
		writeJSON(w, u.done)
		return
	}
	first, last, total, query, ok := uploadRange(r.Header.Get("Content-Range"))
	switch {
	case query:
		u.answerIncomplete(w)
		return
	case !ok, first != u.got, u.total >= 0 && total >= 0 && total != u.total, last+1 != total && (last+1-first)%grain != 0:
		refuse(w, http.StatusBadRequest, "badRequest")
		return
	}
	u.total = total
	kept, err := s.receive(u, r, last+1-first, faults)
	if err != nil {
		return // the connection broke: what came is kept
	}
	if kept < last+1-first || u.got < total {
		u.answerIncomplete(w)
		return
	}
	s.finish(w, u)
}

// receive appends a chunk's body to the spooled bytes.
func (s *Server) receive(u *session, r *http.Request, want int64, faults UploadFaults) (int64, error) {
	f, err := os.OpenFile(u.path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	if _, err := f.Seek(u.got, io.SeekStart); err != nil {
		return 0, err
	}
	s.mu.Lock()
	short := useFault(&s.faults.Upload.ShortAccept)
	s.mu.Unlock()
	keep := want
	if short {
		keep = want / 2 / grain * grain
	}
	began := time.Now()
	var kept, read int64
	buf := make([]byte, step)
	for read < want {
		n, err := r.Body.Read(buf)
		if take := min(int64(n), keep-kept); take > 0 {
			if _, err := f.Write(buf[:take]); err != nil {
				return kept, err
			}
			kept += take
		}
		read += int64(n)
		s.mu.Lock()
		s.usage.Received += int64(n)
		s.mu.Unlock()
		if faults.Rate > 0 {
			time.Sleep(time.Duration(float64(read)/float64(faults.Rate)*1e9) - time.Since(began))
		}
		if err != nil {
			if read == want {
				break
			}
			// Real Drive keeps whole grains of what came.
			u.got += kept / grain * grain
			return kept, err
		}
	}
	u.got += kept
	return kept, nil
}

func (u *session) answerIncomplete(w http.ResponseWriter) {
	if u.got > 0 {
		w.Header().Set("Range", fmt.Sprintf("bytes=0-%d", u.got-1))
	}
	w.WriteHeader(http.StatusPermanentRedirect) // 308, "Resume Incomplete"
}

// finish makes the file of a complete upload.
func (s *Server) finish(w http.ResponseWriter, u *session) {
	s.mu.Lock()
	if useFault(&s.faults.Upload.Damage) {
		damage(u.path)
	}
	lose := useFault(&s.faults.Upload.LoseFinal)
	s.mu.Unlock()
	content, sums, err := emulator.OpenFile(u.path)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	s.mu.Lock()
	f := u.file
	if u.update {
		old := s.files[u.fileID]
		if old == nil {
			s.mu.Unlock()
			refuse(w, http.StatusNotFound, "notFound")
			return
		}
		f = old.file
		s.usage.Revised++
	} else {
		s.usage.Created++
	}
	s.mu.Unlock()
	f.Content, f.SHA256 = content, sums.SHA256
	s.Put(f)
	s.mu.Lock()
	e := s.files[f.ID]
	e.md5 = sums.MD5
	u.done = e.metadata()
	s.mu.Unlock()
	if lose {
		panic(http.ErrAbortHandler)
	}
	writeJSON(w, u.done)
}

func damage(path string) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return
	}
	defer f.Close()
	one := make([]byte, 1)
	if _, err := f.ReadAt(one, 100); err == nil {
		one[0] ^= 0xff
		_, _ = f.WriteAt(one, 100)
	}
}

func uploadRange(h string) (first, last, total int64, query, ok bool) {
	spec, found := strings.CutPrefix(h, "bytes ")
	span, size, split := strings.Cut(spec, "/")
	if !found || !split {
		return 0, 0, 0, false, false
	}
	total, err := strconv.ParseInt(size, 10, 64)
	if size == "*" {
		total, err = -1, nil
	}
	if span == "*" {
		return 0, 0, total, true, err == nil
	}
	a, b, _ := strings.Cut(span, "-")
	first, err1 := strconv.ParseInt(a, 10, 64)
	last, err2 := strconv.ParseInt(b, 10, 64)
	return first, last, total, false, err == nil && err1 == nil && err2 == nil && last >= first
}
