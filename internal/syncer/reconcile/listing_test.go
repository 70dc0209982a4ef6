package reconcile_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	zoomemu "github.com/lectiospace/lectern/internal/emulator/zoom"
	"github.com/lectiospace/lectern/internal/syncer/reconcile"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/syncer/syncertest"
)

// setCursor says until when a teacher's recordings have been listed.
func setCursor(s *syncertest.Server, teacher int64, at time.Time) {
	s.Update(func(ctx context.Context, x store.Session) error { return store.SetCursor(ctx, x, teacher, at) })
}

func cursor(s *syncertest.Server, teacher int64) (at time.Time) {
	s.View(func(ctx context.Context, x store.Session) (err error) {
		at, err = store.Cursor(ctx, x, teacher)
		return err
	})
	return at
}

// moveLesson moves a lesson to another time.
func moveLesson(s *syncertest.Server, lesson int64, at time.Time) {
	s.Exec(`UPDATE public.schedule_lesson SET start_time = $1, end_time = $2 WHERE id = $3`, syncertest.Stamp(at), syncertest.Stamp(at.Add(time.Hour)), lesson)
}

// TestAnswersThatAreNoList: an answer that is no list fails the teacher and leaves the
// cursor, so that the next right answers bring in what was recorded in between.
func TestAnswersThatAreNoList(t *testing.T) {
	recorded, err := os.ReadFile("testdata/list-200-code-300.http")
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := strings.Cut(strings.ReplaceAll(string(recorded), "\r\n", "\n"), "\n\n")
	for name, faults := range map[string]zoomemu.Faults{
		"code 300 with status 200":   {ListBody: body},
		"code 200 with status 200":   {ListBody: `{"code":200,"message":"Do not have the permission."}`},
		"a code as text":             {ListBody: `{"code":"300","message":"Invalid field."}`},
		"an empty object":            {ListBody: `{}`},
		"no meetings":                {ListBody: `{"page_size":300,"next_page_token":""}`},
		"meetings null":              {ListBody: `{"meetings":null}`},
		"meetings of another type":   {ListBody: `{"meetings":"none"}`},
		"a meeting without a uuid":   {ListBody: `{"meetings":[{"id":1,"topic":"x"}]}`},
		"a meeting that is null":     {ListBody: `{"meetings":[null]}`},
		"truncated JSON":             {ListBody: `{"meetings":[{"uuid":"a==","id":1,`},
		"an empty body":              {ListStatus: http.StatusOK},
		"a page":                     {ListBody: "<!DOCTYPE html><html><body>Back soon</body></html>"},
		"401 after the first page":   {ListBody: `{"code":124,"message":"Invalid access token."}`, ListStatus: http.StatusUnauthorized, ListAfter: 1},
		"a page after the first one": {ListBody: "<html></html>", ListAfter: 1},
		"null after the first page":  {ListBody: `{"meetings":null}`, ListAfter: 1},
		"403 of the API":             {ListBody: `{"code":1234,"message":"no"}`, ListStatus: http.StatusForbidden},
		"page tokens that expire":    {ListBody: `{"code":300,"message":"The next page token is invalid or expired."}`, ListStatus: http.StatusBadRequest, ListAfter: 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := syncertest.New(t)
			s.Exec(`UPDATE public.accounts_customuser SET zoom_client_secret = '' WHERE id = 2`)
			before := time.Now().UTC().AddDate(0, 0, -5).Truncate(time.Second)
			setCursor(s, 1, before)
			ago := syncertest.LessonStart.AddDate(0, 0, -4)
			moveLesson(s, 1, ago)
			s.Record("1", 86412345678, "uuid-1==", ago)
			for i := range 320 { // the meeting is on the second page: lists begin with the newest
				s.Zoom.AddMeeting(zoomemu.Meeting{Account: "acc-1", ID: 777, UUID: fmt.Sprintf("other-%d==", i), Host: "host-1", Start: ago.Add(time.Duration(i+1) * time.Minute), NoFiles: true})
			}
			s.Zoom.SetFaults(faults)
			report := s.Reconcile(reconcile.Summary{Failed: 1})
			if len(report.Failures) != 1 || report.Failures[0].Reason == "" {
				t.Errorf("failures: %+v", report.Failures)
			}
			if at := cursor(s, 1); !at.Equal(before) {
				t.Errorf("the cursor has moved from %s to %s", before, at)
			}
			s.Zoom.SetFaults(zoomemu.Faults{})
			s.Reconcile(reconcile.Summary{Processed: 1, Synced: 1})
			if at := cursor(s, 1); time.Since(at) > time.Minute {
				t.Errorf("the cursor stands at %s", at)
			}
		})
	}
}

// TestWindowsThatAreClamped: Zoom silently lists fewer days than were asked for; the
// rest is asked for as well.
func TestWindowsThatAreClamped(t *testing.T) {
	s := syncertest.New(t)
	s.Exec(`UPDATE public.accounts_customuser SET zoom_client_secret = '' WHERE id = 2`)
	setCursor(s, 1, time.Now().AddDate(0, 0, -20))
	ago := syncertest.LessonStart.AddDate(0, 0, -8)
	moveLesson(s, 1, ago)
	s.Record("1", 86412345678, "uuid-1==", ago)
	s.Zoom.SetFaults(zoomemu.Faults{ClampTo: time.Now().AddDate(0, 0, -12)})
	s.Reconcile(reconcile.Summary{Processed: 1, Synced: 1})
}

// TestAMeetingThatCannotBeStored: the others are stored and requested, the teacher has
// failed, and the cursor stays before what is not accounted for.
func TestAMeetingThatCannotBeStored(t *testing.T) {
	s := syncertest.New(t)
	s.Exec(`UPDATE public.accounts_customuser SET zoom_client_secret = '' WHERE id = 2`)
	before := time.Now().UTC().AddDate(0, 0, -5).Truncate(time.Second)
	setCursor(s, 1, before)
	s.Exec(`CREATE TRIGGER refuse BEFORE INSERT ON lectern_zoom_meetings WHEN NEW.uuid = 'refused==' BEGIN SELECT RAISE(ABORT, 'refused'); END`)
	s.Record("1", 555, "refused==", syncertest.LessonStart.Add(time.Minute))
	s.Record("1", 86412345678, "uuid-1==", syncertest.LessonStart)
	report := s.Reconcile(reconcile.Summary{Failed: 1, Synced: 1})
	if len(report.Failures) != 1 || !strings.Contains(report.Failures[0].Err.Error(), "refused==") {
		t.Errorf("failures: %+v", report.Failures)
	}
	if at := cursor(s, 1); !at.Equal(before) {
		t.Errorf("the cursor has moved from %s to %s", before, at)
	}
	s.Exec(`DROP TRIGGER refuse`)
	s.Reconcile(reconcile.Summary{Processed: 1})
	if at := cursor(s, 1); time.Since(at) > time.Minute {
		t.Errorf("the cursor stands at %s", at)
	}
}
