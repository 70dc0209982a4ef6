package intake

import (
	"fmt"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/zoom"
)

// TestEndOf: the meeting's own end counts, unless it is absent or absurd.
func TestEndOf(t *testing.T) {
	start := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	end, event, received := start.Add(55*time.Minute), start.Add(56*time.Minute), start.Add(60*time.Hour)
	quoted := func(at time.Time) string { return `"` + at.Format(time.RFC3339) + `"` }
	for _, c := range []struct {
		name, start, end string
		event            time.Time
		want             time.Time
	}{
		{"its own end", quoted(start), quoted(end), event, end},
		{"another zone", quoted(start), `"2026-11-20T13:55:00+03:00"`, event, end},
		{"without an event's time", quoted(start), quoted(end), time.Time{}, end},
		{"no end", quoted(start), `null`, event, event},
		{"an empty end", quoted(start), `""`, event, event},
		{"an end that is no time", quoted(start), `"yesterday"`, event, event},
		{"an end in 1970", quoted(start), `"1970-01-01T00:00:00Z"`, event, event},
		{"an end before the start", quoted(start), quoted(start.Add(-time.Second)), event, event},
		{"an end in the future", quoted(start), quoted(received.Add(time.Hour)), event, event},
		{"an end days after the start", quoted(start), quoted(start.Add(50 * time.Hour)), event, event},
		{"neither end nor time", quoted(start), `null`, time.Time{}, received},
		{"an event's time that is absurd too", quoted(start), `null`, time.UnixMilli(1), received},
		{"no start, an end of today", `null`, quoted(received.Add(-time.Hour)), event, received.Add(-time.Hour)},
		{"no start, an end of years ago", `null`, `"2020-01-01T00:00:00Z"`, event, received},
	} {
		ms := int64(0)
		if !c.event.IsZero() {
			ms = c.event.UnixMilli()
		}
		e, err := zoom.ParseEvent(fmt.Appendf(nil, `{"event":"meeting.ended","event_ts":%d,"payload":{"object":{"id":1,"uuid":"u","start_time":%s,"end_time":%s}}}`, ms, c.start, c.end))
		if err != nil {
			t.Fatal(err)
		}
		if got := endOf(e, received); !got.Equal(c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
