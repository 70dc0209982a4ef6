package library_test

import "testing"

// TestAPIMe: every role learns its own, by any base.
func TestAPIMe(t *testing.T) {
	s := onSQLite(t, nil)
	for path, want := range map[string]struct {
		user int64
		body string
	}{
		"/schedule/api/me/": {5, `{"id":5,"role":"student"}`},
		"/api/me":           {3, `{"id":3,"role":"teacher"}`},
		"/api/schedule/me/": {1, `{"id":1,"role":"admin"}`},
	} {
		if a := s.ask(want.user, "GET", path, ""); a.StatusCode != 200 || a.body != want.body {
			t.Errorf("%s: %d %s, want %s", path, a.StatusCode, a.body, want.body)
		}
	}
}
