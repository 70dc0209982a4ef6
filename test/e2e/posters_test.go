package e2e

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/lectiospace/lectern/internal/demo/lessons"
)

// servePosters adds the demo's posters to a student's list, and answers requests for those
// that have the user's session or token.
func servePosters(t *testing.T, s *interceptedGateway) func(http.ResponseWriter, *http.Request) bool {
	t.Helper()
	posters := map[string][]byte{}
	for _, c := range lessons.Companions() {
		if c.Kind != "poster" {
			continue
		}
		data, err := fs.ReadFile(lessons.Media(), c.File)
		if err != nil {
			t.Fatal(err)
		}
		posters[fmt.Sprintf("/api/recordings/%d/poster.jpg", c.Recording)] = data
	}
	return func(w http.ResponseWriter, r *http.Request) bool {
		if data, ok := posters[r.URL.Path]; ok {
			_, err := r.Cookie("lectern_session")
			if err != nil && !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ") {
				w.WriteHeader(http.StatusUnauthorized)
				return true
			}
			w.Header().Set("Content-Type", "image/jpeg")
			_, _ = w.Write(data)
			return true
		}
		if r.URL.Path != "/api/recordings/" {
			return false
		}
		answer := httptest.NewRecorder()
		s.forward.ServeHTTP(answer, r)
		var page struct {
			Count    int              `json:"count"`
			Next     *string          `json:"next"`
			Previous *string          `json:"previous"`
			Results  []map[string]any `json:"results"`
		}
		if err := json.Unmarshal(answer.Body.Bytes(), &page); err != nil {
			t.Errorf("%s: %v", answer.Body, err)
		}
		for _, row := range page.Results {
			path := fmt.Sprintf("/api/recordings/%v/poster.jpg", row["id"])
			if _, ok := posters[path]; ok {
				row["thumbnail_url"] = s.url + path
			}
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(page)
		return true
	}
}
