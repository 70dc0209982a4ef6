package crash

import (
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// check lets syncers live undisturbed until nothing is left to do, and checks what holds then:
// no acknowledged event is lost, each lesson is archived once, with the right bytes, the
// archives hold nothing else, quotas are the sums of what is stored, Zoom's copies of what is
// archived are in its trash, and nothing is left in the directory of temporary files.
func (s *school) check() {
	s.t.Helper()
	s.settle()
	run(s.t, s.env, "syncer", "run", "cleanup")
	run(s.t, s.env, "syncer", "run", "purge")
	s.checkEvents()
	held := s.contents()
	s.checkLessons(held)
	s.checkFiles(held)
	s.checkQuota()
	s.checkZoom()
	s.aims.verdict("%d lessons, %d events, %d archived files: %v", len(s.lessons), len(s.acked), len(held), map[bool]string{false: "all holds", true: "BROKEN"}[s.t.Failed()])
}

// settle runs servers until all is done that is to be done, whatever the moment, with all that
// Zoom lists, and one after that: what it finds at its start it clears up.
func (s *school) settle() {
	s.t.Helper()
	s.aDayPasses()
	p := start(s.t, s.env, "", "syncer", "serve")
	<-p.listening
	run(s.t, s.env, "syncer", "reconcile") // the server's own may not have begun when all else is done
	settled := eventually(func() bool {
		s.deliver(p)
		switch {
		case p.ended():
			return true
		case s.number(`SELECT count(*) FROM river_job WHERE state IN ('available', 'running')`) > 0, len(s.pending) > 0:
			return false
		case s.number(`SELECT count(*) FROM river_job WHERE state IN ('scheduled', 'retryable')`) > 0:
			s.timePasses()
			return false
		default:
			return true
		}
	})
	if !settled || p.ended() {
		s.t.Errorf("jobs are never done: %q, %d events not acknowledged\n%s", s.unfinished(), len(s.pending), p.tail())
	}
	p.kill()
	p.passed(s.t)
	if len(s.workDirs()) == 0 {
		return
	}
	p = start(s.t, s.env, "", "syncer", "serve")
	if !eventually(func() bool { return len(s.workDirs()) == 0 }) {
		s.t.Errorf("these are left in the directory of temporary files: %v\n%s", s.workDirs(), p.tail())
	}
	p.kill()
	p.passed(s.t)
}

// checkEvents: what was acknowledged is stored.
func (s *school) checkEvents() {
	s.t.Helper()
	for _, e := range s.acked {
		if n := s.number(`SELECT count(*) FROM lectern_zoom_events WHERE event = ? AND meeting_uuid = ?`, e.name, e.uuid); n == 0 {
			s.t.Errorf("%s of %s was acknowledged, and is not stored", e.name, e.uuid)
		}
	}
}

// contents is everything in both archives, whatever its name.
func (s *school) contents() map[media.Location][]byte {
	s.t.Helper()
	held := map[media.Location][]byte{}
	root := filepath.Join(s.dir, "recordings")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if os.IsNotExist(err) || err == nil && d.IsDir() {
			return nil
		}
		if err != nil {
			return err
		}
		key, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		held[media.Location{Provider: media.ProviderLocal, Key: key}], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, f := range s.drive.Files() {
		data, err := io.ReadAll(io.NewSectionReader(f.Content, 0, f.Content.Size()))
		if err != nil {
			s.t.Fatal(err)
		}
		held[media.Location{Provider: media.ProviderDrive, Key: f.ID}] = data
	}
	return held
}

// explain is what the syncer knows of a lesson's meeting.
func (s *school) explain(l *lesson) string {
	s.t.Helper()
	out, err := try(s.t, s.env, "syncer", "explain", l.uuid)
	if err != nil {
		return err.Error()
	}
	return out
}

// row is a recording that is not removed.
type row struct {
	id     int64
	at     media.Location
	size   int64
	status string
}

func (s *school) rows(l *lesson) (out []row) {
	s.t.Helper()
	found, err := s.db.Query(`SELECT id, storage_provider, gdrive_file_id, archive_key, COALESCE(file_size, 0), status FROM schedule_lessonrecording WHERE lesson_id = ? AND NOT is_deleted`, l.n)
	if err != nil {
		s.t.Fatal(err)
	}
	defer found.Close()
	for found.Next() {
		var r row
		var provider, drive, key string
		if err := found.Scan(&r.id, &provider, &drive, &key, &r.size, &r.status); err != nil {
			s.t.Fatal(err)
		}
		r.at = media.StoredAt(provider, drive, key)
		out = append(out, r)
	}
	if err := found.Err(); err != nil {
		s.t.Fatal(err)
	}
	return out
}

// checkLessons: each lesson has one recording, which holds all that Zoom has recorded.
func (s *school) checkLessons(held map[media.Location][]byte) {
	s.t.Helper()
	for _, l := range s.lessons {
		rows := s.rows(l)
		if l.expired {
			if len(rows) > 0 {
				s.t.Errorf("%v has expired, and is not removed: %+v", l, rows)
			}
			continue
		}
		if len(rows) != 1 || rows[0].status != "ready" {
			s.t.Errorf("%v has the recordings %+v\n%s", l, rows, s.explain(l))
			continue
		}
		data := held[rows[0].at]
		if int64(len(data)) != rows[0].size || len(data) == 0 {
			s.t.Errorf("%v: the archive has %d bytes of %v, the row says %d", l, len(data), rows[0].at, rows[0].size)
		}
		if len(l.parts) == 1 {
			if sum(data) != sum(l.parts[0]) {
				s.t.Errorf("%v has other bytes than Zoom's", l)
			}
			continue
		}
		s.checkJoined(l, data)
	}
}

// checkJoined: a recording of several parts is what was made of all of them.
func (s *school) checkJoined(l *lesson, data []byte) {
	s.t.Helper()
	var md5, parts string
	if err := s.db.QueryRow(`SELECT md5, archived_parts FROM lectern_ingests WHERE lesson_id = ?`, l.n).Scan(&md5, &parts); err != nil {
		s.t.Fatal(err)
	}
	for n := range l.parts {
		if name := fmt.Sprintf("%s/file-%d-%d", l.uuid, l.n, n); !slices.Contains(strings.Split(parts, "\n"), name) {
			s.t.Errorf("%v is made of %q, without %s\n%s", l, parts, name, s.explain(l))
		}
	}
	if md5 != sum(data) {
		s.t.Errorf("%v is archived with the checksum %s, and its file has %s", l, md5, sum(data))
	}
}

// checkFiles: the archives have what rows name, and no second file, nor a part of one.
func (s *school) checkFiles(held map[media.Location][]byte) {
	s.t.Helper()
	named := map[media.Location]int64{}
	for _, l := range s.lessons {
		for _, r := range s.rows(l) {
			named[r.at] = r.size
		}
	}
	found, err := s.db.Query(`SELECT f.provider, f.archive_key, f.size, f.md5 FROM lectern_recording_files f WHERE f.removed_at IS NULL AND f.purged_at IS NULL AND f.verified_at IS NOT NULL`)
	if err != nil {
		s.t.Fatal(err)
	}
	defer found.Close()
	for found.Next() {
		var at media.Location
		var size int64
		var md5 string
		if err := found.Scan(&at.Provider, &at.Key, &size, &md5); err != nil {
			s.t.Fatal(err)
		}
		named[at] = size
		if data := held[at]; md5 != sum(data) {
			s.t.Errorf("a file beside a recording, %v, has other bytes: %d, and not %d", at, len(data), size)
		}
	}
	if err := found.Err(); err != nil {
		s.t.Fatal(err)
	}
	for _, at := range slices.SortedFunc(maps.Keys(held), func(a, b media.Location) int { return strings.Compare(a.Key, b.Key) }) {
		if _, ok := named[at]; !ok {
			s.t.Errorf("%v, %d bytes, belongs to nothing", at, len(held[at]))
		}
	}
}

// checkQuota: a teacher is charged what is stored, and nothing is reserved.
func (s *school) checkQuota() {
	s.t.Helper()
	db, err := catalog.Open(s.t.Context(), "sqlite://"+filepath.Join(s.dir, "lectern.db"), slog.New(slog.DiscardHandler))
	if err != nil {
		s.t.Fatal(err)
	}
	defer db.Close()
	err = db.View(s.t.Context(), "crash: quota", func(x store.Session) error {
		q, err := store.ReadQuota(s.t.Context(), x, 1)
		if err != nil {
			return err
		}
		stored, err := store.StoredUsage(s.t.Context(), x, q)
		if stored.Used != q.Used || stored.Recordings != q.Recordings || q.Reserved != 0 {
			s.t.Errorf("the teacher is charged %d bytes of %d recordings, %d reserved; %d of %d are stored", q.Used, q.Recordings, q.Reserved, stored.Used, stored.Recordings)
		}
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// checkZoom: what is archived is in Zoom's trash, file by file.
func (s *school) checkZoom() {
	s.t.Helper()
	stats := s.zoom.Stats()
	for _, l := range s.lessons {
		for n := range l.parts {
			if name := fmt.Sprintf("%s/file-%d-%d", l.uuid, l.n, n); !l.expired && !slices.Contains(stats.Trashed, name) {
				s.t.Errorf("%v is archived, and Zoom still has %s\n%s", l, name, s.explain(l))
			}
		}
	}
	if len(stats.WholeMeetings) > 0 || stats.Limited > 0 {
		s.t.Errorf("whole meetings were deleted at Zoom: %v; %d requests were over its limits", stats.WholeMeetings, stats.Limited)
	}
}

// workDirs are the directories of jobs, with what is in them.
func (s *school) workDirs() (found []string) {
	s.t.Helper()
	entries, err := os.ReadDir(filepath.Join(s.dir, "sync"))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() {
			inside, _ := filepath.Glob(filepath.Join(s.dir, "sync", e.Name(), "*"))
			found = append(found, fmt.Sprint(e.Name(), inside))
		}
	}
	return found
}
