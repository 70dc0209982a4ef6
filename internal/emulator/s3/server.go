// Package s3 emulates a bucket of S3, with faults on request. It knows what a streaming
// gateway and its archive use of the API, and checks of a request's signature the key id, the
// region and the date, not the signature itself.
package s3

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Config of a Server.
type Config struct {
	Bucket string
	// Region must be the one that requests are signed for; "" accepts any.
	Region string
	// KeyID must be the one that requests are signed with; "" accepts any, and none.
	KeyID string
	// Versioned keeps the earlier versions of objects.
	Versioned bool
	// NoChecksums emulates a service without x-amz-checksum headers.
	NoChecksums bool
}

// Server is a bucket. It is addressed by path style. Safe for concurrent use.
type Server struct {
	cfg Config

	mu       sync.Mutex
	objects  map[string][]*object // versions of a key, oldest first; guarded by mu
	uploads  map[string]*upload   // by id; guarded by mu
	faults   Faults               // guarded by mu
	requests map[string]int       // by action; guarded by mu
	serial   int                  // guarded by mu
}

// object is one version of an object.
type object struct {
	key, version string
	data         []byte
	etag         string // without quotes
	crc          string // CRC-64/NVME in base64, "" when the service knows none
	contentType  string
	metadata     http.Header // x-amz-meta-…
	modified     time.Time
	deleted      bool // a mark of deletion
}

// New makes an empty bucket.
func New(cfg Config) *Server {
	return &Server{cfg: cfg, objects: map[string][]*object{}, uploads: map[string]*upload{}, requests: map[string]int{}}
}

// Put stores an object that was there before.
func (s *Server) Put(key string, data []byte, contentType string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sum := md5.Sum(data)
	s.store(&object{key: key, data: data, etag: hex.EncodeToString(sum[:]), contentType: contentType, modified: time.Now().Add(-time.Hour)})
}

// store adds a version, or replaces the only one. It expects mu.
func (s *Server) store(o *object) {
	s.serial++
	if !s.cfg.NoChecksums && !o.deleted {
		o.crc = crc64NVME(o.data)
	}
	if s.cfg.Versioned {
		o.version = fmt.Sprintf("version.%d", s.serial)
		s.objects[o.key] = append(s.objects[o.key], o)
		return
	}
	s.objects[o.key] = []*object{o}
}

// current is the newest version of a key, or nil. It expects mu.
func (s *Server) current(key string) *object {
	all := s.objects[key]
	if len(all) == 0 || all[len(all)-1].deleted {
		return nil
	}
	return all[len(all)-1]
}

// Content is what a key's newest version holds; nil when there is none.
func (s *Server) Content(key string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o := s.current(key); o != nil {
		return o.data
	}
	return nil
}

// Keys are those of the objects that exist, in order.
func (s *Server) Keys() (keys []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(s.objects)) {
		if s.current(key) != nil {
			keys = append(keys, key)
		}
	}
	return keys
}

// Requests is how many requests of an action were received, as "UploadPart".
func (s *Server) Requests(action string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests[action]
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	action := actionOf(r, key)
	s.mu.Lock()
	s.requests[action]++
	f := s.faults.next(action)
	s.mu.Unlock()
	w.Header().Set("Date", time.Now().Add(f.ClockAhead).UTC().Format(http.TimeFormat))
	w.Header().Set("X-Amz-Request-Id", "emulated")
	if refused := s.refusal(r, action, bucket, f); refused != nil {
		refused.write(w)
		return
	}
	handlers := map[string]func(http.ResponseWriter, *http.Request, string, Fault) *failure{
		"HeadBucket": s.headBucket, "ListObjectsV2": s.listObjects, "ListMultipartUploads": s.listUploads, "GetBucketVersioning": s.bucketVersioning,
		"HeadObject": s.getObject, "GetObject": s.getObject, "PutObject": s.putObject, "DeleteObject": s.deleteObject,
		"CreateMultipartUpload": s.createUpload, "UploadPart": s.uploadPart, "ListParts": s.listParts,
		"CompleteMultipartUpload": s.completeUpload, "AbortMultipartUpload": s.abortUpload,
	}
	handle, ok := handlers[action]
	if !ok {
		(&failure{http.StatusNotImplemented, "NotImplemented", nil}).write(w)
		return
	}
	if failed := handle(w, r, key, f); failed != nil {
		failed.write(w)
	}
}

// actionOf names the API's operation of a request.
func actionOf(r *http.Request, key string) string {
	q := r.URL.Query()
	onBucket := key == ""
	switch r.Method {
	case http.MethodHead:
		if onBucket {
			return "HeadBucket"
		}
		return "HeadObject"
	case http.MethodGet:
		switch {
		case onBucket && q.Has("uploads"):
			return "ListMultipartUploads"
		case onBucket && q.Has("versioning"):
			return "GetBucketVersioning"
		case onBucket && q.Get("list-type") == "2":
			return "ListObjectsV2"
		case !onBucket && q.Has("uploadId"):
			return "ListParts"
		case !onBucket:
			return "GetObject"
		}
	case http.MethodPut:
		if q.Has("uploadId") {
			return "UploadPart"
		}
		return "PutObject"
	case http.MethodPost:
		if q.Has("uploads") {
			return "CreateMultipartUpload"
		}
		return "CompleteMultipartUpload"
	case http.MethodDelete:
		if q.Has("uploadId") {
			return "AbortMultipartUpload"
		}
		return "DeleteObject"
	}
	return "Unknown"
}

// failure is an error answer.
type failure struct {
	status int
	code   string
	header map[string]string
}

func (f *failure) write(w http.ResponseWriter) {
	for name, value := range f.header {
		w.Header().Set(name, value)
	}
	w.Header().Del("Content-Range")
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(f.status)
	writeXML(w, errorBody{Code: f.code, Message: "requested by the test"})
}

type errorBody struct {
	XMLName xml.Name `xml:"Error"`
	Code    string
	Message string
}

func writeXML(w io.Writer, v any) {
	_, _ = io.WriteString(w, xml.Header)
	_ = xml.NewEncoder(w).Encode(v) // the client is gone
}

// refusal is why a request is not served at all.
func (s *Server) refusal(r *http.Request, action, bucket string, f Fault) *failure {
	signed := r.Header.Get("Authorization")
	_, scope, _ := strings.Cut(signed, "Credential=")
	scope, _, _ = strings.Cut(scope, ",")
	parts := strings.Split(scope, "/") // KEY_ID/DATE/REGION/s3/aws4_request
	sent, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	switch {
	case f.Status != 0:
		return &failure{f.Status, f.Code, f.Header}
	case bucket != s.cfg.Bucket:
		return &failure{http.StatusNotFound, "NoSuchBucket", nil}
	case s.cfg.KeyID != "" && parts[0] != s.cfg.KeyID:
		return &failure{http.StatusForbidden, "InvalidAccessKeyId", nil}
	case s.cfg.Region != "" && len(parts) > 2 && parts[2] != s.cfg.Region:
		return &failure{http.StatusBadRequest, "AuthorizationHeaderMalformed", map[string]string{"X-Amz-Bucket-Region": s.cfg.Region}}
	case err == nil && time.Until(sent.Add(-f.ClockAhead)).Abs() > 15*time.Minute:
		return &failure{http.StatusForbidden, "RequestTimeTooSkewed", nil}
	}
	return nil
}

func (s *Server) headBucket(w http.ResponseWriter, _ *http.Request, _ string, _ Fault) *failure {
	if s.cfg.Region != "" {
		w.Header().Set("X-Amz-Bucket-Region", s.cfg.Region)
	}
	return nil
}

func (s *Server) bucketVersioning(w http.ResponseWriter, _ *http.Request, _ string, _ Fault) *failure {
	type result struct {
		XMLName xml.Name `xml:"VersioningConfiguration"`
		Status  string   `xml:",omitempty"`
	}
	out := result{}
	if s.cfg.Versioned {
		out.Status = "Enabled"
	}
	writeXML(w, out)
	return nil
}

func (s *Server) listObjects(w http.ResponseWriter, r *http.Request, _ string, _ Fault) *failure {
	type entry struct {
		Key          string
		Size         int
		ETag         string
		LastModified string
	}
	type result struct {
		XMLName               xml.Name `xml:"ListBucketResult"`
		IsTruncated           bool
		NextContinuationToken string `xml:",omitempty"`
		Contents              []entry
	}
	q := r.URL.Query()
	limit := 1000
	if n, err := strconv.Atoi(q.Get("max-keys")); err == nil {
		limit = min(n, limit)
	}
	var out result
	for _, key := range s.Keys() {
		if !strings.HasPrefix(key, q.Get("prefix")) || key <= q.Get("continuation-token") {
			continue
		}
		if len(out.Contents) == limit {
			out.IsTruncated, out.NextContinuationToken = true, out.Contents[limit-1].Key
			break
		}
		s.mu.Lock()
		o := s.current(key)
		s.mu.Unlock()
		if o != nil {
			out.Contents = append(out.Contents, entry{key, len(o.data), strconv.Quote(o.etag), o.modified.UTC().Format(time.RFC3339)})
		}
	}
	writeXML(w, out)
	return nil
}

// deleteObject deletes an object, which need not exist.
func (s *Server) deleteObject(w http.ResponseWriter, _ *http.Request, key string, _ Fault) *failure {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !s.cfg.Versioned:
		delete(s.objects, key)
	default:
		s.store(&object{key: key, deleted: true, modified: time.Now()})
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
