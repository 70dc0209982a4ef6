package drive

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/lectiospace/lectern/internal/emulator"
)

// step is how many bytes are sent at a time, wideStep without a rate and faults.
const (
	step     = 32 << 10
	wideStep = 256 << 10
)

func (s *Server) serveMedia(w http.ResponseWriter, r *http.Request, f File, content emulator.Content, faults Faults) {
	size := content.Size()
	first, last, ranged, openEnded := parseRange(r.Header.Get("Range"), size)
	s.mu.Lock()
	s.stats.MediaRequests++
	s.stats.BytesAsked += last - first + 1
	if openEnded {
		s.stats.OpenEnded++
	}
	s.countFault()
	s.mu.Unlock()
	select {
	case <-time.After(faults.Latency):
	case <-r.Context().Done():
		return
	}
	switch {
	case faults.Status != 0:
		faults.refuse(w)
		return
	case faults.HTML:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, "<html><body>Google Drive cannot scan this file for viruses.</body></html>")
		return
	case ranged && (size == 0 || first >= size):
		refuse(w, http.StatusRequestedRangeNotSatisfiable, "requestedRangeNotSatisfiable")
		return
	case faults.Whole:
		ranged, first, last = false, 0, size-1
	}
	w.Header().Set("Content-Type", f.MimeType)
	w.Header().Set("Content-Length", strconv.FormatInt(last-first+1, 10))
	if ranged {
		claimed := first
		if faults.WrongRange {
			claimed++
		}
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", claimed, last, size))
		w.WriteHeader(http.StatusPartialContent)
	}
	s.send(w, r, content, first, last+1-faults.ShortBy, faults)
	if faults.ShortBy > 0 {
		panic(http.ErrAbortHandler)
	}
}

// send writes [from, end) at the set rate, with the set faults.
func (s *Server) send(w http.ResponseWriter, r *http.Request, content emulator.Content, from, end int64, faults Faults) {
	began, sent := time.Now(), int64(0)
	most := int64(step)
	if faults.Rate == 0 && faults.StallAfter == 0 && faults.ResetAfter == 0 {
		most = wideStep
	}
	buf := make([]byte, min(most, max(end-from, 0)))
	for from < end {
		n := min(most, end-from)
		if faults.StallAfter > 0 && sent >= faults.StallAfter {
			<-r.Context().Done()
			return
		}
		if faults.ResetAfter > 0 && sent >= faults.ResetAfter {
			panic(http.ErrAbortHandler) // net/http closes the connection
		}
		_, _ = content.ReadAt(buf[:n], from)
		if _, err := w.Write(buf[:n]); err != nil {
			return
		}
		from, sent = from+n, sent+n
		s.mu.Lock()
		s.stats.BytesSent += n
		s.mu.Unlock()
		if faults.Rate > 0 {
			_ = http.NewResponseController(w).Flush()
			select {
			case <-time.After(time.Duration(float64(sent)/float64(faults.Rate)*1e9) - time.Since(began)):
			case <-r.Context().Done():
				return
			}
		}
		if faults.StallAfter > 0 || faults.ResetAfter > 0 {
			_ = http.NewResponseController(w).Flush()
		}
	}
}

func parseRange(header string, size int64) (first, last int64, ranged, openEnded bool) {
	spec, ok := strings.CutPrefix(header, "bytes=")
	if !ok {
		return 0, size - 1, false, true
	}
	a, b, _ := strings.Cut(spec, "-")
	first, _ = strconv.ParseInt(a, 10, 64)
	if b == "" {
		return first, size - 1, true, true
	}
	last, _ = strconv.ParseInt(b, 10, 64)
	return first, min(last, size-1), true, false
}
