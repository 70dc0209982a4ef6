package s3

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc64"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// nvme is the polynomial of CRC-64/NVME, reflected.
var nvme = crc64.MakeTable(0x9a6c9329ac4bc9b5)

// crc64NVME is the checksum as headers write it.
func crc64NVME(data []byte) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint64(nil, crc64.Checksum(data, nvme)))
}

const metaPrefix = "X-Amz-Meta-"

// receive reads a request's body and checks it against the checksums in its headers.
func (s *Server) receive(r *http.Request, f Fault) ([]byte, *failure) {
	data, err := io.ReadAll(r.Body)
	if err != nil || int64(len(data)) != r.ContentLength {
		return nil, &failure{http.StatusBadRequest, "IncompleteBody", nil}
	}
	if f.DamageUpload && len(data) > 0 {
		data = bytes.Clone(data)
		data[len(data)/2] ^= 1
	}
	sum := md5.Sum(data)
	if want := r.Header.Get("Content-Md5"); want != "" && want != base64.StdEncoding.EncodeToString(sum[:]) {
		return nil, &failure{http.StatusBadRequest, "BadDigest", nil}
	}
	if want := r.Header.Get("X-Amz-Checksum-Crc64nvme"); want != "" && !s.cfg.NoChecksums && want != crc64NVME(data) {
		return nil, &failure{http.StatusBadRequest, "BadDigest", nil}
	}
	return data, nil
}

func metadataOf(h http.Header) http.Header {
	out := http.Header{}
	for name, values := range h {
		if strings.HasPrefix(name, metaPrefix) {
			out[name] = values
		}
	}
	return out
}

func (s *Server) putObject(w http.ResponseWriter, r *http.Request, key string, f Fault) *failure {
	data, failed := s.receive(r, f)
	if failed != nil {
		return failed
	}
	sum := md5.Sum(data)
	s.mu.Lock()
	defer s.mu.Unlock()
	if failed := s.mayWrite(r, key); failed != nil {
		return failed
	}
	o := &object{key: key, data: data, etag: hex.EncodeToString(sum[:]), contentType: r.Header.Get("Content-Type"), metadata: metadataOf(r.Header), modified: time.Now()}
	s.store(o)
	s.describe(w.Header(), o, false)
	return nil
}

// mayWrite evaluates a write's conditions. It expects mu.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
func (s *Server) mayWrite(r *http.Request, key string) *failure {
	o := s.current(key)
	switch want := r.Header.Get("If-Match"); {
	case r.Header.Get("If-None-Match") == "*" && o != nil, want != "" && o != nil && want != strconv.Quote(o.etag):
		return &failure{http.StatusPreconditionFailed, "PreconditionFailed", nil}
	case want != "" && o == nil:
		return &failure{http.StatusNotFound, "NoSuchKey", nil}
	}
	return nil
}

// describe sets the headers that name a version.
func (s *Server) describe(h http.Header, o *object, checksums bool) {
	h.Set("ETag", strconv.Quote(o.etag))
	if o.version != "" {
		h.Set("X-Amz-Version-Id", o.version)
	}
	if checksums && o.crc != "" {
		h.Set("X-Amz-Checksum-Crc64nvme", o.crc)
		h.Set("X-Amz-Checksum-Type", "FULL_OBJECT")
	}
}

// find is the version that a request asks for.
func (s *Server) find(r *http.Request, key string) (*object, *failure) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id := r.URL.Query().Get("versionId"); id != "" {
		for _, o := range s.objects[key] {
			if o.version == id && !o.deleted {
				return o, nil
			}
		}
		return nil, &failure{http.StatusNotFound, "NoSuchVersion", nil}
	}
	o := s.current(key)
	if o == nil && len(s.objects[key]) > 0 {
		return nil, &failure{http.StatusNotFound, "NoSuchKey", map[string]string{"X-Amz-Delete-Marker": "true"}}
	}
	if o == nil {
		return nil, &failure{http.StatusNotFound, "NoSuchKey", nil}
	}
	if want := r.Header.Get("If-Match"); want != "" && want != strconv.Quote(o.etag) {
		return nil, &failure{http.StatusPreconditionFailed, "PreconditionFailed", nil}
	}
	return o, nil
}

// getObject serves HEAD too.
func (s *Server) getObject(w http.ResponseWriter, r *http.Request, key string, f Fault) *failure {
	o, failed := s.find(r, key)
	if failed != nil {
		return failed
	}
	h := w.Header()
	s.describe(h, o, r.Header.Get("X-Amz-Checksum-Mode") == "ENABLED")
	h.Set("Content-Type", o.contentType)
	h.Set("Last-Modified", o.modified.UTC().Format(http.TimeFormat))
	h.Set("Accept-Ranges", "bytes")
	for name, values := range o.metadata {
		h[name] = values
	}
	first, last, status := 0, len(o.data)-1, http.StatusOK
	if field := r.Header.Get("Range"); field != "" && r.Method == http.MethodGet {
		if n, err := fmt.Sscanf(field, "bytes=%d-%d", &first, &last); n != 2 || err != nil || first > last || first >= len(o.data) {
			return &failure{http.StatusRequestedRangeNotSatisfiable, "InvalidRange", nil}
		}
		last, status = min(last, len(o.data)-1), http.StatusPartialContent
		h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", first, last, len(o.data)))
	}
	data := o.data[first : last+1]
	h.Set("Content-Length", strconv.Itoa(len(data)))
	if r.Method == http.MethodHead {
		return nil
	}
	return s.send(w, r, o, data, status, f)
}

// send writes a body, as the fault wants it.
func (s *Server) send(w http.ResponseWriter, r *http.Request, o *object, data []byte, status int, f Fault) *failure {
	h := w.Header()
	switch {
	case f.Page:
		page := "<html><body>Sign in to the network</body></html>"
		for name := range h { // a page of a proxy says nothing of the object
			h.Del(name)
		}
		h.Set("Content-Type", "text/html")
		h.Set("Content-Length", strconv.Itoa(len(page)))
		_, _ = io.WriteString(w, page)
		return nil
	case f.WholeBody:
		status, data = http.StatusOK, o.data
		h.Del("Content-Range")
		h.Set("Content-Length", strconv.Itoa(len(data)))
	case f.OtherRange:
		h.Set("Content-Range", fmt.Sprintf("bytes 1-%d/%d", len(data), len(o.data)))
	case f.OtherETag:
		h.Set("ETag", `"somebody-elses"`)
	case f.OtherVersion:
		h.Set("X-Amz-Version-Id", "somebody-elses")
	}
	w.WriteHeader(status)
	end := len(data)
	if f.After > 0 {
		end = min(end, f.After)
	}
	_, _ = w.Write(data[:end])
	_ = http.NewResponseController(w).Flush()
	switch {
	case f.Stall:
		<-r.Context().Done()
	case f.Short:
		panic(http.ErrAbortHandler)
	case f.Replace != nil:
		s.Put(o.key, f.Replace, o.contentType)
		fallthrough
	default:
		_, _ = w.Write(data[end:])
	}
	return nil
}
