package library_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/catalog/catalogtest"
	"github.com/lectiospace/lectern/internal/proxy"
)

// onSQLite opens a school in the quickest home.
func onSQLite(t *testing.T, change func(*proxy.Config)) *school {
	return openSchool(t, catalogtest.Databases[0].Open(t), change)
}

// TestAPIAuthentication: what is no platform's token in the header opens nothing, in
// the platform's words to the letter.
func TestAPIAuthentication(t *testing.T) {
	s := onSQLite(t, nil)
	playback, err := s.minter.Playback(5, 6, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	old, err := s.minterAt(func() time.Time { return catalogtest.DemoNow.Add(-3 * time.Hour) }).Access(5, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	anonymous := s.signed256(`{"token_type":"access","exp":4102444800,"iat":1500000000,"jti":"0123456789abcdef0123456789abcdef"}`)
	const (
		nobody  = `{"detail":"Authentication credentials were not provided."}`
		invalid = `{"detail":"Given token not valid for any token type","code":"token_not_valid","messages":[{"token_class":"AccessToken","token_type":"access","message":"%s"}]}`
	)
	for _, route := range []struct{ method, path string }{
		{"GET", "/schedule/api/recordings/"}, {"GET", "/api/recordings/teacher/"}, {"GET", "/api/schedule/recordings/progress/"}, {"GET", "/schedule/api/recordings/6/"},
		{"PATCH", "/schedule/api/recordings/6/"}, {"DELETE", "/schedule/api/recordings/6/"}, {"DELETE", "/schedule/api/recordings/6/delete/"},
		{"POST", "/schedule/api/recordings/6/restore/"}, {"POST", "/schedule/api/recordings/6/view/"}, {"POST", "/schedule/api/recordings/6/resync/"},
		{"GET", "/schedule/api/lessons/1/recording/"}, {"GET", "/schedule/api/storage/quota/"}, {"GET", "/schedule/api/storage/quotas/"},
		{"GET", "/schedule/api/storage/quotas/1/"}, {"POST", "/schedule/api/storage/quotas/1/increase/"}, {"GET", "/schedule/api/storage/statistics/"},
	} {
		for _, c := range []struct{ header, query, want string }{
			{"", "", nobody},
			{"", "?token=" + s.token(5), nobody},
			{"Cookie: lectern_playback=" + playback, "", nobody},
			{"Authorization: Basic abc", "", nobody},
			{"Authorization: Bearer", "", `{"detail":"Authorization header must contain two space-delimited values","code":"bad_authorization_header"}`},
			{"Authorization: Bearer a b", "", `{"detail":"Authorization header must contain two space-delimited values","code":"bad_authorization_header"}`},
			{"Authorization: Bearer nonsense", "", fmt.Sprintf(invalid, "Token is invalid")},
			{"Authorization: Bearer " + old, "", fmt.Sprintf(invalid, "Token is expired")},
			{"Authorization: Bearer " + playback, "", fmt.Sprintf(invalid, "Token has wrong type")},
			{"Authorization: Bearer " + s.token(14), "", `{"detail":"User is inactive","code":"user_inactive"}`},
			{"Authorization: Bearer " + anonymous, "", `{"detail":"Token contained no recognizable user identification","code":"token_not_valid"}`},
			{"Authorization: Bearer " + s.token(999), "", `{"detail":"User not found","code":"user_not_found"}`},
		} {
			var headers []string
			if c.header != "" {
				headers = append(headers, c.header)
			}
			a := s.ask(0, route.method, route.path+c.query, "", headers...)
			if a.StatusCode != 401 || a.body != c.want || a.Header.Get("WWW-Authenticate") != `Bearer realm="api"` {
				t.Errorf("%s %s, %.30q: %d %s %q", route.method, route.path, c.header, a.StatusCode, a.body, a.Header.Get("WWW-Authenticate"))
			}
		}
	}
}

func TestAPIMethodsAndBodies(t *testing.T) {
	s := onSQLite(t, func(c *proxy.Config) { c.CORS.Origins = []string{"https://lms.example"} })
	for path, allow := range map[string]string{
		"recordings/": "GET, HEAD, OPTIONS", "recordings/teacher/": "GET, HEAD, OPTIONS", "recordings/6/": "GET, HEAD, PATCH, DELETE, OPTIONS",
		"recordings/6/view/": "POST, OPTIONS", "storage/quotas/1/increase/": "POST, OPTIONS",
	} {
		a := s.ask(3, "PUT", "/schedule/api/"+path, "")
		if a.StatusCode != 405 || a.body != `{"detail":"Method \"PUT\" not allowed."}` || a.Header.Get("Allow") != allow {
			t.Errorf("%s: %d %s %q", path, a.StatusCode, a.body, a.Header.Get("Allow"))
		}
		a = s.ask(0, "OPTIONS", "/api/"+path, "", "Origin: https://lms.example", "Access-Control-Request-Method: PATCH", "Access-Control-Request-Headers: authorization,content-type")
		if h := a.Header; a.StatusCode != 204 || h.Get("Access-Control-Allow-Origin") != "https://lms.example" || !strings.Contains(h.Get("Access-Control-Allow-Methods"), "PATCH") ||
			!strings.Contains(h.Get("Access-Control-Allow-Methods"), "DELETE") || !strings.Contains(h.Get("Access-Control-Allow-Headers"), "Authorization") ||
			!strings.Contains(h.Get("Access-Control-Allow-Headers"), "Content-Type") {
			t.Errorf("%s: %d %v", path, a.StatusCode, a.Header)
		}
	}
	whole := s.ask(3, "GET", "/schedule/api/recordings/6/", "")
	head := s.ask(3, "HEAD", "/schedule/api/recordings/6/", "")
	if head.StatusCode != 200 || head.body != "" || head.ContentLength != int64(len(whole.body)) {
		t.Errorf("HEAD: %d, %d bytes of %d", head.StatusCode, head.ContentLength, len(whole.body))
	}
	for _, c := range []struct {
		kind, body string
		status     int
		want       string
	}{
		{"text/plain", `{"title":"a"}`, 415, `{"detail":"Unsupported media type \"text/plain\" in request."}`},
		{"application/json; charset=utf-8", `{"title":"a"}`, 200, `{"id":6,"title":"a","message":"Название успешно обновлено"}`},
		{"application/json", `{"title":`, 400, `{"detail":"JSON parse error - an object is expected"}`},
		{"application/json", `null`, 400, `{"detail":"JSON parse error - an object is expected"}`},
	} {
		a := s.ask(3, "PATCH", "/schedule/api/recordings/6/", c.body, "Content-Type: "+c.kind)
		if a.StatusCode != c.status || a.body != c.want {
			t.Errorf("%s %s: %d %s", c.kind, c.body, a.StatusCode, a.body)
		}
	}
	if a := s.ask(3, "GET", "/schedule/api/recordings/0/", ""); a.StatusCode != 404 {
		t.Errorf("id 0: %d", a.StatusCode)
	}
}

// TestAPIPages walks a list of more than one page by its links, forth and back.
func TestAPIPages(t *testing.T) {
	s := onSQLite(t, func(c *proxy.Config) { c.PublicURL = "" })
	type page struct {
		Count          int
		Next, Previous *string
		Results        []struct{ ID int64 }
	}
	read := func(path string) (p page) {
		t.Helper()
		a := s.ask(3, "GET", path, "")
		if err := json.Unmarshal([]byte(a.body), &p); a.StatusCode != 200 || err != nil {
			t.Fatalf("%s: %d %s", path, a.StatusCode, a.body)
		}
		return p
	}
	first := read("/schedule/api/recordings/teacher/?search=&group_id=&status=ready&x=%D1%8F+b")
	if first.Count != 21 || len(first.Results) != 20 || first.Previous != nil || first.Next == nil {
		t.Fatalf("%+v", first)
	}
	if want := s.url + "/schedule/api/recordings/teacher/?group_id=&page=2&search=&status=ready&x=%D1%8F+b"; *first.Next != want {
		t.Errorf("next is %s, want %s", *first.Next, want)
	}
	second := read(strings.TrimPrefix(*first.Next, s.url))
	last := read("/schedule/api/recordings/teacher/?page=last&status=ready")
	if len(second.Results) != 1 || second.Count != 21 || second.Next != nil || last.Results[0] != second.Results[0] {
		t.Errorf("%+v, %+v", second, last)
	}
	if want := s.url + "/schedule/api/recordings/teacher/?group_id=&search=&status=ready&x=%D1%8F+b"; *second.Previous != want {
		t.Errorf("previous is %s, want %s", *second.Previous, want)
	}
	// Behind a proxy that says so, links are what people see.
	a := s.ask(3, "GET", "/api/recordings/teacher/", "", "X-Forwarded-Proto: https", "Host: ignored")
	if !strings.Contains(a.body, `"next":"https://127.0.0.1:`) {
		t.Errorf("%.200s", a.body)
	}
}

// TestAPISubscription: beside the platform, changes need an active subscription.
func TestAPISubscription(t *testing.T) {
	db := catalogtest.Databases[2].Open(t)
	s := openSchool(t, db, nil)
	const want = `{"detail":"Подписка истекла. Продлите подписку чтобы продолжить."}`
	change := func() answer { return s.ask(3, "PATCH", "/schedule/api/recordings/6/", `{"title":"a"}`) }
	if a := change(); a.StatusCode != 200 {
		t.Fatalf("active: %d %s", a.StatusCode, a.body)
	}
	db.Exec(t, `UPDATE public.accounts_subscription SET status = 'cancelled' WHERE user_id = 3`)
	for _, r := range []struct{ method, path string }{{"PATCH", "recordings/6/"}, {"PATCH", "recordings/999/"}, {"DELETE", "recordings/6/"}, {"POST", "recordings/6/restore/"}} {
		if a := s.ask(3, r.method, "/schedule/api/"+r.path, ""); a.StatusCode != 403 || a.body != want {
			t.Errorf("cancelled, %s %s: %d %s", r.method, r.path, a.StatusCode, a.body)
		}
	}
	if a := s.ask(3, "GET", "/schedule/api/recordings/teacher/", ""); a.StatusCode != 200 {
		t.Errorf("looking: %d", a.StatusCode)
	}
	db.Exec(t, `UPDATE public.accounts_subscription SET zoom_addon_expires_at = '2026-12-01' WHERE user_id = 3`)
	if a := change(); a.StatusCode != 200 {
		t.Errorf("the addon: %d %s", a.StatusCode, a.body)
	}
	db.Exec(t, `UPDATE public.accounts_subscription SET status = 'active', zoom_addon_expires_at = NULL, expires_at = '2026-11-01' WHERE user_id = 3`)
	if a := change(); a.StatusCode != 403 || a.body != want {
		t.Errorf("over: %d %s", a.StatusCode, a.body)
	}
}

// TestAPIWithoutItsDatabase: who is known is told to come again, not that something
// is missing.
func TestAPIWithoutItsDatabase(t *testing.T) {
	s := onSQLite(t, nil)
	for _, user := range []int64{1, 3, 5} {
		s.ask(user, "GET", "/schedule/api/recordings/", "") // now the gateway knows them
	}
	s.db.Exec(t, `ALTER TABLE schedule_lessonrecording RENAME TO away`)
	s.db.Exec(t, `ALTER TABLE schedule_teacherstoragequota RENAME TO away_too`)
	for _, r := range []struct {
		user         int64
		method, path string
	}{
		{5, "GET", "recordings/"}, {3, "GET", "recordings/teacher/"}, {3, "GET", "recordings/progress/"}, {3, "GET", "recordings/6/"}, {3, "DELETE", "recordings/6/"},
		{3, "PATCH", "recordings/6/"}, {3, "POST", "recordings/6/restore/"}, {3, "POST", "recordings/6/resync/"}, {3, "POST", "recordings/6/view/"}, {3, "GET", "lessons/1/recording/"},
		{1, "GET", "storage/quotas/"}, {1, "GET", "storage/quotas/1/"}, {1, "GET", "storage/statistics/"}, {3, "GET", "storage/quota/"},
	} {
		a := s.ask(r.user, r.method, "/schedule/api/"+r.path, "")
		if a.StatusCode != 503 || a.body != `{"detail":"The catalog cannot be reached, please try again.","code":"catalog_unavailable"}` || a.Header.Get("Retry-After") != "5" {
			t.Errorf("%s %s: %d %s %v", r.method, r.path, a.StatusCode, a.body, a.Header)
		}
	}
}

// TestCaptionsRoute: a user who may play may read, with what a <track> can send.
func TestCaptionsRoute(t *testing.T) {
	s := onSQLite(t, nil)
	const text = "WEBVTT\n\n00:00.000 --> 00:01.000\nЗдравствуйте <b>&</b>\n"
	s.db.Exec(t, `INSERT INTO lectern.lectern_captions (recording_id, lang, label, body, updated_at) VALUES (6, 'und', 'Transcript', $1, '2026-11-23T10:00:00Z'), (22, 'und', 'Transcript', $1, '2026-11-23T10:00:00Z')`, text)
	grant := func(user, recording int64) string {
		token, err := s.minter.Playback(user, recording, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	for _, c := range []struct {
		what   string
		user   int64
		path   string
		header string
		status int
		code   string
	}{
		{"bearer", 5, "recordings/6/captions/und.vtt", "", 200, ""},
		{"the owner", 3, "recordings/22/captions/und.vtt", "", 200, ""},
		{"a playback token in the query", 0, "recordings/6/captions/und.vtt?token=" + grant(5, 6), "", 200, ""},
		{"the cookie", 0, "recordings/6/captions/und.vtt", "Cookie: lectern_playback=" + grant(5, 6), 200, ""},
		{"a leftover before the cookie", 0, "recordings/6/captions/und.vtt", "Cookie: lectern_playback=; lectern_playback=stale; lectern_playback=" + grant(5, 7) + "; lectern_playback=" + grant(5, 6), 200, ""},
		{"another recording's token", 0, "recordings/6/captions/und.vtt?token=" + grant(5, 7), "", 403, "wrong_recording"},
		{"nobody", 0, "recordings/6/captions/und.vtt", "", 401, "not_authenticated"},
		{"somebody else", 9, "recordings/6/captions/und.vtt", "", 403, "no_access"},
		{"expired", 5, "recordings/22/captions/und.vtt", "", 410, "expired"},
		{"no such recording", 5, "recordings/999/captions/und.vtt", "", 404, "not_found"},
		{"no such language", 5, "recordings/6/captions/ru.vtt", "", 404, "not_found"},
		{"none at all", 5, "recordings/7/captions/und.vtt", "", 404, "not_found"},
		{"no language", 5, "recordings/6/captions/%2e%2e.vtt", "", 404, "not_found"},
		{"deeper", 5, "recordings/6/captions/a/b.vtt", "", 404, "not_found"},
		{"another ending", 5, "recordings/6/captions/und.srt", "", 404, "not_found"},
	} {
		var headers []string
		if c.header != "" {
			headers = append(headers, c.header)
		}
		for _, base := range []string{"/schedule/api/", "/api/"} {
			a := s.ask(c.user, "GET", base+c.path, "", headers...)
			if a.StatusCode != c.status || c.status != 200 && !strings.Contains(a.body, `"code":"`+c.code+`"`) {
				t.Errorf("%s: %d %s", c.what, a.StatusCode, a.body)
			}
			if c.status == 200 && (a.body != text || a.Header.Get("Content-Type") != "text/vtt; charset=utf-8" || a.Header.Get("Cache-Control") != "private, no-cache" || a.Header.Get("Vary") != "Authorization, Cookie") {
				t.Errorf("%s: %q %v", c.what, a.body, a.Header)
			}
		}
	}
	if a := s.ask(5, "HEAD", "/api/recordings/6/captions/und.vtt", ""); a.StatusCode != 200 || a.body != "" || a.ContentLength != int64(len(text)) {
		t.Errorf("HEAD: %d %d", a.StatusCode, a.ContentLength)
	}
}
