package drive

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// serveChanges answers everything under files/ that is not reading one file.
func (s *Server) serveChanges(w http.ResponseWriter, r *http.Request, parts []string, faults Faults) bool {
	switch {
	case faults.Status != 0 && faults.NoMetadata && (r.Method != http.MethodGet || len(parts) == 1):
		faults.refuse(w)
	case r.Method == http.MethodGet && len(parts) == 1 && parts[0] == "files":
		s.list(w, r)
	case r.Method == http.MethodGet && len(parts) == 2 && parts[1] == "generateIds":
		s.generateIDs(w, r)
	case r.Method == http.MethodGet && len(parts) == 1 && parts[0] == "about":
		writeJSON(w, map[string]any{"user": map[string]string{"emailAddress": "emulator@example.org"}, "storageQuota": map[string]string{"usage": "0"}})
	case r.Method == http.MethodDelete && len(parts) == 2:
		s.remove(w, parts[1], faults)
	case r.Method == http.MethodPatch && len(parts) == 2:
		s.patch(w, r, parts[1])
	default:
		return false
	}
	return true
}

func (s *Server) generateIDs(w http.ResponseWriter, r *http.Request) {
	n, _ := strconv.Atoi(r.URL.Query().Get("count"))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.usage.Units += 5
	ids := []string{}
	for range max(n, 1) {
		s.revision++
		sum := md5.Sum(fmt.Appendf(nil, "%d %d", s.revision, time.Now().UnixNano()))
		ids = append(ids, "1"+hex.EncodeToString(sum[:]))
	}
	writeJSON(w, map[string]any{"ids": ids, "space": "drive"})
}

// list understands the queries that are asked: a property, a parent, trashed.
func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query().Get("q")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.usage.Units += 100
	files := []map[string]any{}
	ids := make([]string, 0, len(s.files))
	for id := range s.files {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		if e := s.files[id]; matches(query, e.file) {
			files = append(files, e.metadata())
		}
	}
	from, _ := strconv.Atoi(r.URL.Query().Get("pageToken"))
	size, _ := strconv.Atoi(r.URL.Query().Get("pageSize"))
	if size <= 0 {
		size = 100
	}
	from = min(from, len(files))
	end := min(from+size, len(files))
	out := map[string]any{"files": files[from:end]}
	if end < len(files) {
		out["nextPageToken"] = strconv.Itoa(end)
	}
	writeJSON(w, out)
}

var (
	hasProperty = regexp.MustCompile(`appProperties has \{ *key *= *'([^']*)' and value *= *'([^']*)' *\}`)
	inParents   = regexp.MustCompile(`'([^']*)' in parents`)
	isTrashed   = regexp.MustCompile(`trashed *= *(true|false)`)
)

func matches(query string, f File) bool {
	for _, m := range hasProperty.FindAllStringSubmatch(query, -1) {
		if f.AppProperties[m[1]] != m[2] {
			return false
		}
	}
	for _, m := range inParents.FindAllStringSubmatch(query, -1) {
		if !slices.Contains(f.Parents, m[1]) {
			return false
		}
	}
	for _, m := range isTrashed.FindAllStringSubmatch(query, -1) {
		if f.Trashed != (m[1] == "true") {
			return false
		}
	}
	return true
}

func (s *Server) remove(w http.ResponseWriter, id string, faults Faults) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.usage.Units += 50
	switch {
	case s.files[id] == nil:
		refuse(w, http.StatusNotFound, "notFound")
	case faults.Upload.NoDelete:
		refuse(w, http.StatusForbidden, "insufficientFilePermissions")
	default:
		delete(s.files, id)
		s.deleted = append(s.deleted, id)
		w.WriteHeader(http.StatusNoContent)
	}
}

func (s *Server) patch(w http.ResponseWriter, r *http.Request, id string) {
	var in metadataJSON
	_ = json.NewDecoder(r.Body).Decode(&in)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.usage.Units += 50
	e := s.files[id]
	if e == nil {
		refuse(w, http.StatusNotFound, "notFound")
		return
	}
	if in.Trashed != nil {
		e.file.Trashed = *in.Trashed
	}
	if in.Name != "" {
		e.file.Name = in.Name
	}
	for k, v := range in.AppProperties {
		if e.file.AppProperties == nil {
			e.file.AppProperties = map[string]string{}
		}
		e.file.AppProperties[k] = v
	}
	writeJSON(w, e.metadata())
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	_ = json.NewEncoder(w).Encode(v)
}
