package doctor

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	driveemu "github.com/lectiospace/lectern/internal/emulator/drive"
	"github.com/lectiospace/lectern/internal/origin/drive"
)

// TestDriveArchive: the check writes as an ingest does, names the setting that is wrong,
// and ends when nobody answers.
func TestDriveArchive(t *testing.T) {
	folder := driveemu.File{ID: "1folder", Name: "lessons", MimeType: driveemu.FolderType}
	closed := driveemu.File{ID: "1closed", Name: "closed", MimeType: driveemu.FolderType, ReadOnly: true}
	for _, c := range []struct {
		name, folder string
		faults       driveemu.Faults
		want         Status
		says, fix    string
	}{
		{"all well", "1folder", driveemu.Faults{}, Pass, "written", ""},
		{"My Drive", "", driveemu.Faults{}, Pass, "not tried", ""},
		{"only trashing allowed", "1folder", driveemu.Faults{Upload: driveemu.UploadFaults{NoDelete: true}}, Pass, "written", ""},
		{"no such folder", "1missing", driveemu.Faults{}, Fail, "missing", "sync-drive-folder"},
		{"a folder to read only", "1closed", driveemu.Faults{}, Fail, "may not add files", "sync-drive-folder"},
		{"a folder outside shared drives", "1folder", driveemu.Faults{Upload: driveemu.UploadFaults{NoStorage: true}}, Fail, "no room", "sync-drive-folder"},
		{"uploads are refused", "1folder", driveemu.Faults{Upload: driveemu.UploadFaults{Forbidden: "insufficientFilePermissions"}}, Fail, "cannot be written", "write"},
		{"a full Drive", "1folder", driveemu.Faults{Upload: driveemu.UploadFaults{Forbidden: "storageQuotaExceeded"}}, Fail, "no room", "make room"},
	} {
		t.Run(c.name, func(t *testing.T) {
			remote := driveemu.New()
			remote.Put(folder)
			remote.Put(closed)
			remote.SetDefaults(c.faults)
			server := httptest.NewServer(remote)
			defer server.Close()
			var r Report
			r.DriveArchive(t.Context(), drive.Config{Credentials: "none", Endpoint: server.URL}, drive.ArchiveConfig{Folder: c.folder}, time.Minute)
			f := last(t, &r)
			if f.Check == "clock" {
				t.Fatalf("no finding about the archive: %+v", r.Findings())
			}
			if f.Status != c.want || !strings.Contains(f.Detail, c.says) || !strings.Contains(f.Fix, c.fix) {
				t.Errorf("%+v, want %s saying %q, fix %q", f, c.want, c.says, c.fix)
			}
			if c.folder == "" && remote.Usage().Sessions != 0 {
				t.Error("written into My Drive")
			}
			for _, left := range remote.Files() {
				if left.ID != folder.ID && left.ID != closed.ID && !left.Trashed {
					t.Errorf("left behind: %+v", left)
				}
			}
		})
	}
}
