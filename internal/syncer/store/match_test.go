package store_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lectiospace/lectern/internal/syncer/store"
)

var halfAnHour = store.MatchRule{Early: 30 * time.Minute, Late: 30 * time.Minute}

// TestMatchRule holds the rule against the moments where it changes its mind, to the
// second: recurring lessons share a meeting id, and so may two in a row.
func TestMatchRule(t *testing.T) {
	ten := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	lesson := func(id int64, meeting string, start, end time.Duration) store.Lesson {
		return store.Lesson{ID: id, MeetingID: meeting, Start: ten.Add(start), End: ten.Add(end)}
	}
	const number, hour, minute, second = "864 1234 5678", time.Hour, time.Minute, time.Second
	alone := []store.Lesson{lesson(1, number, 0, hour)}
	row := []store.Lesson{lesson(1, number, 0, hour), lesson(2, number, hour, 2*hour)}
	apart := []store.Lesson{lesson(2, number, 2*hour, 3*hour), lesson(1, number, 0, hour)}
	near := []store.Lesson{lesson(1, number, 0, hour), lesson(2, number, hour+40*minute, 3*hour)}
	nested := []store.Lesson{lesson(1, number, 0, 3*hour), lesson(2, number, hour, 2*hour)}
	alike := []store.Lesson{lesson(2, number, 0, hour), lesson(1, number, 0, hour)}
	for _, c := range []struct {
		name    string
		lessons []store.Lesson
		began   time.Duration
		want    int64
	}{
		{"at the start", alone, 0, 1},
		{"the last second of the plan", alone, hour - second, 1},
		{"at the end", alone, hour, 1},
		{"as early as may be", alone, -30 * minute, 1},
		{"a second too early", alone, -30*minute - second, 0},
		{"as late as may be", alone, 90 * minute, 1},
		{"a second too late", alone, 90*minute + second, 0},
		{"a talk after the lesson", alone, 2*hour + 30*minute, 0},
		{"days away", alone, 72 * hour, 0},
		{"restarted near the next lesson", row, 40 * minute, 1},
		{"restarted a second before the next lesson", row, hour - second, 1},
		{"at the next lesson's start", row, hour, 2},
		{"after the last of them", row, 2*hour + 10*minute, 2},
		{"between two: nearer to the end", apart, hour + 29*minute, 1},
		{"between two: out of reach of the end", apart, hour + 30*minute + second, 2},
		{"between two: out of reach of both", []store.Lesson{lesson(1, number, 0, hour), lesson(2, number, 3*hour, 4*hour)}, 2 * hour, 0},
		{"between two: nearer to the start", near, hour + 21*minute, 2},
		{"between two: equally near", near, hour + 20*minute, 2},
		{"between two: equally near, listed the other way", []store.Lesson{near[1], near[0]}, hour + 20*minute, 2},
		{"between two: nearer to the end by a second", near, hour + 20*minute - second, 1},
		{"in two: the one that starts latest", nested, 90 * minute, 2},
		{"in two: as the second begins", nested, hour, 2},
		{"in one again", nested, 2 * hour, 1},
		{"in alike: the lower id", alike, minute, 1},
		{"another meeting id", []store.Lesson{lesson(1, "999", 0, hour)}, 0, 0},
		{"no meeting id", []store.Lesson{lesson(1, "", 0, hour)}, 0, 0},
		{"ends before it starts", []store.Lesson{lesson(1, number, hour, 0)}, 45 * minute, 1},
	} {
		for _, id := range []string{"86412345678", "864-1234-5678"} {
			if got, ok := halfAnHour.Lesson(c.lessons, id, ten.Add(c.began)); got.ID != c.want || ok != (c.want != 0) {
				t.Errorf("%s: lesson %d, want %d", c.name, got.ID, c.want)
			}
		}
	}
	if got, ok := halfAnHour.Lesson([]store.Lesson{lesson(1, "", 0, hour)}, "", ten); ok {
		t.Errorf("a meeting without an id, and a lesson without one: lesson %d", got.ID)
	}
	if got, ok := (store.MatchRule{}).Lesson(alone, "86412345678", ten.Add(hour+second)); ok {
		t.Errorf("no time before and after: lesson %d", got.ID)
	}
}

// TestMatchRuleCases are recorded meetings with the lessons around them.
func TestMatchRuleCases(t *testing.T) {
	for name, want := range map[string]string{"restart-near-the-next-lesson": "A", "talk-after-the-lesson": ""} {
		data, err := os.ReadFile(filepath.Join("testdata", name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		var in struct {
			ID      json.Number
			Start   time.Time `json:"start_time"`
			Lessons []struct {
				Name       string
				Start, End time.Time
			}
		}
		if err := json.Unmarshal(data, &in); err != nil {
			t.Fatal(err)
		}
		var lessons []store.Lesson
		for i, l := range in.Lessons {
			lessons = append(lessons, store.Lesson{ID: int64(i + 1), Title: l.Name, MeetingID: in.ID.String(), Start: l.Start, End: l.End})
		}
		if got, _ := halfAnHour.Lesson(lessons, in.ID.String(), in.Start); got.Title != want {
			t.Errorf("%s: lesson %q, want %q", name, got.Title, want)
		}
	}
}

// TestMatchRuleProperties holds the rule against its own words, whatever the lessons and
// in whatever order they come.
func TestMatchRuleProperties(t *testing.T) {
	zero := time.Date(2026, 3, 29, 0, 0, 0, 0, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		rule := store.MatchRule{Early: time.Duration(rapid.IntRange(0, 6).Draw(t, "early")) * time.Minute, Late: time.Duration(rapid.IntRange(0, 6).Draw(t, "late")) * time.Minute}
		var lessons []store.Lesson
		for i := range rapid.IntRange(0, 6).Draw(t, "lessons") {
			start := zero.Add(time.Duration(rapid.IntRange(0, 30).Draw(t, "start")) * time.Minute)
			lessons = append(lessons, store.Lesson{ID: int64(i + 1), MeetingID: "123456789", Start: start, End: start.Add(time.Duration(rapid.IntRange(0, 10).Draw(t, "length")) * time.Minute)})
		}
		began := zero.Add(time.Duration(rapid.IntRange(-600, 3000).Draw(t, "began")) * time.Second)
		got, ok := rule.Lesson(lessons, "123456789", began)
		holds := func(l store.Lesson) bool { return !began.Before(l.Start) && began.Before(l.End) }
		// distance is how far outside its plan a lesson is, and whether that is allowed.
		distance := func(l store.Lesson) (time.Duration, bool) {
			if began.Before(l.Start) {
				return l.Start.Sub(began), l.Start.Sub(began) <= rule.Early
			}
			return began.Sub(l.End), began.Sub(l.End) <= rule.Late
		}
		for _, l := range lessons {
			d, near := distance(l)
			switch {
			case holds(l) && !ok, near && !ok:
				t.Fatalf("none, although lesson %d fits", l.ID)
			case holds(l) && (!holds(got) || l.Start.After(got.Start)):
				t.Fatalf("lesson %d, although %d holds it and starts later", got.ID, l.ID)
			case ok && !holds(got) && near:
				if best, fits := distance(got); !fits || d < best {
					t.Fatalf("lesson %d, although %d is nearer", got.ID, l.ID)
				}
			}
		}
		if ok && !holds(got) {
			if _, fits := distance(got); !fits {
				t.Fatalf("lesson %d is out of reach", got.ID)
			}
		}
		if again, _ := rule.Lesson(rapid.Permutation(lessons).Draw(t, "order"), "123456789", began); again.ID != got.ID {
			t.Fatalf("lesson %d or %d, by the order of the list", got.ID, again.ID)
		}
	})
}

// TestBegan: a recording begins with its first media file, however long the meeting was
// open before.
func TestBegan(t *testing.T) {
	ten := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		m    store.Meeting
		want time.Time
	}{
		"opened an hour before":     {store.Meeting{Start: ten.Add(-time.Hour), Files: []store.File{{Type: "MP4", Start: ten}, {Type: "MP4", Start: ten.Add(time.Minute)}}}, ten},
		"a chat before the picture": {store.Meeting{Start: ten, Files: []store.File{{Type: "CHAT", Start: ten.Add(-time.Hour)}, {Type: "M4A", Start: ten}}}, ten},
		"files without a start":     {store.Meeting{Start: ten, Files: []store.File{{Type: "MP4"}}}, ten},
		"nothing known":             {store.Meeting{}, time.Time{}},
	} {
		if got := c.m.Began(); !got.Equal(c.want) {
			t.Errorf("%s: began %s, want %s", name, got, c.want)
		}
	}
}

func TestTitle(t *testing.T) {
	at := time.Date(2026, 11, 20, 12, 30, 0, 0, time.UTC)
	for topic, want := range map[string]string{
		"Алгебра, 7А": "Алгебра, 7А", "  two\r\n lines\t": "two lines", "\u202Eevil\u2066 \x00name": "evil name", " \u200B": "\u200B", "": "Zoom 2026-11-20 12:30 UTC", "\n\t": "Zoom 2026-11-20 12:30 UTC",
		"family \U0001F468\u200D\U0001F469": "family \U0001F468\u200D\U0001F469",
	} {
		if got := (store.Meeting{Topic: topic, Start: at}).Title(); got != want {
			t.Errorf("%q: %q, want %q", topic, got, want)
		}
	}
}
