package syncer

import (
	"testing"

	"github.com/lectiospace/lectern/internal/media"
)

// TestARecordingIsArchived: the way of one webhook, on both databases and into both
// archives.
func TestARecordingIsArchived(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]option{
		"sqlite, local": nil, "postgres, local": {onPostgres}, "sqlite, drive": {onDrive}, "postgres, drive": {onPostgres, onDrive},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSchool(t, options...).start()
			s.record("1", 86412345678, "uuid-1==", lessonAt.Add(3e9))
			if got := s.deliver(s.zoom.Event("recording.completed", "uuid-1==")); got != "accepted" {
				t.Errorf("answered %q", got)
			}
			r := s.archived(1)
			if r.ZoomRecordingID != "file-uuid-1==" || r.View != speaker || r.Seconds != 2 || r.Size != int64(len(s.bytesOf(r))) || r.Visibility != media.VisibleLessonGroup {
				t.Errorf("%+v", r)
			}
			if keys := s.keys(); len(keys) != 1 || keys[0] != r.Location().Key {
				t.Errorf("archived: %v", keys)
			}
			if q := s.quota(1); q.Used != r.Size || q.Recordings != 1 || q.Reserved != 0 {
				t.Errorf("quota: %+v", q)
			}
			if got := s.deliver(s.zoom.Event("recording.completed", "uuid-1==")); got != "duplicate" {
				t.Errorf("a second delivery: %q", got)
			}
		})
	}
}
