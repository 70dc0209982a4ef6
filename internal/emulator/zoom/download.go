package zoom

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// download answers a download_url: a redirect to the CDN, or a refusal.
func (s *Server) download(w http.ResponseWriter, r *http.Request) {
	faults := s.fault()
	pause(r.Context(), faults.Latency)
	account := s.bearer(r)
	switch {
	case account == "", s.useFault(func(f *Faults) *int { return &f.Download401 }):
		fail(w, http.StatusUnauthorized, 124, "Invalid access token")
		return
	case s.useFault(func(f *Faults) *int { return &f.DownloadPage }):
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, "<html><body>Only the host can download this recording.</body></html>")
		return
	}
	if s.scripted(w, false) {
		return
	}
	rest := strings.TrimPrefix(r.URL.EscapedPath(), "/rec/download/")
	if faults.HopWithToken && r.URL.Query().Get("hop") == "" {
		http.Redirect(w, r, r.URL.EscapedPath()+"?hop=1", http.StatusFound)
		return
	}
	if faults.HopWithToken {
		s.send(w, r, rest)
		return
	}
	if faults.NoRedirect {
		s.send(w, r, rest)
		return
	}
	http.Redirect(w, r, "http://"+s.cdnAddr+"/"+rest+"?signature=presigned", http.StatusFound)
}

// serveCDN serves the bytes. Its links carry a signature, and it refuses requests with a
// token as well.
func (s *Server) serveCDN(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "" {
		s.mu.Lock()
		s.stats.Leaked++
		s.mu.Unlock()
		http.Error(w, "only one auth mechanism allowed", http.StatusBadRequest)
		return
	}
	if r.URL.Query().Get("signature") != "presigned" {
		http.Error(w, "forbidden", http.StatusForbidden)
		return
	}
	if s.scripted(w, true) {
		return
	}
	s.send(w, r, strings.TrimPrefix(r.URL.EscapedPath(), "/"))
}

func (s *Server) send(w http.ResponseWriter, r *http.Request, rest string) {
	element, id, _ := strings.Cut(rest, "/")
	uuid, _ := url.PathUnescape(element)
	uuid, _ = url.PathUnescape(uuid)
	s.mu.Lock()
	s.stats.Downloads++
	var found *File
	if m := s.meetings[uuid]; m != nil {
		for i := range m.Files {
			if m.Files[i].ID == id && !m.Files[i].Deleted {
				f := m.Files[i]
				found = &f
				m.Files[i].PageFor = max(0, f.PageFor-1)
				if f.PageFor == 0 {
					m.Files[i].CutFor = max(0, f.CutFor-1)
				}
			}
		}
	}
	faults := s.faults
	s.mu.Unlock()
	if found == nil {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<html>This recording does not exist.</html>") // with status 200, as Zoom does
		return
	}
	if found.PageFor > 0 {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, "<!DOCTYPE html><html>Only the host can download this recording.</html>")
		return
	}
	size, first := found.Content.Size(), int64(0)
	if found.CutFor > 0 {
		size /= 2
	}
	end := size
	w.Header().Set("Content-Type", cmp.Or(found.ContentType, map[bool]string{true: "video/mp4", false: "application/octet-stream"}[found.Type == "MP4"]))
	w.Header().Set("Content-Disposition", `attachment; filename="`+id+`"`)
	if from, ok := strings.CutPrefix(r.Header.Get("Range"), "bytes="); ok && !faults.NoRange {
		start, last, _ := strings.Cut(from, "-")
		first, _ = strconv.ParseInt(start, 10, 64)
		if n, err := strconv.ParseInt(last, 10, 64); err == nil {
			end = min(n+1, size)
		}
		if first >= size {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes */%d", size))
			w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
			return
		}
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", first, end-1, size))
		w.Header().Set("Content-Length", strconv.FormatInt(end-first, 10))
		w.WriteHeader(http.StatusPartialContent)
	} else {
		w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
	}
	cut := s.useFault(func(f *Faults) *int { return &f.DownloadCut })
	began, sent := time.Now(), int64(0)
	buf := make([]byte, 256<<10)
	if faults.Rate > 0 {
		buf = buf[:min(int64(len(buf)), max(4<<10, faults.Rate/20))]
	}
	for at := first; at < end; {
		n := min(int64(len(buf)), end-at)
		_, _ = found.Content.ReadAt(buf[:n], at)
		if _, err := w.Write(buf[:n]); err != nil {
			return
		}
		at, sent = at+n, sent+n
		s.mu.Lock()
		s.stats.Bytes += n
		s.mu.Unlock()
		if cut && sent >= (end-first)/2 {
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
		if faults.Rate > 0 {
			_ = http.NewResponseController(w).Flush()
			pause(r.Context(), time.Duration(float64(sent)/float64(faults.Rate)*1e9)-time.Since(began))
		}
	}
}
