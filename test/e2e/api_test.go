package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lectiospace/lectern/internal/pgtest"
)

const apiCatalog = `
people:
  - {id: 1, email: root@school.test, role: admin}
  - {id: 2, email: anna@school.test, role: teacher, first_name: Анна, last_name: Иванова}
  - {id: 3, email: boris@school.test, role: student, first_name: Борис}
  - {id: 4, email: vera@school.test, role: student}
groups:
  - {id: 1, name: 7А, teacher: anna@school.test, students: [boris@school.test]}
lessons:
  - {id: 1, title: Линейные уравнения, group: 7А, teacher: anna@school.test, start: "2026-03-02T10:00:00Z", end: "2026-03-02T11:00:00Z"}
  - {id: 2, title: Дроби, group: 7А, teacher: anna@school.test, start: "2026-03-01T10:00:00Z", end: "2026-03-01T11:00:00Z"}
recordings:
  - {id: 1, lesson: 1, status: ready, visibility: lesson_group, provider: local, key: a.mp4, size: 1000, duration: 60, allowed_groups: [7А]}
  - {id: 2, lesson: 2, status: ready, visibility: lesson_group, provider: local, key: a.mp4, size: 1000, duration: 60, allowed_groups: [7А]}
`

// TestRecordingsAPI asks the real gateway as a frontend does.
func TestRecordingsAPI(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(t *testing.T) (url string, stop func()){
		"sqlite": func(t *testing.T) (string, func()) {
			return "sqlite://" + filepath.Join(t.TempDir(), "lectern.db"), nil
		},
		"postgres": func(t *testing.T) (string, func()) {
			server := pgtest.StartServer(t)
			return server.Database(t), func() { server.Stop(t) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			database, stop := open(t)
			dir := t.TempDir()
			env := []string{"LECTERN_DATA_DIR=" + dir, "LECTERN_DATABASE_URL=" + database, "LECTERN_CACHE_MIN_FREE=0", "LECTERN_AUTH_JWT_SECRET=" + secret,
				"LECTERN_PUBLIC_URL=https://lms.school.test"}
			if err := os.MkdirAll(filepath.Join(dir, "recordings"), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "recordings", "a.mp4"), make([]byte, 1000), 0o644); err != nil {
				t.Fatal(err)
			}
			school := filepath.Join(dir, "catalog.yaml")
			if err := os.WriteFile(school, []byte(apiCatalog), 0o644); err != nil {
				t.Fatal(err)
			}
			command(t, env, 0, "gateway", "migrate", "up", "--yes")
			command(t, env, 0, "gateway", "catalog", "apply", school)
			g := serve(t, env...)
			admin, anna, boris, vera := token(t, "--user", "1"), token(t, "--user", "2"), token(t, "--user", "3"), token(t, "--user", "4")
			ask := func(bearer, method, path, body string, status int, contains ...string) string {
				t.Helper()
				req, err := http.NewRequestWithContext(t.Context(), method, g.url+"/schedule/api/"+path, strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set("Authorization", "Bearer "+bearer)
				req.Header.Set("Content-Type", "application/json")
				res, err := http.DefaultClient.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				text, err := io.ReadAll(res.Body)
				if err != nil {
					t.Fatal(err)
				}
				if res.StatusCode != status || !json.Valid(text) {
					t.Errorf("%s %s: %d %s, want %d", method, path, res.StatusCode, text, status)
				}
				for _, want := range contains {
					if !strings.Contains(string(text), want) {
						t.Errorf("%s %s: %s lacks %s", method, path, text, want)
					}
				}
				return string(text)
			}

			ask(boris, "GET", "recordings/", "", 200, `"count":2`, `"subject":"Линейные уравнения"`, `"streaming_url":"https://lms.school.test/schedule/api/recordings/1/stream/"`, `"name":"Анна Иванова"`)
			ask(boris, "GET", "recordings/?search=%D0%94%D0%A0%D0%9E%D0%91%D0%98", "", 200, `"count":1`, `"id":2,`)
			ask(vera, "GET", "recordings/", "", 200, `"count":0`)
			ask(vera, "GET", "recordings/1/", "", 403, "У вас нет доступа к этой записи")
			ask(anna, "GET", "recordings/teacher/", "", 200, `"count":2`, `"access_students":[]`)
			ask(boris, "GET", "lessons/1/recording/", "", 200, `{"id":1,`)
			ask(anna, "PATCH", "recordings/1/", `{"title":"Уравнения <1>"}`, 200, `"title":"Уравнения <1>"`)
			ask(boris, "GET", "recordings/1/", "", 200, `"title":"Уравнения <1>"`)
			ask(boris, "POST", "recordings/1/view/", "", 200, `{"success":true,"views_count":1}`)
			ask(anna, "GET", "storage/quota/", "", 200, `"total_gb":5.0`, `"teacher":2`)
			ask(admin, "GET", "storage/quotas/", "", 200, `"count":1`)
			ask(admin, "POST", "storage/quotas/1/increase/", `{"additional_gb":1.5}`, 200, `"total_gb":6.5`)

			// What is removed is gone for those who watch, at once, and can come back.
			stream := func() int {
				res, _ := get(t, g.url+"/schedule/api/recordings/1/stream/", boris, "bytes=0-9")
				return res.StatusCode
			}
			if got := stream(); got != http.StatusPartialContent {
				t.Fatalf("before: %d", got)
			}
			ask(anna, "DELETE", "recordings/1/", `{"reason":"по ошибке"}`, 200, `"recording_id":"1"`)
			if got := stream(); got != http.StatusNotFound {
				t.Errorf("removed: %d", got)
			}
			ask(boris, "GET", "recordings/1/", "", 404)
			ask(anna, "POST", "recordings/1/restore/", "", 200, `"status":"ready"`)
			if got := stream(); got != http.StatusPartialContent {
				t.Errorf("restored: %d", got)
			}
			ask(anna, "POST", "recordings/1/resync/", "", 400, "Запись не связана с Zoom уроком")

			if stop != nil {
				stop()
				ask(boris, "GET", "recordings/", "", 503, `"code":"catalog_unavailable"`)
				ask(anna, "DELETE", "recordings/2/", "", 503, `"code":"catalog_unavailable"`)
			}
			if text := g.stderr.String(); strings.Contains(text, boris) || strings.Contains(text, anna) {
				t.Error("a token is in the log")
			}
		})
	}
}
