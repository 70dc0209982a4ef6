package library_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/lectiospace/lectern/internal/catalog/catalogtest"
	"github.com/lectiospace/lectern/internal/proxy/api"
)

func TestWatchStateAPI(t *testing.T) {
	catalogtest.Each(t, func(t *testing.T, db *catalogtest.DB) {
		db.Exec(t, `UPDATE public.schedule_lessonrecording SET duration = 100 WHERE id = 6`)
		s := openSchool(t, db, nil)
		const path = "/api/recordings/6/watch-state/"
		want := func(body string) {
			t.Helper()
			if got := s.ask(5, "GET", path, ""); got.StatusCode != 200 || got.body != body {
				t.Errorf("%d %s, want %s", got.StatusCode, got.body, body)
			}
		}
		want(`{"position":0,"duration":100,"watched":0,"updated_at":null}`)
		put := s.ask(5, "PUT", path, `{"position":34.2,"played":[[20,34.2]]}`)
		if put.StatusCode != 204 || put.body != "" {
			t.Fatalf("%d %s", put.StatusCode, put.body)
		}
		const after = `{"position":34.2,"duration":100,"watched":0.1,"updated_at":"2026-11-23T10:30:00Z"}`
		want(after)
		// By a session, without pieces, behind the end.
		cookie := "Cookie: " + s.signIn(5)
		if got := outcomeOf(s.ask(0, "PUT", path, `{"position":105}`, cookie)); got != "403 csrf" {
			t.Errorf("without a page of ours: %s", got)
		}
		if got := outcomeOf(s.ask(0, "PUT", path, `{"position":105}`, cookie, fromOurPage)); got != "204" {
			t.Errorf("by a session: %s", got)
		}
		want(`{"position":100,"duration":100,"watched":0.1,"updated_at":"2026-11-23T10:30:00Z"}`)
		if err := s.states.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		want(`{"position":100,"duration":100,"watched":0.1,"updated_at":"2026-11-23T10:30:00Z"}`)

		db.Exec(t, `UPDATE public.schedule_lessonrecording SET duration = NULL WHERE id = 23`)
		var states map[string]json.RawMessage
		got := s.ask(5, "GET", "/schedule/api/watch-states/?ids=6,23,1000,10,6", "")
		if err := json.Unmarshal([]byte(got.body), &states); err != nil || len(states) != 2 || !strings.Contains(string(states["6"]), `"position":100`) ||
			string(states["23"]) != `{"position":0,"duration":0,"watched":null,"updated_at":null}` {
			t.Errorf("%d %s", got.StatusCode, got.body)
		}
		s.api.Analytics = api.AnalyticsOff
		want(`{"position":0,"duration":100,"watched":0,"updated_at":null}`)
		if got := outcomeOf(s.ask(5, "PUT", path, `{"position":1}`)); got != "204" {
			t.Errorf("PUT without analytics: %s", got)
		}
		s.api.Analytics = api.AnalyticsOwn
		want(`{"position":100,"duration":100,"watched":0.1,"updated_at":"2026-11-23T10:30:00Z"}`)
	})
}

func TestWatchStateRefusals(t *testing.T) {
	s := onSQLite(t, nil)
	s.db.Exec(t, `UPDATE public.schedule_lessonrecording SET duration = 100 WHERE id = 6`)
	many := strings.TrimSuffix(strings.Repeat("[1,2],", 201), ",")
	for body, want := range map[string]string{
		`{"position":1,"played":[` + many[6:] + `]}`: "204", // 200
		`{"position":1,"played":[` + many + `]}`:     "400 bad_request",
		`{"position":105}`:                           "204",
		`{"position":105.001}`:                       "400 bad_request",
		`{"position":-0.001}`:                        "400 bad_request",
		`{"position":1,"played":[[99,105]]}`:         "204",
		`{"position":1,"played":[[99,106]]}`:         "400 bad_request",
		`{"position":1,"played":[[-1,3]]}`:           "400 bad_request",
		`{"position":1,"played":[[3,1]]}`:            "400 bad_request",
		`{"position":1,"played":[[3,3]]}`:            "204",
		`{"position":1,"played":[[3]]}`:              "400 bad_request",
		`{"position":1,"played":[[3,4,5]]}`:          "400 bad_request",
		`{"position":1,"played":[[null,5]]}`:         "400 bad_request",
		`{"position":1,"played":[["3",5]]}`:          "400 bad_request",
		`{"position":1,"played":{}}`:                 "400 bad_request",
		`{"position":1,"played":null}`:               "204",
		`{"position":1,"played":[]}`:                 "204",
		`{"position":1e999}`:                         "400 bad_request",
		`{"position":NaN}`:                           "400 bad_request",
		`{"position":"1"}`:                           "400 bad_request",
		`{"position":null}`:                          "400 bad_request",
		`{}`:                                         "400 bad_request",
		`null`:                                       "400 bad_request",
		`[]`:                                         "400 bad_request",
		`{"position":1}x`:                            "400 bad_request",
		``:                                           "400 bad_request",
	} {
		got := s.ask(5, "PUT", "/api/recordings/6/watch-state/", body)
		if outcomeOf(got) != want || strings.HasPrefix(want, "400") && !strings.Contains(got.body, `"detail":"`) {
			t.Errorf("%.60s: %d %s, want %s", body, got.StatusCode, got.body, want)
		}
	}
	for ids, want := range map[string]string{
		"6": "200", "": "400 bad_request", "x": "400 bad_request", "6,": "400 bad_request", "-6": "400 bad_request", "0": "400 bad_request",
		strings.Repeat("6,", 99) + "6": "200", strings.Repeat("6,", 100) + "6": "400 bad_request",
	} {
		if got := outcomeOf(s.ask(5, "GET", "/api/watch-states/?ids="+ids, "")); got != want {
			t.Errorf("ids=%.20s: %s, want %s", ids, got, want)
		}
	}
	for _, c := range []struct {
		user int64
		id   int
		want string
	}{{9, 6, "403"}, {5, 22, "410 expired"}, {5, 999, "404"}, {0, 6, "401"}} {
		for _, method := range []string{"GET", "PUT"} {
			if got := outcomeOf(s.ask(c.user, method, fmt.Sprintf("/api/recordings/%d/watch-state/", c.id), `{"position":1}`)); got != c.want {
				t.Errorf("%s of recording %d by %d: %s, want %s", method, c.id, c.user, got, c.want)
			}
		}
	}
}
