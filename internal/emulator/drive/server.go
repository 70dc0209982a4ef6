// Package drive emulates Google Drive's API (v3) as far as Lectern uses it, and its faults,
// for tests and benchmarks. It is not part of the gateway.
package drive

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/lectiospace/lectern/internal/emulator"
)

// File is a file of the emulated Drive.
type File struct {
	ID, Name, MimeType string
	Content            emulator.Content
	Trashed            bool
	NoDownload         bool   // capabilities.canDownload = false
	SharedDrive        bool   // 404 without supportsAllDrives
	ShortcutTo         string // id of the target
	ResourceKey        string // 404 without it in X-Goog-Drive-Resource-Keys
	Abusive            bool   // bytes only with acknowledgeAbuse: flagged as malware or spam
	ReadOnly           bool   // of a folder: capabilities.canAddChildren = false, nothing can be created in it
	Parents            []string
	AppProperties      map[string]string
	DriveID            string // the shared drive that it is in
	SHA256             string // of the content, in hex: computed of an upload; "" is not stated, as of old files
}

// FolderType is the MIME type of folders, shortcutType that of shortcuts.
const (
	FolderType   = "application/vnd.google-apps.folder"
	shortcutType = "application/vnd.google-apps.shortcut"
)

// Faults are the scripted faults of requests for bytes; the zero value is none.
type Faults struct {
	Latency      time.Duration // before the answer
	Rate         int64         // bytes per second and connection; 0 = no limit
	Status       int           // an error instead of an answer, with Reason
	Reason       string
	HTML         bool  // an HTML page, with Status or with 200; with NoMetadata for metadata as well
	Silent       bool  // requests of every kind are accepted and never answered
	Whole        bool  // 200 and all bytes for a range
	WrongRange   bool  // Content-Range one off
	ShortBy      int64 // so many bytes missing at the end, under the right length
	StallAfter   int64 // nothing more after so many bytes; 0 = never
	ResetAfter   int64 // the connection breaks after so many bytes; 0 = never
	NoRevisions  bool  // revisions may not be read
	NoMetadata   bool  // Status and Reason hold for metadata as well
	OnlyRequests int   // how many requests for bytes it lasts, or of any kind where it is Silent; 0 = for ever

	Upload UploadFaults
}

// Stats are counts of requests and bytes.
type Stats struct {
	Requests      int64 // of any kind
	MediaRequests int64
	BytesAsked    int64
	BytesSent     int64
	OpenEnded     int64 // ranges without an end, which bill the whole file
}

// Server is the emulated Drive, an http.Handler. Safe for concurrent use.
type Server struct {
	mu       sync.Mutex
	files    map[string]*entry   // guarded by mu
	sessions map[string]*session // guarded by mu
	spool    string              // folder of uploaded bytes; guarded by mu
	usage    Usage               // guarded by mu
	deleted  []string            // ids, in order; guarded by mu
	faults   Faults              // guarded by mu
	stats    Stats               // guarded by mu
	revision int                 // guarded by mu
}

type entry struct {
	file      File
	revisions map[string]emulator.Content
	head      string
	modified  time.Time
	md5       string // of uploaded content
}

// New makes an empty Drive.
func New() *Server { return &Server{files: map[string]*entry{}, sessions: map[string]*session{}} }

// Put adds a file, or gives one a new head revision.
func (s *Server) Put(f File) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.files[f.ID]
	if e == nil {
		e = &entry{revisions: map[string]emulator.Content{}}
		s.files[f.ID] = e
	}
	s.revision++
	e.file, e.head, e.modified = f, fmt.Sprintf("rev-%d", s.revision), time.Now().Add(-time.Hour)
	e.revisions[e.head] = f.Content
}

// Remove deletes a file.
func (s *Server) Remove(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.files, id)
}

// SetDefaults sets the faults of requests from now on.
func (s *Server) SetDefaults(f Faults) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = f
}

// Defaults are the faults of requests now.
func (s *Server) Defaults() Faults {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.faults
}

// Stats counts the requests so far.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}

// silent reports whether a request is one of those that are never answered.
func (s *Server) silent() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.faults.Silent {
		return false
	}
	s.countFault()
	return true
}

// countFault ends the faults after the last request that they are for; s.mu is held.
func (s *Server) countFault() {
	if s.faults.OnlyRequests == 0 {
		return
	}
	if s.faults.OnlyRequests--; s.faults.OnlyRequests <= 0 {
		s.faults = Faults{Latency: s.faults.Latency, Rate: s.faults.Rate}
	}
}

// ServeHTTP answers under /drive/v3/ and /upload/drive/v3/ (both also without the
// first part), and GET /_emulator/stats.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/_emulator/stats" {
		_ = json.NewEncoder(w).Encode(s.Stats())
		return
	}
	if s.silent() {
		<-r.Context().Done()
		return
	}
	if s.serveUploads(w, r) {
		return
	}
	parts := strings.Split(strings.Trim(strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/drive/v3"), "/"), "/"), "/")
	s.mu.Lock()
	s.stats.Requests++
	faults := s.faults
	s.mu.Unlock()
	if s.serveChanges(w, r, parts, faults) {
		return
	}
	switch {
	case r.Method != http.MethodGet || len(parts) < 2 || parts[0] != "files":
		refuse(w, http.StatusNotFound, "notFound")
	case len(parts) == 2:
		s.serveFile(w, r, parts[1], "", faults)
	case len(parts) == 4 && parts[2] == "revisions":
		if faults.NoRevisions {
			refuse(w, http.StatusForbidden, "insufficientFilePermissions")
			return
		}
		s.serveFile(w, r, parts[1], parts[3], faults)
	default:
		refuse(w, http.StatusNotFound, "notFound")
	}
}

func (s *Server) serveFile(w http.ResponseWriter, r *http.Request, id, revision string, faults Faults) {
	s.mu.Lock()
	e := s.files[id]
	var content emulator.Content
	var found entry
	if e != nil {
		found = *e
		if revision == "" {
			revision = e.head
		}
		content = e.revisions[revision]
	}
	s.mu.Unlock()
	if e == nil || content == nil && found.file.ShortcutTo == "" && found.file.MimeType != FolderType || found.file.SharedDrive && r.URL.Query().Get("supportsAllDrives") != "true" && !strings.Contains(r.URL.Path, "/revisions/") {
		refuse(w, http.StatusNotFound, "notFound")
		return
	}
	if key := found.file.ResourceKey; key != "" && !slices.Contains(strings.Split(r.Header.Get("X-Goog-Drive-Resource-Keys"), ","), id+"/"+key) {
		refuse(w, http.StatusNotFound, "notFound")
		return
	}
	if r.URL.Query().Get("alt") == "media" {
		if found.file.Abusive && r.URL.Query().Get("acknowledgeAbuse") != "true" {
			refuse(w, http.StatusForbidden, "cannotDownloadAbusiveFile")
			return
		}
		s.serveMedia(w, r, found.file, content, faults)
		return
	}
	if faults.Status != 0 && faults.NoMetadata {
		faults.refuse(w)
		return
	}
	s.count(5)
	out := found.metadata()
	if details, ok := out["shortcutDetails"].(map[string]string); ok {
		s.addTarget(details)
	}
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	_ = json.NewEncoder(w).Encode(out)
}

// addTarget completes a shortcut's details with its target's type and resource key.
func (s *Server) addTarget(details map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	target := s.files[details["targetId"]]
	if target == nil {
		return
	}
	details["targetMimeType"] = target.mimeType()
	if target.file.ResourceKey != "" {
		details["targetResourceKey"] = target.file.ResourceKey
	}
}

func (e *entry) mimeType() string {
	if e.file.ShortcutTo != "" {
		return shortcutType
	}
	return e.file.MimeType
}

// metadata is a file's resource.
func (e *entry) metadata() map[string]any {
	f := e.file
	out := map[string]any{
		"kind": "drive#file", "id": f.ID, "name": f.Name, "mimeType": e.mimeType(), "trashed": f.Trashed,
		"modifiedTime": e.modified.UTC().Format(time.RFC3339),
		"capabilities": map[string]bool{"canDownload": !f.NoDownload, "canAddChildren": f.MimeType == FolderType && !f.ReadOnly},
		"parents":      f.Parents, "appProperties": f.AppProperties,
	}
	if f.DriveID != "" {
		out["driveId"] = f.DriveID
	}
	if f.ResourceKey != "" {
		out["resourceKey"] = f.ResourceKey
	}
	if f.ShortcutTo != "" {
		out["shortcutDetails"] = map[string]string{"targetId": f.ShortcutTo}
		return out
	}
	if content := e.revisions[e.head]; content != nil && f.MimeType != FolderType {
		out["size"] = strconv.FormatInt(content.Size(), 10) // int64 as a string, as Drive has it
		out["headRevisionId"] = e.head
		if e.md5 != "" {
			out["md5Checksum"] = e.md5
		}
		if e.file.SHA256 != "" {
			out["sha256Checksum"] = e.file.SHA256
		}
	}
	return out
}

// refuse answers with the scripted status: Drive's error body, or an HTML page as proxies
// and Google's front ends send it.
func (f Faults) refuse(w http.ResponseWriter) {
	if !f.HTML {
		refuse(w, f.Status, f.Reason)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(f.Status)
	_, _ = io.WriteString(w, "<html><body>Sorry, too many queries.</body></html>")
}

// refuse answers with Drive's error body.
func refuse(w http.ResponseWriter, status int, reason string) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{
		"code": status, "message": "emulated: " + reason,
		"errors": []map[string]string{{"domain": "global", "reason": reason, "message": "emulated"}},
	}})
}
