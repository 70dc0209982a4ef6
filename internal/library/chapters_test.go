package library_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/catalog/catalogtest"
)

// TestChapters: Zoom's chapters count until a teacher writes others, who may write which, and
// what they are as WebVTT.
func TestChapters(t *testing.T) {
	for _, d := range catalogtest.Databases {
		t.Run(d.Name, func(t *testing.T) {
			s := openSchool(t, d.Open(t), nil)
			s.db.Exec(t, `INSERT INTO lectern.lectern_chapters (recording_id, edited, start_ms, title) VALUES (6, $1, 90500, 'Zoom <2>'), (6, $1, 0, 'Zoom 1')`, false)
			s.db.Exec(t, `UPDATE public.schedule_lessonrecording SET duration = 3600 WHERE id = 6`)
			const path, track = "/schedule/api/recordings/6/chapters/", "/schedule/api/recordings/6/chapters.vtt"
			grant, err := s.minter.Playback(5, 6, time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			of := func(n int, title string) string {
				var items []string
				for i := range n {
					items = append(items, fmt.Sprintf(`{"start": %d, "title": %q}`, i, title))
				}
				return "[" + strings.Join(items, ",") + "]"
			}
			const zooms, mine = `[{"start":0,"title":"Zoom 1"},{"start":90.5,"title":"Zoom <2>"}]`, `[{"start":1.5,"title":"Моя"}]`
			for _, c := range []struct {
				who                string
				user               int64
				method, path, body string
				status             int
				want               string
			}{
				{"a student", 5, "GET", path, "", 200, zooms},
				{"a student", 5, "GET", track, "", 200, "WEBVTT\n\n00:00:00.000 --> 00:01:30.500\nZoom 1\n\n00:01:30.500 --> 01:00:00.000\nZoom &lt;2&gt;\n"},
				{"a player's token", 0, "GET", track + "?token=" + grant, "", 200, "Zoom 1"},
				{"somebody else", 9, "GET", path, "", 403, `"no_access"`},
				{"nobody", 0, "GET", path, "", 401, `"not_authenticated"`},
				{"nobody", 0, "GET", track, "", 401, `"not_authenticated"`},
				{"a recording without", 5, "GET", "/schedule/api/recordings/7/chapters/", "", 200, `[]`},
				{"a student", 5, "PUT", path, `[]`, 403, `"no_access"`},
				{"another teacher", 4, "PUT", path, `[]`, 403, `"no_access"`},
				{"another teacher's mistake", 4, "PUT", path, `[{"start": 3600, "title": "a"}]`, 403, `"no_access"`},
				{"a player's token", 0, "PUT", path + "?token=" + grant, `[]`, 401, `not provided`},
				{"the owner", 3, "PUT", path, `{}`, 400, `Ожидается список`},
				{"the owner", 3, "PUT", path, `null`, 400, `Ожидается список`},
				{"the owner", 3, "PUT", path, `[] []`, 400, `После списка`},
				{"the owner", 3, "PUT", path, `[{"start": 0}]`, 400, `Глава 1: нужны`},
				{"the owner", 3, "PUT", path, `[{"start": 0, "title": " "}]`, 400, `Глава 1: название`},
				{"the owner", 3, "PUT", path, of(1, strings.Repeat("я", 201)), 400, `Глава 1: название`},
				{"the owner", 3, "PUT", path, `[{"start": -1, "title": "a"}]`, 400, `Глава 1: начало`},
				{"the owner", 3, "PUT", path, `[{"start": 3600, "title": "a"}]`, 400, `Глава 1: начало`},
				{"the owner", 3, "PUT", path, `[{"start": 1, "title": "a"}, {"start": 1, "title": "b"}]`, 400, `Глава 2: начинается`},
				{"the owner", 3, "PUT", path, of(201, "a"), 400, `Глав больше 200`},
				{"the owner", 3, "PUT", path, of(200, strings.Repeat("я", 200)), 200, `"start":199,`},
				{"the owner", 3, "PUT", path, `[{"start": 1.5, "title": "Моя"}]`, 200, mine},
				{"a student", 5, "GET", path, "", 200, mine},
				{"an admin", 1, "PUT", path, `[]`, 200, zooms},
				{"nothing", 1, "PUT", "/schedule/api/recordings/999/chapters/", `[]`, 404, ``},
			} {
				a := s.ask(c.user, c.method, c.path, c.body)
				if a.StatusCode != c.status || !strings.Contains(a.body, c.want) {
					t.Errorf("%s: %s %s %.60s: %d %.200s\nwant %d %s", c.who, c.method, c.path, c.body, a.StatusCode, a.body, c.status, c.want)
				}
			}
		})
	}
}
