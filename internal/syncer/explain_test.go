package syncer_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/syncer/syncertest"
)

// TestExplainShowsNoControlCharacters: what Zoom and the people there wrote stays within its
// line, moves no cursor and turns nothing around.
func TestExplainShowsNoControlCharacters(t *testing.T) {
	const hostile = "\x1b[2Jgpj.\u202eexe\nrecording 7  ready\u009b\u200b"
	s := syncertest.New(t)
	s.Update(func(ctx context.Context, x store.Session) error {
		m := store.Meeting{UUID: "uuid-1==", MeetingID: hostile, Topic: hostile, Files: []store.File{{ID: "f-1" + hostile, Type: "MP4", View: hostile, Status: hostile}}}
		if err := store.PutMeeting(ctx, x, m, syncertest.LessonStart); err != nil {
			return err
		}
		if err := store.AssignLesson(ctx, x, m.UUID, 0, 0, hostile); err != nil {
			return err
		}
		return store.AppendHistory(ctx, x, store.HistoryEntry{At: syncertest.LessonStart, MeetingUUID: m.UUID, What: hostile, Detail: hostile})
	})
	var out bytes.Buffer
	if err := s.Syncer.Explain(t.Context(), "uuid-1==", &out); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(out.String(), "\x1b\u202e\u009b\u200b") || strings.Contains(out.String(), "\nrecording 7") {
		t.Errorf("%q", &out)
	}
	if n := strings.Count(out.String(), `\u001b[2Jgpj.\u202eexe\u000arecording 7  ready\u009b\u200b`); n < 5 {
		t.Errorf("%d of the texts are shown:\n%s", n, &out)
	}
}
