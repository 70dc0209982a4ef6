package drive

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"log/slog"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/archive"
	"github.com/lectiospace/lectern/internal/archive/archivetest"
	"github.com/lectiospace/lectern/internal/emulator"
	driveemu "github.com/lectiospace/lectern/internal/emulator/drive"
	"github.com/lectiospace/lectern/internal/media"
)

// archiveOn is an archive with small chunks and short waits on an emulator.
func archiveOn(t *testing.T, cfg ArchiveConfig) (*Archive, *driveemu.Server) {
	t.Helper()
	server := driveemu.New()
	server.SpoolIn(t.TempDir())
	listener := httptest.NewServer(server)
	t.Cleanup(listener.Close)
	o, err := New(t.Context(), Config{Credentials: "none", Endpoint: listener.URL}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Stop)
	a := NewArchive(o, cfg)
	a.chunk = 1 << 20
	a.retry.Before = func(int) time.Duration { return time.Millisecond }
	return a, server
}

func contentOf(t *testing.T, server *driveemu.Server, id string) []byte {
	t.Helper()
	for _, f := range server.Files() {
		if f.ID == id {
			data, err := io.ReadAll(io.NewSectionReader(f.Content, 0, f.Content.Size()))
			if err != nil {
				t.Fatal(err)
			}
			return data
		}
	}
	t.Fatalf("no file %s", id)
	return nil
}

func TestArchive(t *testing.T) {
	archivetest.Conformance(t, func(t *testing.T) (archive.Archive, func(string) []byte) {
		a, server := archiveOn(t, ArchiveConfig{Folder: "shared-folder"})
		return a, func(key string) []byte { return contentOf(t, server, key) }
	})
}

// TestUploadSurvives: whatever goes wrong during the upload, Drive has the file once, with
// the right bytes.
func TestUploadSurvives(t *testing.T) {
	for _, c := range []struct {
		name   string
		faults driveemu.UploadFaults
	}{
		{"nothing goes wrong", driveemu.UploadFaults{}},
		{"Drive keeps less than was sent", driveemu.UploadFaults{ShortAccept: 2}},
		{"chunks are refused in passing", driveemu.UploadFaults{Refuse: 3}},
		{"the last answer is lost", driveemu.UploadFaults{LoseFinal: 1}},
		{"the session expires", driveemu.UploadFaults{Expire: 1}},
		{"all of it", driveemu.UploadFaults{ShortAccept: 1, Refuse: 2, LoseFinal: 1, Expire: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, server := archiveOn(t, ArchiveConfig{})
			server.SetDefaults(driveemu.Faults{Upload: c.faults})
			key, err := a.NewKey(t.Context(), "")
			if err != nil {
				t.Fatal(err)
			}
			item := archivetest.Item(t, key, 3<<20+12345, 9)
			stored, err := a.Put(t.Context(), item)
			if err != nil {
				t.Fatal(err)
			}
			if !stored.Same(item.Size, item.MD5) {
				t.Errorf("stored %+v", stored)
			}
			if files := server.Files(); len(files) != 1 || files[0].ID != key {
				t.Errorf("files: %v", files)
			}
			if got := server.Usage(); got.Created != 1 || got.Revised != 0 {
				t.Errorf("usage: %+v", got)
			}
		})
	}
}

// TestUploadIsResumed: a process that dies in the middle leaves a session, and another
// resumes it, sending nothing twice but the broken chunk.
func TestUploadIsResumed(t *testing.T) {
	a, server := archiveOn(t, ArchiveConfig{})
	server.SetDefaults(driveemu.Faults{Upload: driveemu.UploadFaults{Rate: 8 << 20}})
	key, err := a.NewKey(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	item := archivetest.Item(t, key, 6<<20, 3)
	saved := make(chan string, 1)
	item.SaveSession = func(s string) error { saved <- s; return nil }
	ctx, cancel := contextUntil(t, func() bool { return server.Usage().Received > 3<<20 })
	defer cancel()
	if _, err := a.Put(ctx, item); media.KindOf(err) != media.Canceled {
		t.Fatalf("the first process: %v", err)
	}
	before := server.Usage().Received
	server.SetDefaults(driveemu.Faults{})
	item.Session = <-saved
	item.SaveSession = func(string) error { t.Error("a new session was begun"); return nil }
	stored, err := a.Put(t.Context(), item)
	if err != nil || !stored.Same(item.Size, item.MD5) {
		t.Fatalf("the second process: %+v, %v", stored, err)
	}
	if sent := server.Usage().Received - before; sent > 4<<20 {
		t.Errorf("%d bytes of 6 MiB were sent after 3 MiB had been", sent)
	}
	if got := server.Usage(); got.Sessions != 1 || got.Created != 1 {
		t.Errorf("usage: %+v", got)
	}
}

// TestUnusableSessionIsReplaced resumes a session that was begun for another size: Drive
// refuses to continue it, and would for ever.
func TestUnusableSessionIsReplaced(t *testing.T) {
	a, server := archiveOn(t, ArchiveConfig{})
	key, err := a.NewKey(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	other, item := archivetest.Item(t, key, 3<<20, 1), archivetest.Item(t, key, 2<<20, 2)
	server.SetDefaults(driveemu.Faults{Upload: driveemu.UploadFaults{Rate: 4 << 20}})
	other.SaveSession = func(s string) error { item.Session = s; return nil }
	ctx, cancel := contextUntil(t, func() bool { return server.Usage().Received > 1<<20 })
	defer cancel()
	if _, err := a.Put(ctx, other); media.KindOf(err) != media.Canceled {
		t.Fatalf("the first upload: %v", err)
	}
	server.SetDefaults(driveemu.Faults{})
	stored, err := a.Put(t.Context(), item)
	if err != nil || !stored.Same(item.Size, item.MD5) {
		t.Errorf("stored %+v, %v", stored, err)
	}
	if got := server.Usage(); got.Sessions != 2 || got.Created != 1 {
		t.Errorf("usage: %+v", got)
	}
}

// TestDamageIsSeen: the checksum that is compared is Drive's own.
func TestDamageIsSeen(t *testing.T) {
	a, server := archiveOn(t, ArchiveConfig{})
	server.SetDefaults(driveemu.Faults{Upload: driveemu.UploadFaults{Damage: 1}})
	key, _ := a.NewKey(t.Context(), "")
	item := archivetest.Item(t, key, 300_000, 1)
	stored, err := a.Put(t.Context(), item)
	if err != nil || stored.Same(item.Size, item.MD5) {
		t.Errorf("stored %+v, %v", stored, err)
	}
}

func TestFullArchive(t *testing.T) {
	a, server := archiveOn(t, ArchiveConfig{Folder: "my-drive-folder"})
	server.SetDefaults(driveemu.Faults{Upload: driveemu.UploadFaults{NoStorage: true}})
	key, _ := a.NewKey(t.Context(), "")
	_, err := a.Put(t.Context(), archivetest.Item(t, key, 1000, 1))
	if media.KindOf(err) != media.Quota || !strings.Contains(err.Error(), "storageQuotaExceeded") {
		t.Errorf("a service account in My Drive: %v", err)
	}
}

// TestOnlyTrashing: where the account may not delete, the file is trashed, which counts as
// deleted.
func TestOnlyTrashing(t *testing.T) {
	a, server := archiveOn(t, ArchiveConfig{})
	server.SetDefaults(driveemu.Faults{Upload: driveemu.UploadFaults{NoDelete: true}})
	key, _ := a.NewKey(t.Context(), "")
	if _, err := a.Put(t.Context(), archivetest.Item(t, key, 1000, 1)); err != nil {
		t.Fatal(err)
	}
	if err := a.Remove(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Stat(t.Context(), key); media.KindOf(err) != media.NotFound {
		t.Errorf("stat: %v", err)
	}
	if len(server.Deleted()) != 0 || len(server.Files()) != 0 {
		t.Errorf("deleted %v, files %v", server.Deleted(), server.Files())
	}
}

// TestFolderOfUploads: the configured folder, the shared drive's root, or the teacher's own
// folder; the file carries the archive's mark.
func TestFolderOfUploads(t *testing.T) {
	for _, c := range []struct {
		cfg  ArchiveConfig
		item string
		want string
	}{
		{ArchiveConfig{Folder: "f"}, "teachers", "f"},
		{ArchiveConfig{SharedDrive: "shared"}, "", "shared"},
		{ArchiveConfig{}, "teachers", "teachers"},
	} {
		a, server := archiveOn(t, c.cfg)
		key, _ := a.NewKey(t.Context(), "")
		item := archivetest.Item(t, key, 1000, 1)
		item.Folder, item.Properties = c.item, map[string]string{"zoomUuid": "abc"}
		stored, err := a.Put(t.Context(), item)
		if err != nil {
			t.Fatal(err)
		}
		f := server.Files()[0]
		if stored.Folder != c.want || f.AppProperties["zoomUuid"] != "abc" || f.AppProperties[markKey] != markValue || f.Name != item.Name {
			t.Errorf("%+v: stored %+v, file %+v", c, stored, f)
		}
	}
}

func TestPutOfAMissingFile(t *testing.T) {
	a, _ := archiveOn(t, ArchiveConfig{})
	key, _ := a.NewKey(t.Context(), "")
	item := archivetest.Item(t, key, 1000, 1)
	if err := os.Remove(item.Path); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Put(t.Context(), item); err == nil {
		t.Error("Put succeeded")
	}
}

// TestFolderAsPasted: the folder setting may be a link.
func TestFolderAsPasted(t *testing.T) {
	a, server := archiveOn(t, ArchiveConfig{Folder: " https://drive.google.com/drive/u/0/folders/f?usp=sharing\n"})
	key, _ := a.NewKey(t.Context(), "")
	if _, err := a.Put(t.Context(), archivetest.Item(t, key, 1000, 1)); err != nil {
		t.Fatal(err)
	}
	if f := server.Files()[0]; len(f.Parents) != 1 || f.Parents[0] != "f" {
		t.Errorf("parents %q, want f", f.Parents)
	}
	a.cfg.Folder = "My lessons"
	if _, err := a.Put(t.Context(), archivetest.Item(t, key+"2", 1000, 1)); media.KindOf(err) != media.Invalid {
		t.Errorf("a name for a folder: %v", err)
	}
	for text, want := range map[string]string{"": "", "f": "", "https://drive.google.com/drive/folders/f": "", "My lessons": "sync-drive-folder"} {
		if err := (&ArchiveConfig{Folder: text}).Check(); (err == nil) != (want == "") || err != nil && !strings.HasPrefix(err.Error(), want+": ") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestCheckFolder(t *testing.T) {
	for _, c := range []struct {
		cfg  ArchiveConfig
		want media.Kind // Other: no error
	}{
		{ArchiveConfig{}, media.Other},
		{ArchiveConfig{Folder: "good"}, media.Other},
		{ArchiveConfig{Folder: "https://drive.google.com/drive/folders/good"}, media.Other},
		{ArchiveConfig{SharedDrive: "good"}, media.Other},
		{ArchiveConfig{Folder: "read-only"}, media.Denied},
		{ArchiveConfig{Folder: "file"}, media.Invalid},
		{ArchiveConfig{Folder: "missing"}, media.NotFound},
		{ArchiveConfig{Folder: "trashed"}, media.NotFound},
		{ArchiveConfig{Folder: "no id"}, media.Invalid},
	} {
		a, server := archiveOn(t, c.cfg)
		server.Put(driveemu.File{ID: "good", MimeType: driveemu.FolderType})
		server.Put(driveemu.File{ID: "read-only", MimeType: driveemu.FolderType, ReadOnly: true})
		server.Put(driveemu.File{ID: "trashed", MimeType: driveemu.FolderType, Trashed: true})
		server.Put(driveemu.File{ID: "file", MimeType: "video/mp4", Content: emulator.Bytes([]byte("x"))})
		if err := a.CheckFolder(t.Context()); media.KindOf(err) != c.want || (err == nil) != (c.want == media.Other) {
			t.Errorf("%+v: %v, want %v", c.cfg, err, c.want)
		}
	}
}

// TestUnwritableFolder: an upload into a folder of others is refused for good.
func TestUnwritableFolder(t *testing.T) {
	a, server := archiveOn(t, ArchiveConfig{Folder: "read-only"})
	server.Put(driveemu.File{ID: "read-only", MimeType: driveemu.FolderType, ReadOnly: true})
	key, _ := a.NewKey(t.Context(), "")
	if _, err := a.Put(t.Context(), archivetest.Item(t, key, 1000, 1)); media.KindOf(err) != media.Denied || media.ReasonOf(err) != "insufficientFilePermissions" {
		t.Error(err)
	}
}

// TestAnArchivedVersionIsTheOrigins: what is recorded of archived bytes is looked up by the
// version that the origin states when they are played. Drive's own digest comes with it.
func TestAnArchivedVersionIsTheOrigins(t *testing.T) {
	a, server := archiveOn(t, ArchiveConfig{})
	key, err := a.NewKey(t.Context(), "7")
	if err != nil {
		t.Fatal(err)
	}
	for seed := range byte(2) {
		item := archivetest.Item(t, key, 1000, seed)
		item.Replace = seed > 0
		stored, err := a.Put(t.Context(), item)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(contentOf(t, server, key))
		obj, err := a.Origin.Stat(t.Context(), media.Location{Provider: media.ProviderDrive, Key: key})
		if err != nil || obj.Version != stored.Version || obj.SHA256 != hex.EncodeToString(sum[:]) {
			t.Errorf("the archive says version %q, the origin %q with digest %q, %v", stored.Version, obj.Version, obj.SHA256, err)
		}
	}
	for _, text := range []string{"", "abcd", strings.Repeat("x", 64)} {
		server.Put(driveemu.File{ID: "old", MimeType: "video/mp4", Content: emulator.Bytes([]byte("old")), SHA256: text})
		obj, err := a.Origin.Stat(t.Context(), media.Location{Provider: media.ProviderDrive, Key: "old"})
		if err != nil || obj.SHA256 != "" {
			t.Errorf("sha256Checksum %q: %q, %v", text, obj.SHA256, err)
		}
	}
}
