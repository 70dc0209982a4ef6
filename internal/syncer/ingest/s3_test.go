package ingest_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	s3emu "github.com/lectiospace/lectern/internal/emulator/s3"
	"github.com/lectiospace/lectern/internal/syncer"
	"github.com/lectiospace/lectern/internal/syncer/syncertest"
)

// stallingAt is an S3 whose upload stops for ever at part n, of however many.
func stallingAt(n int) s3emu.Faults {
	script := make([]s3emu.Fault, 20)
	for i := n - 1; i < len(script); i++ {
		script[i].Stall = true
	}
	return s3emu.Faults{Script: map[string][]s3emu.Fault{"UploadPart": script}}
}

// uploadingTo has a recording's upload under way, with some parts arrived.
func uploadingTo(t *testing.T, s *syncertest.Server, parts int) {
	t.Helper()
	s.S3.Set(stallingAt(parts + 1))
	s.Start()
	s.Record("1", 86412345678, "uuid-1==", syncertest.LessonStart)
	s.Deliver(s.Zoom.Event("recording.completed", "uuid-1=="))
	syncertest.Eventually(t, "parts have arrived", func() (bool, string) {
		all := s.S3.Uploads()
		return slices.ContainsFunc(all, func(u s3emu.Upload) bool { return u.Parts == parts }) && s.S3.Requests("UploadPart") > parts, fmt.Sprint(all)
	})
}

// TestAnUploadToS3IsResumed: a syncer that ends in the middle of an upload leaves what has
// arrived, and the next one sends the rest only.
func TestAnUploadToS3IsResumed(t *testing.T) {
	s := syncertest.New(t, syncertest.OnS3)
	uploadingTo(t, s, 2)
	s.Syncer.Stop()
	if left := s.S3.Uploads(); len(left) != 1 || left[0].Parts != 2 {
		t.Fatalf("left: %v", left)
	}
	s.S3.Set(s3emu.Faults{})
	before := s.S3.Requests("UploadPart")
	s.Restart()
	r := s.Archived(1)
	parts := int(r.Size+16<<10-1) / (16 << 10)
	if sent := s.S3.Requests("UploadPart") - before; sent != parts-2 || parts < 4 {
		t.Errorf("%d of %d parts were sent after 2 had arrived", sent, parts)
	}
	if n := s.S3.Requests("CreateMultipartUpload"); n != 1 {
		t.Errorf("%d uploads were begun", n)
	}
	if left := s.S3.Uploads(); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	if got := s.BytesOf(r); int64(len(got)) != r.Size {
		t.Errorf("%d bytes of %d", len(got), r.Size)
	}
}

// TestAnEndedUploadIsAborted: parts of an ingest that is over cost nothing any more, whether
// it ends by itself or is dropped while no syncer runs; uploads of others stay.
func TestAnEndedUploadIsAborted(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*syncertest.Server){
		"gone at Zoom": func(s *syncertest.Server) {
			trashed := s.Zoom.Event("recording.trashed", "uuid-1==")
			s.Zoom.Remove("uuid-1==")
			s.Deliver(trashed)
		},
		"refused for good": func(s *syncertest.Server) {
			s.Syncer.Stop()
			s.S3.Set(s3emu.Faults{Always: map[string]s3emu.Fault{"UploadPart": {Status: 400, Code: "InvalidArgument"}}})
			s.Restart()
		},
		"dropped": func(s *syncertest.Server) {
			s.Syncer.Stop()
			s.Exec(`DELETE FROM lectern.lectern_ingests`)
			s.S3.Set(s3emu.Faults{})
			s.Restart()
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := syncertest.New(t, syncertest.OnS3, syncertest.Configured(func(c *syncer.Config) { c.GiveUpAfter = time.Millisecond }))
			foreign := s.S3.Begin("school/recordings/foreign.mp4")
			uploadingTo(t, s, 2)
			end(s)
			syncertest.Eventually(t, "the upload is aborted", func() (bool, string) {
				left := s.S3.Uploads()
				return len(left) == 1 && left[0].ID == foreign, fmt.Sprint(left)
			})
		})
	}
}
