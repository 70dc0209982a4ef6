package database

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/emulator/zoom"
)

const (
	webhookSecret = "the-secret-token-of-the-zoom-app"
	webhookPath   = "/schedule/api/zoom/webhook/"
	// answerWithin is when a request counts as hanging, on a machine that does other things
	// too. What is promised of webhooks is 3 s, and figures say what they took.
	answerWithin = 30 * time.Second
)

// webhook is the body of an event, a distinct one for each number.
func webhook(n int) []byte {
	at := time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC).Add(time.Duration(n) * time.Second)
	body, err := json.Marshal(map[string]any{
		"event": "recording.completed", "event_ts": at.UnixMilli(), "download_token": fmt.Sprint("token-", n),
		"payload": map[string]any{"account_id": "acc", "object": map[string]any{
			"id": 70000000000 + n, "uuid": eventUUID(n), "host_id": "host", "account_id": "acc", "topic": fmt.Sprint("Lesson ", n), "type": 2,
			"start_time": at.Format(time.RFC3339), "timezone": "UTC", "host_email": "host@school.test", "duration": 45, "total_size": 1 << 28, "recording_count": 1,
			"recording_files": []any{map[string]any{
				"id": fmt.Sprint("file-", n), "meeting_id": eventUUID(n), "recording_start": at.Format(time.RFC3339), "recording_end": at.Add(45 * time.Minute).Format(time.RFC3339),
				"file_type": "MP4", "file_extension": "MP4", "file_size": 1 << 28, "recording_type": "shared_screen_with_speaker_view", "status": "completed",
				"download_url": fmt.Sprint("https://zoom.us/rec/download/", n), "play_url": fmt.Sprint("https://zoom.us/rec/play/", n),
			}},
		}},
	})
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return body
}

func eventUUID(n int) string { return fmt.Sprintf("/load+%d==", n) }

// syncerSettings are those of a syncer that has no Zoom to reach.
func syncerSettings(database string) []string {
	return []string{"LECTERN_DATABASE_URL=" + database, "ZOOM_WEBHOOK_SECRET_TOKEN=" + webhookSecret, "LECTERN_SYNC_WORK_MIN_FREE=0", "LECTERN_SYNC_DERIVED=none",
		"LECTERN_SYNC_RECONCILE_EVERY=24h", "LECTERN_ZOOM_API_URL=http://127.0.0.1:1/v2", "LECTERN_ZOOM_OAUTH_URL=http://127.0.0.1:1/oauth/token"}
}

// webhookLoad sends events until each is acknowledged.
type webhookLoad struct {
	syncer *program
	total  int
	next   atomic.Int64
	acked  atomic.Int64

	mu       sync.Mutex
	took     []time.Duration // of all answers with 200; guarded by mu
	refused  int             // answers with 503; guarded by mu
	broken   int             // requests without an answer; guarded by mu
	slowest  time.Duration   // of the answers with 503; guarded by mu
	doubled  int             // events that were sent twice on purpose; guarded by mu
	repeated int             // acknowledged as duplicates although sent once on purpose: the first answer was lost; guarded by mu
	strange  []string        // answers that must not be; guarded by mu
}

// send sends events until all are taken. One in ten is sent twice.
func (l *webhookLoad) send(ctx context.Context, random *rand.Rand) {
	for ctx.Err() == nil {
		n := int(l.next.Add(1)) - 1
		if n >= l.total {
			return
		}
		body := webhook(n)
		if status := l.deliver(ctx, body); status != "accepted" && status != "" {
			l.mu.Lock()
			l.repeated++
			l.mu.Unlock()
		}
		l.acked.Add(1)
		if random.IntN(10) == 0 {
			l.mu.Lock()
			l.doubled++
			l.mu.Unlock()
			if status := l.deliver(ctx, body); status == "accepted" {
				l.mu.Lock()
				l.strange = append(l.strange, fmt.Sprintf("event %d was acknowledged twice as new", n))
				l.mu.Unlock()
			}
		}
	}
}

// deliver sends an event until it is acknowledged, and returns what it was answered. Zoom
// would wait for five minutes before it sends one again.
func (l *webhookLoad) deliver(ctx context.Context, body []byte) (result string) {
	for ctx.Err() == nil {
		began := time.Now()
		status, answer, err := zoom.Deliver(ctx, l.syncer.client, l.syncer.url+webhookPath, webhookSecret, body)
		took := time.Since(began)
		l.mu.Lock()
		switch {
		case err != nil:
			l.broken++
		case status == http.StatusOK:
			l.took = append(l.took, took)
		case status == http.StatusServiceUnavailable:
			l.refused++
			l.slowest = max(l.slowest, took)
		default:
			l.strange = append(l.strange, fmt.Sprintf("%d %.200s", status, answer))
		}
		l.mu.Unlock()
		if err == nil && status == http.StatusOK {
			var text struct{ Status string }
			if err := json.Unmarshal(answer, &text); err != nil {
				return string(answer)
			}
			return text.Status
		}
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
	return ""
}

// TestWebhookLoad sends -events webhooks to the syncer while its database is restarted ten
// times, every other time without an orderly end: all that was acknowledged is in the table,
// once.
func TestWebhookLoad(t *testing.T) {
	if *events == 0 {
		t.Skip("-events says how many; see make load-webhooks")
	}
	const restarts, senders = 10, 32
	f := newFixture(t, 1)
	l := &webhookLoad{syncer: serve(t, "syncer", syncerSettings(f.direct)...), total: *events}
	began := time.Now()
	var group sync.WaitGroup
	for i := range senders {
		group.Go(func() { l.send(t.Context(), rand.New(rand.NewPCG(*seed, uint64(i)))) })
	}
	var first resources // with all connections of the senders
	most := 0
	for i := range restarts {
		eventually(t, "events", func() (bool, string) {
			n := l.acked.Load()
			return n >= int64((i+1)*l.total/(restarts+1)), fmt.Sprint(n)
		})
		if i%2 == 0 {
			f.server.Restart(t)
		} else {
			f.server.Crash(t)
			f.server.Restart(t)
		}
		r := l.syncer.resources(t)
		most = max(most, r.residentMiB)
		if i == 0 {
			first = r
		}
		t.Logf("restart %d after %s: %d events, %s", i+1, time.Since(began).Round(time.Second), l.acked.Load(), r)
	}
	group.Wait()
	lasted := time.Since(began)
	l.syncer.running(t)
	for _, s := range l.strange[:min(5, len(l.strange))] {
		t.Error(s)
	}
	l.checkTable(t, f)
	slices.Sort(l.took)
	quantile := func(q float64) time.Duration {
		return l.took[int(q*float64(len(l.took)-1))].Round(100 * time.Microsecond)
	}
	l.syncer.client.CloseIdleConnections()
	after := l.syncer.resources(t)
	t.Logf("%d events in %s, %.0f a second; %d doubled; %d answers with 503 (the slowest after %s), %d without an answer, %d acknowledged at a repetition; p50 %s, p99 %s, p99.9 %s, most %s",
		l.total, lasted.Round(time.Second), float64(l.total)/lasted.Seconds(), l.doubled, l.refused, l.slowest.Round(time.Millisecond), l.broken, l.repeated, quantile(.5), quantile(.99), quantile(.999), quantile(1))
	t.Logf("the syncer after the first restart: %s; in the end: %s; at most %d MiB", first, after, max(most, after.residentMiB))
	if after.goroutines > first.goroutines+40 || after.descriptors > first.descriptors+20 || after.residentMiB > 2*first.residentMiB {
		t.Errorf("left open: %s, in the beginning %s", after, first)
	}
}

// checkTable compares the table with what was acknowledged: all of it, each event once.
func (l *webhookLoad) checkTable(t *testing.T, f *fixture) {
	t.Helper()
	if n := f.number(`SELECT count(*) FROM lectern.lectern_zoom_events`); n != int64(l.total) {
		t.Errorf("%d events are in the table, %d were acknowledged", n, l.total)
	}
	var uuids []string
	for n := range l.total {
		uuids = append(uuids, eventUUID(n))
	}
	slices.Sort(uuids)
	text, err := f.column(`SELECT meeting_uuid FROM lectern.lectern_zoom_events`)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(text)
	if !slices.Equal(uuids, text) {
		t.Error("other events are in the table than were acknowledged")
	}
	// Each event has its job, or had it: none was stored without.
	if n := f.number(`SELECT count(*) FROM lectern.lectern_zoom_events e WHERE e.state = 'new'
		AND NOT EXISTS (SELECT 1 FROM lectern.river_job j WHERE j.kind = 'event' AND j.finalized_at IS NULL AND CAST(j.args->>'event_id' AS bigint) = e.id)`); n != 0 {
		t.Errorf("%d new events have no job", n)
	}
}

// drain is the rest of an answer.
func drain(body io.ReadCloser) string {
	defer body.Close()
	text, _ := io.ReadAll(body)
	return strings.TrimSpace(string(text))
}
