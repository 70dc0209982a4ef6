package library_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/catalog/catalogtest"
)

// addCompanions gives recording 6, of teacher 3, companions: ids 1 to 8.
func addCompanions(t *testing.T, db *catalogtest.DB) {
	t.Helper()
	for i, c := range []struct {
		recording         int64
		kind, label, lang string
		verified, removed any
	}{
		{6, "transcript", "Transcript", "und", catalogtest.DemoNow.Format("2006-01-02T15:04:05Z"), nil},
		{6, "chat", "Chat", "", catalogtest.DemoNow.Format("2006-01-02T15:04:05Z"), nil},
		{6, "chat", "Chat", "", catalogtest.DemoNow.Format("2006-01-02T15:04:05Z"), nil},
		{6, "other", "Whiteboard", "", catalogtest.DemoNow.Format("2006-01-02T15:04:05Z"), nil},
		{6, "view", "Gallery view", "", nil, nil}, // being uploaded
		{6, "view", "Gallery view", "", catalogtest.DemoNow.Format("2006-01-02T15:04:05Z"), catalogtest.DemoNow.Format("2006-01-02T15:04:05Z")},
		{6, "part", "", "", catalogtest.DemoNow.Format("2006-01-02T15:04:05Z"), nil},
		{7, "audio", "Sound", "", catalogtest.DemoNow.Format("2006-01-02T15:04:05Z"), nil},
	} {
		db.Exec(t, `INSERT INTO lectern.lectern_recording_files (id, recording_id, kind, position, label, lang, content_type, provider, archive_key, size, created_at, verified_at, removed_at)
			VALUES ($1, $2, $3, $1, $4, $5, 'text/plain; charset=utf-8', 'local', $6, 10, '2026-11-20T10:00:00Z', $7, $8)`,
			int64(i+1), c.recording, c.kind, c.label, c.lang, fmt.Sprintf("companion-%d.txt", i+1), c.verified, c.removed)
	}
}

// TestCompanions: who sees which companions, who shows them to students, and what is
// answered to everybody else.
func TestCompanions(t *testing.T) {
	for _, d := range catalogtest.Databases {
		t.Run(d.Name, func(t *testing.T) {
			s := openSchool(t, d.Open(t), nil)
			addCompanions(t, s.db)
			s.db.Exec(t, `INSERT INTO lectern.lectern_recording_files (id, recording_id, kind, label, content_type, provider, archive_key, size, created_at, verified_at, derivation, name)
				VALUES (9, 7, 'poster', 'Poster', 'image/jpeg', 'local', 'poster.jpg', 10, '2026-11-20T10:00:00Z', '2026-11-20T10:00:00Z', 'poster', 'poster.jpg'),
				       (10, 8, 'poster', 'Thumbnail', 'image/jpeg', 'local', 'thumbnail.jpg', 10, '2026-11-20T10:00:00Z', '2026-11-20T10:00:00Z', '', 'poster.jpg')`) // Zoom's, not made
			const list = "/schedule/api/recordings/6/companions/"
			grant, err := s.minter.Playback(5, 6, time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			stream := func(id string) string { return list + id + "/stream/" }
			for _, c := range []struct {
				who                string
				user               int64
				method, path, body string
				cookie             string
				status             int
				want               string // a part of the body
			}{
				{"a student", 5, "GET", list, "", "", 200, `[{"id":1,"kind":"transcript","label":"Transcript","lang":"und","content_type":"text/plain; charset=utf-8","size":10,"url":"` + publicURL + stream("1") + `"}]`},
				{"the cookie of a player", 0, "GET", list, "", "lectern_playback=" + grant, 200, `[{"id":1,`},
				{"the owner", 3, "GET", list, "", "", 200, `[{"id":2,"kind":"chat","label":"Chat 1",`},
				{"an admin", 1, "GET", list, "", "", 200, `"label":"Whiteboard","lang":"","content_type":"text/plain; charset=utf-8","size":10,"url":"` + publicURL + stream("4") + `","shared":false}`},
				{"somebody else", 9, "GET", list, "", "", 403, `"no_access"`},
				{"nobody", 0, "GET", list, "", "", 401, `"not_authenticated"`},
				{"a student", 5, "GET", stream("2"), "", "", 403, `"no_access"`},
				{"the cookie of a player", 0, "GET", stream("2"), "", "lectern_playback=" + grant, 403, `"no_access"`},
				{"the cookie of a player", 0, "GET", stream("1"), "", "lectern_playback=" + grant, 404, `"no_media"`}, // this origin has nothing
				{"the owner", 3, "GET", stream("2"), "", "", 404, `"no_media"`},
				{"an upload", 3, "GET", stream("5"), "", "", 404, `"not_found"`},
				{"a replaced one", 3, "GET", stream("6"), "", "", 404, `"not_found"`},
				{"an admin", 1, "GET", "/schedule/api/recordings/7/", "", "", 200, `"thumbnail_url":"` + publicURL + `/schedule/api/recordings/7/poster.jpg"`},
				{"an admin", 1, "GET", "/schedule/api/recordings/6/", "", "", 200, `"thumbnail_url":""`},
				{"an admin", 1, "GET", "/schedule/api/recordings/8/", "", "", 200, `"thumbnail_url":""`}, // its poster is not one that was made
				{"the poster of one", 1, "GET", "/api/recordings/7/poster.jpg", "", "", 404, `"no_media"`},
				{"the poster of another", 1, "GET", "/api/recordings/6/poster.jpg", "", "", 404, `"not_found"`},
				{"a part", 3, "GET", stream("7"), "", "", 404, `"not_found"`},
				{"another recording's", 3, "GET", stream("8"), "", "", 404, `"not_found"`},
				{"a student", 5, "PATCH", list + "2/", `{"shared": true}`, "", 403, `"no_access"`},
				{"another teacher", 4, "PATCH", list + "2/", `{"shared": true}`, "", 403, `"no_access"`},
				{"the cookie of a player", 0, "PATCH", list + "2/", `{"shared": true}`, "lectern_playback=" + grant, 401, `not provided`},
				{"the owner", 3, "PATCH", list + "2/", `{"shared": 1}`, "", 400, `shared`},
				{"the owner", 3, "PATCH", list + "2/", `{}`, "", 400, `shared`},
				{"the owner", 3, "PATCH", list + "8/", `{"shared": true}`, "", 404, ``},
				{"the owner", 3, "PATCH", list + "5/", `{"shared": true}`, "", 404, ``},
				{"the owner", 3, "PATCH", list + "2/", `{"shared": true}`, "", 200, `{"id":2,"kind":"chat","label":"Chat","lang":"","content_type":"text/plain; charset=utf-8","size":10,"url":"` + publicURL + stream("2") + `","shared":true}`},
				{"a student then", 5, "GET", list, "", "", 200, `[{"id":2,"kind":"chat","label":"Chat 1",`},
				{"a student then", 5, "GET", stream("2"), "", "", 404, `"no_media"`},
				{"an admin", 1, "PATCH", list + "2/", `{"shared": false}`, "", 200, `"shared":false`},
				{"a student then", 5, "GET", stream("2"), "", "", 403, `"no_access"`},
			} {
				var headers []string
				if c.cookie != "" {
					headers = append(headers, "Cookie: "+c.cookie)
				}
				a := s.ask(c.user, c.method, c.path, c.body, headers...)
				if a.StatusCode != c.status || !strings.Contains(a.body, c.want) {
					t.Errorf("%s: %s %s %s: %d %s\nwant %d %s", c.who, c.method, c.path, c.body, a.StatusCode, a.body, c.status, c.want)
				}
			}
		})
	}
}
