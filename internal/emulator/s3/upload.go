package s3

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// upload is a multipart upload.
type upload struct {
	id, key     string
	contentType string
	metadata    http.Header
	begun       time.Time
	parts       map[int]part
}

// part is one part of an upload that was received.
type part struct {
	data     []byte
	etag     string
	received time.Time
}

// Upload describes an upload that is neither complete nor aborted.
type Upload struct {
	ID, Key string
	Parts   int
}

// Uploads lists the open uploads in order of their ids.
func (s *Server) Uploads() (out []Upload) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(s.uploads)) {
		u := s.uploads[id]
		out = append(out, Upload{u.id, u.key, len(u.parts)})
	}
	return out
}

// Age makes all open uploads, and their parts, older.
func (s *Server) Age(by time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range s.uploads {
		u.begun = u.begun.Add(-by)
		for n, p := range u.parts {
			p.received = p.received.Add(-by)
			u.parts[n] = p
		}
	}
}

// Begin opens an upload that somebody else has left.
func (s *Server) Begin(key string) (id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.begin(key, "", nil)
}

// begin expects mu.
func (s *Server) begin(key, contentType string, metadata http.Header) string {
	s.serial++
	u := &upload{id: fmt.Sprintf("upload-%06d", s.serial), key: key, contentType: contentType, metadata: metadata, begun: time.Now(), parts: map[int]part{}}
	s.uploads[u.id] = u
	return u.id
}

func (s *Server) createUpload(w http.ResponseWriter, r *http.Request, key string, _ Fault) *failure {
	type result struct {
		XMLName  xml.Name `xml:"InitiateMultipartUploadResult"`
		UploadID string   `xml:"UploadId"`
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if algorithm := r.Header.Get("X-Amz-Checksum-Algorithm"); algorithm != "" && !s.cfg.NoChecksums {
		w.Header().Set("X-Amz-Checksum-Algorithm", algorithm)
		w.Header().Set("X-Amz-Checksum-Type", r.Header.Get("X-Amz-Checksum-Type"))
	}
	writeXML(w, result{UploadID: s.begin(key, r.Header.Get("Content-Type"), metadataOf(r.Header))})
	return nil
}

// find is the upload that a request names. It expects mu.
func (s *Server) findUpload(r *http.Request, key string) (*upload, *failure) {
	u := s.uploads[r.URL.Query().Get("uploadId")]
	if u == nil || u.key != key {
		return nil, &failure{http.StatusNotFound, "NoSuchUpload", nil}
	}
	return u, nil
}

func (s *Server) uploadPart(w http.ResponseWriter, r *http.Request, key string, f Fault) *failure {
	data, failed := s.receive(r, f)
	if failed != nil {
		return failed
	}
	if f.Stall {
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	u, failed := s.findUpload(r, key)
	if failed != nil {
		return failed
	}
	number, err := strconv.Atoi(r.URL.Query().Get("partNumber"))
	if err != nil || number < 1 || number > 10_000 {
		return &failure{http.StatusBadRequest, "InvalidArgument", nil}
	}
	sum := md5.Sum(data)
	p := part{data, hex.EncodeToString(sum[:]), time.Now()}
	if !f.LosePart {
		u.parts[number] = p
	}
	w.Header().Set("ETag", strconv.Quote(p.etag))
	if !s.cfg.NoChecksums {
		w.Header().Set("X-Amz-Checksum-Crc64nvme", crc64NVME(data))
	}
	return nil
}

func (s *Server) listParts(w http.ResponseWriter, r *http.Request, key string, f Fault) *failure {
	type entry struct {
		PartNumber        int
		ETag              string
		Size              int
		LastModified      string
		ChecksumCRC64NVME string `xml:",omitempty"`
	}
	type result struct {
		XMLName              xml.Name `xml:"ListPartsResult"`
		IsTruncated          bool
		NextPartNumberMarker int `xml:",omitempty"`
		Part                 []entry
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	u, failed := s.findUpload(r, key)
	if failed != nil {
		return failed
	}
	after, _ := strconv.Atoi(r.URL.Query().Get("part-number-marker"))
	limit := 1000
	if n, err := strconv.Atoi(r.URL.Query().Get("max-parts")); err == nil {
		limit = min(limit, n)
	}
	var out result
	for _, n := range slices.Sorted(maps.Keys(u.parts)) {
		if n <= after || n == f.HidePart {
			continue
		}
		if len(out.Part) == limit {
			out.IsTruncated, out.NextPartNumberMarker = true, out.Part[limit-1].PartNumber
			break
		}
		p := u.parts[n]
		e := entry{n, strconv.Quote(p.etag), len(p.data), p.received.UTC().Format(time.RFC3339), ""}
		if !s.cfg.NoChecksums {
			e.ChecksumCRC64NVME = crc64NVME(p.data)
		}
		out.Part = append(out.Part, e)
	}
	writeXML(w, out)
	return nil
}

func (s *Server) completeUpload(w http.ResponseWriter, r *http.Request, key string, f Fault) *failure {
	var in struct {
		Part []struct {
			PartNumber int
			ETag       string
		}
	}
	if err := xml.NewDecoder(r.Body).Decode(&in); err != nil {
		return &failure{http.StatusBadRequest, "MalformedXML", nil}
	}
	if f.ErrorBody { // the status was sent before the error was known
		writeXML(w, errorBody{Code: "InternalError", Message: "We encountered an internal error. Please try again."})
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	u, failed := s.findUpload(r, key)
	if failed != nil {
		return failed
	}
	if failed := s.mayWrite(r, key); failed != nil {
		return failed
	}
	var data []byte
	sums := md5.New()
	for i, named := range in.Part {
		p, ok := u.parts[named.PartNumber]
		if !ok || p.etag != strings.Trim(named.ETag, `"`) {
			return &failure{http.StatusBadRequest, "InvalidPart", nil}
		}
		if i > 0 && in.Part[i-1].PartNumber >= named.PartNumber {
			return &failure{http.StatusBadRequest, "InvalidPartOrder", nil}
		}
		data = append(data, p.data...)
		sum, _ := hex.DecodeString(p.etag)
		_, _ = sums.Write(sum)
	}
	if want := r.Header.Get("X-Amz-Checksum-Crc64nvme"); want != "" && !s.cfg.NoChecksums && want != crc64NVME(data) {
		return &failure{http.StatusBadRequest, "BadDigest", nil}
	}
	o := &object{key: key, data: data, etag: fmt.Sprintf("%x-%d", sums.Sum(nil), len(in.Part)), contentType: u.contentType, metadata: u.metadata, modified: time.Now()}
	s.store(o)
	delete(s.uploads, u.id)
	if f.Short { // complete, and nobody hears of it
		panic(http.ErrAbortHandler)
	}
	s.describe(w.Header(), o, false)
	writeXML(w, struct {
		XMLName xml.Name `xml:"CompleteMultipartUploadResult"`
		Key     string
		ETag    string
	}{Key: key, ETag: strconv.Quote(o.etag)})
	return nil
}

func (s *Server) abortUpload(w http.ResponseWriter, r *http.Request, key string, _ Fault) *failure {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, failed := s.findUpload(r, key)
	if failed != nil {
		return failed
	}
	delete(s.uploads, u.id)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Server) listUploads(w http.ResponseWriter, r *http.Request, _ string, _ Fault) *failure {
	type entry struct {
		Key       string
		UploadID  string `xml:"UploadId"`
		Initiated string
	}
	type result struct {
		XMLName     xml.Name `xml:"ListMultipartUploadsResult"`
		IsTruncated bool
		Upload      []entry
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var out result
	for _, id := range slices.Sorted(maps.Keys(s.uploads)) {
		if u := s.uploads[id]; strings.HasPrefix(u.key, r.URL.Query().Get("prefix")) {
			out.Upload = append(out.Upload, entry{u.key, u.id, u.begun.UTC().Format(time.RFC3339)})
		}
	}
	writeXML(w, out)
	return nil
}
