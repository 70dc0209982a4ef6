package drive_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/lectiospace/lectern/internal/emulator"
	driveemu "github.com/lectiospace/lectern/internal/emulator/drive"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/origin/drive"
	"github.com/lectiospace/lectern/internal/origin/origintest"
)

// TestResourceKeys: a resource key goes along with metadata, with reads of the head and of
// revisions, and with a peek, whether it comes with a link or from a shortcut.
func TestResourceKeys(t *testing.T) {
	for _, revisions := range []bool{true, false} {
		for name, key := range map[string]string{
			"shortcut":          "shortcut",
			"shortcut with key": "https://drive.google.com/file/d/locked-shortcut/view?resourcekey=0-s",
			"link":              "https://drive.google.com/file/d/target/view?usp=sharing&resourcekey=0-aKey",
			"id":                "target?resourcekey=0-aKey",
		} {
			s := start(t)
			s.emulator.SetDefaults(driveemu.Faults{NoRevisions: !revisions})
			s.emulator.Put(driveemu.File{ID: "target", MimeType: "video/mp4", Content: emulator.Bytes(lesson), ResourceKey: "0-aKey"})
			s.emulator.Put(driveemu.File{ID: "shortcut", ShortcutTo: "target"})
			s.emulator.Put(driveemu.File{ID: "locked-shortcut", ShortcutTo: "target", ResourceKey: "0-s"})
			obj, err := s.stat(t, key)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if got, err := origintest.Read(t.Context(), s.origin, obj, media.Span{Off: 5, Len: 10}); err != nil || string(got) != string(lesson[5:15]) {
				t.Errorf("%s, revisions %v: %q, %v", name, revisions, got, err)
			}
			if again, err := s.stat(t, obj.ID); err != nil || again != obj {
				t.Errorf("%s: stat of its own location: %+v, %v", name, again, err)
			}
			body, size, err := s.origin.Peek(t.Context(), obj.Location(), media.Span{Len: 10})
			if err != nil || size != obj.Size {
				t.Errorf("%s: peek: %d, %v", name, size, err)
				continue
			}
			body.Close()
		}
	}
	s := start(t)
	s.emulator.Put(driveemu.File{ID: "target", MimeType: "video/mp4", Content: emulator.Bytes(lesson), ResourceKey: "0-aKey"})
	for _, key := range []string{"target", "target?resourcekey=0-other"} {
		if _, err := s.stat(t, key); media.KindOf(err) != media.NotFound {
			t.Errorf("%s: %v", key, err)
		}
	}
}

// TestResourceKeysOfSeveralFiles: the request for a shortcut's target carries both keys.
func TestResourceKeysOfSeveralFiles(t *testing.T) {
	fake := driveemu.New()
	fake.Put(driveemu.File{ID: "target", MimeType: "video/mp4", Content: emulator.Bytes(lesson), ResourceKey: "0-t"})
	fake.Put(driveemu.File{ID: "shortcut", ShortcutTo: "target", ResourceKey: "0-s"})
	var mu sync.Mutex
	var sent []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		sent = append(sent, r.Header.Get("X-Goog-Drive-Resource-Keys"))
		mu.Unlock()
		fake.ServeHTTP(w, r)
	}))
	defer server.Close()
	o := connect(t, drive.Config{Credentials: "none", Endpoint: server.URL})
	if _, err := o.Stat(t.Context(), media.Location{Key: "shortcut?resourcekey=0-s"}); err != nil {
		t.Fatal(err)
	}
	if want := "shortcut/0-s shortcut/0-s,target/0-t"; strings.Join(sent, " ") != want {
		t.Errorf("sent %q, want %q", sent, want)
	}
}

// TestNoFileToServe: a folder, and a shortcut that leads to anything but a file, are named.
func TestNoFileToServe(t *testing.T) {
	s := start(t)
	s.emulator.Put(driveemu.File{ID: "folder", MimeType: driveemu.FolderType})
	s.emulator.Put(driveemu.File{ID: "to-folder", ShortcutTo: "folder"})
	s.emulator.Put(driveemu.File{ID: "to-file", ShortcutTo: "lesson"})
	s.emulator.Put(driveemu.File{ID: "to-shortcut", ShortcutTo: "to-file"})
	s.emulator.Put(driveemu.File{ID: "to-nothing", ShortcutTo: "gone"})
	s.emulator.Put(driveemu.File{ID: "trashed", ShortcutTo: "lesson", Trashed: true})
	for _, c := range []struct {
		key, reason string
		kind        media.Kind
	}{
		{"folder", drive.ReasonFolder, media.Invalid},
		{"https://drive.google.com/drive/folders/folder", drive.ReasonFolder, media.Invalid},
		{"to-folder", drive.ReasonShortcutToFolder, media.Invalid},
		{"to-shortcut", drive.ReasonShortcut, media.Invalid},
		{"to-nothing", "notFound", media.NotFound},
		{"trashed", "", media.NotFound},
	} {
		_, err := s.stat(t, c.key)
		if media.KindOf(err) != c.kind || media.ReasonOf(err) != c.reason {
			t.Errorf("%s: %v, want %v (%s)", c.key, err, c.kind, c.reason)
		}
	}
	if _, err := s.stat(t, "to-file"); err != nil {
		t.Errorf("a shortcut to a file: %v", err)
	}
}

// TestPastedLinks: what people paste as gdrive_file_id names the file.
func TestPastedLinks(t *testing.T) {
	s := start(t)
	for _, key := range []string{"https://drive.google.com/file/d/lesson/view?usp=sharing", "https://drive.google.com/open?id=lesson", " lesson\u200b\n", "drive.google.com/uc?export=download&id=lesson"} {
		obj, err := s.stat(t, key)
		if err != nil || obj.ID != "lesson" {
			t.Errorf("%q: %+v, %v", key, obj, err)
			continue
		}
		if got, err := origintest.Read(t.Context(), s.origin, obj, media.Span{Len: 4}); err != nil || string(got) != string(lesson[:4]) {
			t.Errorf("%q: %q, %v", key, got, err)
		}
	}
	if _, err := s.stat(t, "https://example.org/lesson"); media.KindOf(err) != media.NotFound || !strings.Contains(err.Error(), "neither an id nor a link") {
		t.Errorf("a link to elsewhere: %v", err)
	}
}

// TestPagesAreNoAnswers: an error status without the API's error body says nothing about the
// file, and passes.
func TestPagesAreNoAnswers(t *testing.T) {
	fake := driveemu.New()
	fake.Put(driveemu.File{ID: "lesson", MimeType: "video/mp4", Content: emulator.Bytes(lesson)})
	var mu sync.Mutex
	var status int
	var contentType, answer string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if status == 0 {
			fake.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(answer))
	}))
	defer server.Close()
	o := connect(t, drive.Config{Credentials: "none", Endpoint: server.URL})
	loc := media.Location{Provider: media.ProviderDrive, Key: "lesson"}
	obj, err := o.Stat(t.Context(), loc)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		status            int
		contentType, body string
		want              media.Kind
	}{
		{403, "text/html", "<html><body>Sorry, too many queries.</body></html>", media.Unavailable},
		{403, "text/html; charset=utf-8", "<title>Access Denied</title>", media.Unavailable},
		{403, "text/plain", "forbidden by proxy", media.Unavailable},
		{403, "application/json", "", media.Unavailable},
		{403, "application/json", `{"message": "blocked"}`, media.Unavailable},
		{403, "application/json", `{"error": "blocked"}`, media.Unavailable},
		{403, "application/json", `{"error": {"code": 403, "message": "Forbidden"}}`, media.Unavailable},
		{403, "application/json", `{"error": {"code": 403, "status": "PERMISSION_DENIED", "message": "x"}}`, media.Denied},
		{403, "application/json", `{"error": {"code": 403, "status": "PERMISSION_DENIED", "details": [{"reason": "SERVICE_DISABLED"}]}}`, media.Denied},
		{403, "application/json", `{"error": {"code": 403, "errors": [{"reason": "domainPolicy"}]}}`, media.Denied},
		{403, "application/json", `{"error": {"code": 403, "errors": [{"reason": "rateLimitExceeded"}]}}`, media.Unavailable},
		{404, "text/html", "<html>Not Found</html>", media.Unavailable},
		{404, "text/html", "", media.Unavailable},
		{404, "application/json", `{"error": {"code": 404, "message": "File not found"}}`, media.NotFound},
		{401, "text/html", "<html>Sign in</html>", media.Unavailable},
		{400, "text/html", "<html>Error 400 (Bad Request)!!1</html>", media.Unavailable},
		{400, "application/json", `{"error": {"code": 400, "errors": [{"reason": "badRequest"}]}}`, media.Invalid},
	} {
		mu.Lock()
		status, contentType, answer = c.status, c.contentType, c.body
		mu.Unlock()
		if _, err := o.Stat(t.Context(), loc); media.KindOf(err) != c.want {
			t.Errorf("stat, %d %s %q: %v, want %v", c.status, c.contentType, c.body, err, c.want)
		}
		if _, err := o.Open(t.Context(), obj, media.Span{Len: 10}); media.KindOf(err) != c.want {
			t.Errorf("read, %d %s %q: %v, want %v", c.status, c.contentType, c.body, err, c.want)
		}
	}
	mu.Lock()
	status = 0
	mu.Unlock()
	if _, err := origintest.Read(t.Context(), o, obj, media.Span{Len: 10}); err != nil {
		t.Errorf("when Drive is itself again: %v", err)
	}
}

// TestScriptedPage: the emulator's page of 403 is one of those.
func TestScriptedPage(t *testing.T) {
	s := start(t)
	s.emulator.SetDefaults(driveemu.Faults{Status: 403, HTML: true, NoMetadata: true})
	if _, err := s.stat(t, "lesson"); media.KindOf(err) != media.Unavailable || media.ReasonOf(err) != drive.ReasonNotAPI {
		t.Error(err)
	}
}

// TestAbusiveFile: the error says what the matter is and what to do.
func TestAbusiveFile(t *testing.T) {
	s := start(t)
	s.emulator.Put(driveemu.File{ID: "flagged", MimeType: "video/mp4", Content: emulator.Bytes(lesson), Abusive: true})
	obj, err := s.stat(t, "flagged")
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.origin.Open(t.Context(), obj, media.Span{Len: 10})
	if media.KindOf(err) != media.Denied || media.ReasonOf(err) != drive.ReasonAbusive || !strings.Contains(err.Error(), "flagged the file as malware or spam") || !strings.Contains(err.Error(), "owner") {
		t.Error(err)
	}
}
