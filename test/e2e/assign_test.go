package e2e

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/emulator"
	zoomemu "github.com/lectiospace/lectern/internal/emulator/zoom"
)

// TestAssign: a private talk after a lesson is archived for its teacher alone under both
// access rules, and `syncer assign` moves it to a lesson, whose students see it within a
// second while the gateway goes on.
func TestAssign(t *testing.T) {
	t.Parallel()
	for _, rule := range []string{"strict", "platform"} {
		t.Run(rule, func(t *testing.T) {
			s := newZoomFixture(t, "", 1)
			s.env = append(s.env, "LECTERN_AUTH_ACCESS_RULE="+rule)
			at := s.start.Add(2*time.Hour + 30*time.Minute)
			s.zoom.AddMeeting(zoomemu.Meeting{Account: "acc", ID: 80000000000, UUID: "/talk//==", Host: "host", Topic: "A talk", Start: at, Minutes: 50, Files: []zoomemu.File{
				{ID: "file-talk", Type: "MP4", View: "shared_screen_with_speaker_view", Start: at, End: at.Add(50 * time.Minute), Content: emulator.Bytes(mp4(t, 2))}}})
			command(t, s.env, 0, "syncer", "reconcile")
			if n := s.number(t, `SELECT COUNT(*) FROM schedule_lessonrecording`); n != 0 {
				t.Fatalf("%d recordings at once", n)
			}
			seenADayAgo(t, s)
			if out, _ := command(t, s.env, 0, "syncer", "reconcile"); !strings.HasSuffix(out, `"total_synced":1}`+"\n") {
				t.Errorf("reconciled: %s", out)
			}
			g := serve(t, s.env...)
			teacher, student := token(t, "--user", "1"), token(t, "--user", "2")
			seen := func(path, bearer string, want int) string {
				t.Helper()
				res, body := get(t, g.url+"/schedule/api/"+path, bearer, "")
				if res.StatusCode != want {
					t.Errorf("%s: %s, want %d: %s", path, res.Status, want, body)
				}
				return string(body)
			}
			count := func(list string) int {
				var page struct{ Results []json.RawMessage }
				if err := json.Unmarshal([]byte(list), &page); err != nil {
					t.Fatalf("%v in %s", err, list)
				}
				return len(page.Results)
			}
			if list := seen("recordings/teacher/", teacher, http.StatusOK); count(list) != 1 || !strings.Contains(list, "A talk") {
				t.Errorf("the teacher's list: %s", list)
			}
			if detail := seen("recordings/1/", teacher, http.StatusOK); !strings.Contains(detail, "A talk") {
				t.Errorf("the teacher's detail: %s", detail)
			}
			seen("recordings/1/stream/", teacher, http.StatusOK)
			if list := seen("recordings/", student, http.StatusOK); count(list) != 0 {
				t.Errorf("the student's list: %s", list)
			}
			seen("recordings/1/stream/", student, http.StatusForbidden)
			seen("recordings/1/", student, http.StatusForbidden)

			if _, stderr := command(t, s.env, 1, "syncer", "assign", "nothing==", "1"); !strings.Contains(stderr, "nothing==") {
				t.Errorf("an unknown meeting: %s", stderr)
			}
			if _, stderr := command(t, s.env, 1, "syncer", "assign", "/talk//==", "9"); !strings.Contains(stderr, "no lesson 9") {
				t.Errorf("an unknown lesson: %s", stderr)
			}
			command(t, s.env, 2, "syncer", "assign", "/talk//==")
			if out, _ := command(t, s.env, 0, "syncer", "assign", "/talk//==", "1"); !strings.Contains(out, "recording 1 is the lesson's now") {
				t.Errorf("assigned: %s", out)
			}
			deadline := time.Now().Add(2 * time.Second) // one for the gateway, one for this machine
			waitFor(t, "the student sees it", func() bool {
				res, _ := get(t, g.url+"/schedule/api/recordings/1/stream/", student, "bytes=0-99")
				return res.StatusCode == http.StatusPartialContent
			})
			if late := time.Since(deadline); late > 0 {
				t.Errorf("%s late", late)
			}
			if list := seen("recordings/", student, http.StatusOK); count(list) != 1 {
				t.Errorf("the student's list: %s", list)
			}
			if _, stderr := command(t, s.env, 1, "syncer", "assign", "/talk//==", "1"); !strings.Contains(stderr, "already") {
				t.Errorf("assigned twice: %s", stderr)
			}
			if files := s.drive.Files(); len(files) != 1 {
				t.Errorf("%d files in the archive", len(files))
			}
		})
	}
}

// seenADayAgo makes all meetings ones that were first seen 24 hours ago.
func seenADayAgo(t *testing.T, s *zoomFixture) {
	t.Helper()
	db, err := sql.Open("sqlite", fmt.Sprintf("file:%s?_pragma=busy_timeout(5000)", filepath.Join(s.dir, "lectern.db")))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`UPDATE lectern_zoom_meetings SET first_seen_at = ?`, time.Now().Add(-24*time.Hour).UTC().Format(time.RFC3339)); err != nil {
		t.Fatal(err)
	}
}
