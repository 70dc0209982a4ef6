package ingest_test

import (
	"testing"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/syncertest"
)

// TestARecordingIsArchived: the way of one webhook, on both databases and into both
// archives.
func TestARecordingIsArchived(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]syncertest.Option{
		"sqlite, local": nil, "postgres, local": {syncertest.OnPostgres}, "sqlite, drive": {syncertest.OnDrive}, "sqlite, s3": {syncertest.OnS3}, "postgres, drive": {syncertest.OnPostgres, syncertest.OnDrive},
	} {
		t.Run(name, func(t *testing.T) {
			s := syncertest.New(t, options...).Start()
			s.Record("1", 86412345678, "uuid-1==", syncertest.LessonStart.Add(3e9))
			if got := s.Deliver(s.Zoom.Event("recording.completed", "uuid-1==")); got != "accepted" {
				t.Errorf("answered %q", got)
			}
			r := s.Archived(1)
			if r.ZoomRecordingID != "file-uuid-1==" || r.View != syncertest.SpeakerView || r.Seconds != 2 || r.Size != int64(len(s.BytesOf(r))) || r.Visibility != media.VisibleLessonGroup {
				t.Errorf("%+v", r)
			}
			if keys := s.Keys(); len(keys) != 1 || keys[0] != r.Location().Key {
				t.Errorf("archived: %v", keys)
			}
			if q := s.Quota(1); q.Used != r.Size || q.Recordings != 1 || q.Reserved != 0 {
				t.Errorf("quota: %+v", q)
			}
			if got := s.Deliver(s.Zoom.Event("recording.completed", "uuid-1==")); got != "duplicate" {
				t.Errorf("a second delivery: %q", got)
			}
		})
	}
}
