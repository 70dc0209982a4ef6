package library_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/auth"
	"github.com/lectiospace/lectern/internal/catalog/catalogtest"
	"github.com/lectiospace/lectern/internal/library"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/proxy/api"
)

// audienceOf is recording 6's audience as its teacher sees it, as text.
func (s *school) audienceOf6() (viewers, notYet []string, buckets []int64) {
	s.t.Helper()
	var out struct {
		Viewers []struct {
			ID       int64    `json:"id"`
			Name     string   `json:"name"`
			Email    string   `json:"email"`
			Watched  *float64 `json:"watched"`
			Position float64  `json:"position"`
			LastSeen string   `json:"last_seen"`
		} `json:"viewers"`
		NotYet []struct {
			ID    int64  `json:"id"`
			Name  string `json:"name"`
			Email string `json:"email"`
		} `json:"not_yet"`
		Buckets []int64 `json:"buckets"`
	}
	got := s.ask(3, "GET", "/api/recordings/6/audience/", "")
	if err := json.Unmarshal([]byte(got.body), &out); err != nil || got.StatusCode != 200 {
		s.t.Fatalf("%d %s", got.StatusCode, got.body)
	}
	for _, v := range out.Viewers {
		watched := "unknown"
		if v.Watched != nil {
			watched = fmt.Sprint(*v.Watched)
		}
		viewers = append(viewers, fmt.Sprintf("%d %s %s %s %v %s", v.ID, v.Name, v.Email, watched, v.Position, v.LastSeen))
	}
	for _, p := range out.NotYet {
		notYet = append(notYet, fmt.Sprintf("%d %s %s", p.ID, p.Name, p.Email))
	}
	return viewers, notYet, out.Buckets
}

func TestAudienceAPI(t *testing.T) {
	catalogtest.Each(t, func(t *testing.T, db *catalogtest.DB) {
		db.Exec(t, `UPDATE public.schedule_lessonrecording SET duration = 35 WHERE id = 6`)
		db.Exec(t, `UPDATE public.accounts_customuser SET first_name = '=cmd()', email = '@x' WHERE id = 7`)
		s := openSchool(t, db, nil)
		s.api.Analytics = api.AnalyticsAudience
		for user, body := range map[int64]string{
			5: `{"position":12,"played":[[0,12],[30,33]]}`,
			6: `{"position":1,"played":[[0,6]]}`,
			3: `{"position":30,"played":[[0,30]]}`, // teachers and admins do not count
			1: `{"position":30,"played":[[0,30]]}`,
		} {
			if got := outcomeOf(s.ask(user, "PUT", "/api/recordings/6/watch-state/", body)); got != "204" {
				t.Fatal(got)
			}
		}
		check := func() {
			t.Helper()
			viewers, notYet, buckets := s.audienceOf6()
			if want := []string{
				"5 Stu1 Dent1 student1@ref.test 0.5 12 2026-11-23T10:30:00Z",
				"6 Stu2 Dent2 student2@ref.test 0.25 1 2026-11-23T10:30:00Z",
			}; !slices.Equal(viewers, want) {
				t.Errorf("viewers %q", viewers)
			}
			// 14 is inactive.
			if want := []string{"7 =cmd() Dent3 @x", "8 Stu4 Dent4 student4@ref.test"}; !slices.Equal(notYet, want) {
				t.Errorf("not yet %q", notYet)
			}
			if want := []int64{2, 0, 0, 1}; !slices.Equal(buckets, want) {
				t.Errorf("buckets %v", buckets)
			}
		}
		check()
		if err := s.states.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		check()
		s.checkCSV()
		db.Exec(t, `UPDATE public.accounts_customuser SET is_active = false WHERE id = 5`)
		db.Exec(t, `UPDATE public.schedule_lessonrecording SET duration = NULL WHERE id = 6`)
		viewers, _, buckets := s.audienceOf6()
		if len(viewers) != 2 || !strings.Contains(viewers[0], " unknown ") || !slices.Equal(buckets, []int64{2}) {
			t.Errorf("without a duration: %q, %v", viewers, buckets)
		}
	})
}

func (s *school) checkCSV() {
	s.t.Helper()
	got := s.ask(3, "GET", "/api/recordings/6/audience/?format=csv", "")
	rows, err := csv.NewReader(strings.NewReader(got.body)).ReadAll()
	want := [][]string{
		{"id", "name", "email", "watched_percent", "position_seconds", "last_seen"},
		{"5", "Stu1 Dent1", "student1@ref.test", "50", "12", "2026-11-23T10:30:00Z"},
		{"6", "Stu2 Dent2", "student2@ref.test", "25", "1", "2026-11-23T10:30:00Z"},
		{"7", "'=cmd() Dent3", "'@x", "0", "0", ""},
		{"8", "Stu4 Dent4", "student4@ref.test", "0", "0", ""},
	}
	if err != nil || fmt.Sprint(rows) != fmt.Sprint(want) || got.Header.Get("Content-Type") != "text/csv; charset=utf-8" ||
		got.Header.Get("Content-Disposition") != `attachment; filename="audience-6.csv"` {
		s.t.Errorf("%q, %v, %v", rows, err, got.Header)
	}
}

func TestAudienceRefusals(t *testing.T) {
	s := onSQLite(t, nil)
	for _, analytics := range []string{api.AnalyticsOff, api.AnalyticsOwn, api.AnalyticsAudience} {
		s.api.Analytics = analytics
		allowed := "403 analytics_off"
		if analytics == api.AnalyticsAudience {
			allowed = "200"
		}
		for _, c := range []struct {
			user int64
			id   int
			want string
		}{
			{3, 6, allowed}, {1, 6, allowed},
			{4, 6, "403 no_access"}, {5, 6, "403 no_access"}, {9, 6, "403 no_access"}, {5, 22, "403 no_access"},
			{3, 999, "404"}, {5, 5, "404"}, {0, 6, "401"},
		} {
			if got := outcomeOf(s.ask(c.user, "GET", fmt.Sprintf("/api/recordings/%d/audience/", c.id), "")); got != c.want {
				t.Errorf("%s: recording %d by %d: %s, want %s", analytics, c.id, c.user, got, c.want)
			}
		}
	}
	if got := outcomeOf(s.ask(3, "GET", "/api/recordings/6/audience/?format=xml", "")); got != "400 bad_request" {
		t.Errorf("another format: %s", got)
	}
}

// TestAttendeesAreTheRule holds who may watch against the access rule, user by user.
func TestAttendeesAreTheRule(t *testing.T) {
	catalogtest.Each(t, func(t *testing.T, db *catalogtest.DB) {
		db.Exec(t, `INSERT INTO public.schedule_lessonrecording_allowed_students (lessonrecording_id, customuser_id) VALUES (7, 9), (8, 5), (6, 9), (18, 12)`)
		states := library.NewWatchStates(db.Store, slog.New(slog.DiscardHandler), time.Now)
		defer states.Stop()
		seen := 0
		for _, strict := range []bool{true, false} {
			rule := auth.RulePlatform
			if strict {
				rule = auth.RuleStrict
			}
			reader := library.NewReader(db.Store, strict, func() time.Time { return catalogtest.DemoNow })
			for id := int64(1); id <= 33; id++ {
				students, err := library.NewAudience(reader, states).Attendees(t.Context(), id)
				if err != nil {
					t.Fatal(err)
				}
				for user := int64(5); user <= 13; user++ {
					e, m, err := reader.Entry(t.Context(), id, user)
					if err != nil || e.Deleted || e.Status != media.StatusReady {
						continue
					}
					rec := e.Recording
					rec.AvailableUntil = catalogtest.DemoNow.AddDate(1, 0, 0) // its end does not matter here
					refusal := auth.Decide(rule, media.User{ID: user, Role: media.RoleStudent, Active: true}, rec, m, catalogtest.DemoNow)
					if refusal != nil && refusal.Code == media.CodeNoMedia {
						continue // before anybody's right is looked at
					}
					want := refusal == nil
					got := slices.ContainsFunc(students, func(a library.Attendee) bool { return a.ID == user })
					if got != want {
						t.Errorf("%s: recording %d, student %d: %v, the rule says %v", rule, id, user, got, want)
					}
					if got {
						seen++
					}
				}
			}
		}
		if seen < 20 {
			t.Errorf("only %d students may watch anything", seen)
		}
	})
}
