package drive

import (
	"io"
	"log/slog"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/archive"
	"github.com/lectiospace/lectern/internal/archive/archivetest"
	driveemu "github.com/lectiospace/lectern/internal/emulator/drive"
	"github.com/lectiospace/lectern/internal/media"
)

// archiveOn is an archive with small chunks and little patience on an emulator.
func archiveOn(t *testing.T, cfg ArchiveConfig) (*Archive, *driveemu.Server) {
	t.Helper()
	emulator := driveemu.New()
	emulator.SpoolIn(t.TempDir())
	server := httptest.NewServer(emulator)
	t.Cleanup(server.Close)
	o, err := New(t.Context(), Config{Credentials: "none", Endpoint: server.URL}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.Close() })
	a := NewArchive(o, cfg)
	a.chunk = 1 << 20
	a.retry.before = func(int) time.Duration { return time.Millisecond }
	return a, emulator
}

func contentOf(t *testing.T, emulator *driveemu.Server, id string) []byte {
	t.Helper()
	for _, f := range emulator.Files() {
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
		a, emulator := archiveOn(t, ArchiveConfig{Folder: "shared-folder"})
		return a, func(key string) []byte { return contentOf(t, emulator, key) }
	})
}

// TestUploadSurvives: whatever goes wrong on the way, the file ends in Drive once,
// with the right bytes.
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
			a, emulator := archiveOn(t, ArchiveConfig{})
			emulator.SetDefaults(driveemu.Faults{Upload: c.faults})
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
			if files := emulator.Files(); len(files) != 1 || files[0].ID != key {
				t.Errorf("files: %v", files)
			}
			if got := emulator.Usage(); got.Created != 1 || got.Revised != 0 {
				t.Errorf("usage: %+v", got)
			}
		})
	}
}

// TestUploadIsTakenUp: a process that dies in the middle leaves a session, and
// another goes on where it stood, sending nothing twice but the broken chunk.
func TestUploadIsTakenUp(t *testing.T) {
	a, emulator := archiveOn(t, ArchiveConfig{})
	emulator.SetDefaults(driveemu.Faults{Upload: driveemu.UploadFaults{Rate: 8 << 20}})
	key, err := a.NewKey(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	item := archivetest.Item(t, key, 6<<20, 3)
	saved := make(chan string, 1)
	item.SaveSession = func(s string) error { saved <- s; return nil }
	ctx, cancel := contextUntil(t, func() bool { return emulator.Usage().Received > 3<<20 })
	defer cancel()
	if _, err := a.Put(ctx, item); media.KindOf(err) != media.Canceled {
		t.Fatalf("the first process: %v", err)
	}
	before := emulator.Usage().Received
	emulator.SetDefaults(driveemu.Faults{})
	item.Session = <-saved
	item.SaveSession = func(string) error { t.Error("a new session was begun"); return nil }
	stored, err := a.Put(t.Context(), item)
	if err != nil || !stored.Same(item.Size, item.MD5) {
		t.Fatalf("the second process: %+v, %v", stored, err)
	}
	if sent := emulator.Usage().Received - before; sent > 4<<20 {
		t.Errorf("%d bytes of 6 MiB were sent after 3 MiB had been", sent)
	}
	if got := emulator.Usage(); got.Sessions != 1 || got.Created != 1 {
		t.Errorf("usage: %+v", got)
	}
}

// TestDamageIsSeen: Drive's own checksum, not our belief, says what lies there.
func TestDamageIsSeen(t *testing.T) {
	a, emulator := archiveOn(t, ArchiveConfig{})
	emulator.SetDefaults(driveemu.Faults{Upload: driveemu.UploadFaults{Damage: 1}})
	key, _ := a.NewKey(t.Context(), "")
	item := archivetest.Item(t, key, 300_000, 1)
	stored, err := a.Put(t.Context(), item)
	if err != nil || stored.Same(item.Size, item.MD5) {
		t.Errorf("stored %+v, %v", stored, err)
	}
}

func TestFullArchive(t *testing.T) {
	a, emulator := archiveOn(t, ArchiveConfig{Folder: "my-drive-folder"})
	emulator.SetDefaults(driveemu.Faults{Upload: driveemu.UploadFaults{NoStorage: true}})
	key, _ := a.NewKey(t.Context(), "")
	_, err := a.Put(t.Context(), archivetest.Item(t, key, 1000, 1))
	if media.KindOf(err) != media.Quota || !strings.Contains(err.Error(), "storageQuotaExceeded") {
		t.Errorf("a service account in My Drive: %v", err)
	}
}

// TestOnlyTrashing: where deleting is others' right, the file goes to the bin, and
// is as gone as a deleted one.
func TestOnlyTrashing(t *testing.T) {
	a, emulator := archiveOn(t, ArchiveConfig{})
	emulator.SetDefaults(driveemu.Faults{Upload: driveemu.UploadFaults{NoDelete: true}})
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
	if len(emulator.Deleted()) != 0 || len(emulator.Files()) != 0 {
		t.Errorf("deleted %v, files %v", emulator.Deleted(), emulator.Files())
	}
}

// TestWhereItLies: the folder of the setting, the shared drive's root, or the
// teacher's own, and the file carries what finds it again.
func TestWhereItLies(t *testing.T) {
	for _, c := range []struct {
		cfg  ArchiveConfig
		item string
		want string
	}{
		{ArchiveConfig{Folder: "f"}, "teachers", "f"},
		{ArchiveConfig{SharedDrive: "shared"}, "", "shared"},
		{ArchiveConfig{}, "teachers", "teachers"},
	} {
		a, emulator := archiveOn(t, c.cfg)
		key, _ := a.NewKey(t.Context(), "")
		item := archivetest.Item(t, key, 1000, 1)
		item.Folder, item.Properties = c.item, map[string]string{"zoomUuid": "abc"}
		stored, err := a.Put(t.Context(), item)
		if err != nil {
			t.Fatal(err)
		}
		f := emulator.Files()[0]
		if stored.Folder != c.want || f.AppProperties["zoomUuid"] != "abc" || f.AppProperties[markKey] != markValue || f.Name != item.Name {
			t.Errorf("%+v: stored %+v, file %+v", c, stored, f)
		}
	}
}

func TestPutOfAFileThatIsNotThere(t *testing.T) {
	a, _ := archiveOn(t, ArchiveConfig{})
	key, _ := a.NewKey(t.Context(), "")
	item := archivetest.Item(t, key, 1000, 1)
	if err := os.Remove(item.Path); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Put(t.Context(), item); err == nil {
		t.Error("was taken")
	}
}
