package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	zoomemu "github.com/lectiospace/lectern/internal/emulator/zoom"
	"github.com/lectiospace/lectern/internal/pgtest"
	"github.com/lectiospace/lectern/internal/plant"
)

// plantedVersion is the version of the schema that only the newer gateway knows.
const plantedVersion = 9001

const plantedMigration = `-- +goose Up
ALTER TABLE lectern.lectern_history ADD COLUMN planted text NOT NULL DEFAULT '';
INSERT INTO lectern.lectern_schema (version, compatible_since, applied_at) VALUES (9001, 13, now());

-- +goose Down
ALTER TABLE lectern.lectern_history DROP COLUMN planted;
DELETE FROM lectern.lectern_schema WHERE version = 9001;
`

// buildNewer builds the gateway with one more migration and returns its name in bin.
func buildNewer(t *testing.T) (program string) {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	inPlace := filepath.Join(root, "internal/catalog/schema/migrations/postgres", fmt.Sprintf("%d_planted.sql", plantedVersion))
	overlay, err := plant.Overlay(t.TempDir(), map[string]string{inPlace: plantedMigration}, nil)
	if err != nil {
		t.Fatal(err)
	}
	program = "gateway.newer"
	build := exec.CommandContext(t.Context(), "go", "build", "-race", "-ldflags=-s -w", "-overlay", overlay, "-o", filepath.Join(bin, program), "./cmd/gateway")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the newer gateway: %v\n%s", err, out)
	}
	return program
}

// load repeats requests until stop, and counts those that fail.
type load struct {
	stop           context.CancelFunc
	running        sync.WaitGroup
	sent, failures atomic.Int64
	first          atomic.Pointer[string] // failure
}

// loadPause leaves the processors to what happens meanwhile: builds, migrations, starts.
const loadPause = 5 * time.Millisecond

func newLoad(t *testing.T, requests ...func(context.Context) error) *load {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	l := &load{stop: stop}
	t.Cleanup(stop)
	for _, request := range requests {
		l.running.Go(func() {
			for ctx.Err() == nil {
				time.Sleep(loadPause)
				err := request(ctx)
				if ctx.Err() != nil {
					return
				}
				l.sent.Add(1)
				if err != nil {
					text := err.Error()
					l.failures.Add(1)
					l.first.CompareAndSwap(nil, &text)
				}
			}
		})
	}
	return l
}

// end stops the load and fails the test when a request has failed.
func (l *load) end(t *testing.T, what string) {
	t.Helper()
	l.stop()
	l.running.Wait()
	if l.failures.Load() > 0 {
		t.Errorf("%s: %d of %d requests failed: %s", what, l.failures.Load(), l.sent.Load(), *l.first.Load())
	}
	t.Logf("%s: %d requests, %d failed", what, l.sent.Load(), l.failures.Load())
}

// ranges asks a gateway for a range of a recording.
func ranges(url, token string) func(context.Context) error {
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+classStream, nil)
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("Range", "bytes=1000-65999")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		if res.StatusCode != http.StatusPartialContent || res.ContentLength != 65000 {
			return fmt.Errorf("%s with %d bytes", res.Status, res.ContentLength)
		}
		return nil
	}
}

// webhooks sends events to a syncer that it has to store.
func webhooks(url, secret string) func(context.Context) error {
	var number atomic.Int64
	return func(ctx context.Context) error {
		body := fmt.Sprintf(`{"event": "meeting.started", "event_ts": %d, "payload": {"account_id": "a", "object": {"uuid": "uuid", "id": "81234567890"}}}`,
			time.Now().UnixMilli()+number.Add(1))
		status, answer, err := zoomemu.Deliver(ctx, http.DefaultClient, url+"/api/zoom/webhook/", secret, []byte(body))
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("status %d: %s", status, answer)
		}
		return err
	}
}

// TestUpgradeSideBySide: programs of one version go on while a newer one migrates the
// schema, run beside it on the newer schema, and go on while it is reverted: no range and
// no webhook fails. On a schema that needs the newer version they are not ready, and do
// not start.
func TestUpgradeSideBySide(t *testing.T) {
	t.Parallel()
	const webhookSecret = "the-secret-of-the-zoom-app"
	newer := buildNewer(t)
	database := pgtest.Start(t)
	f := newPlaybackFixture(t, database, database)
	old := serve(t, append(f.env, "LECTERN_DATA_DIR="+t.TempDir(), "LECTERN_CACHE_MIN_FREE=0")...)
	syncer := serveProgram(t, "syncer", append(f.env, "LECTERN_DATA_DIR="+t.TempDir(), "LECTERN_ZOOM_WEBHOOK_SECRET="+webhookSecret, "LECTERN_SYNC_WORK_MIN_FREE=0")...)
	viewer := token(t, "--user", pupil)
	ready := func(g *gateway) int {
		res, _ := get(t, g.admin+"/readyz", "", "")
		return res.StatusCode
	}
	newerEnv := append(f.env, "LECTERN_DATA_DIR="+t.TempDir(), "LECTERN_CACHE_MIN_FREE=0")

	l := newLoad(t, ranges(old.url, viewer), webhooks(syncer.url, webhookSecret))
	if out, _ := command(t, newerEnv, 0, newer, "migrate", "up", "--yes"); !strings.Contains(out, "9001_planted") || !strings.Contains(out, "backup ") {
		t.Errorf("migrate up: %s", out)
	}
	l.end(t, "while the schema was migrated")

	beside := serveProgram(t, newer, newerEnv...)
	l = newLoad(t, ranges(old.url, viewer), ranges(beside.url, viewer), webhooks(syncer.url, webhookSecret))
	waitFor(t, "requests to both versions", func() bool { return l.sent.Load() >= 300 })
	if code, other := ready(old), ready(syncer); code != http.StatusOK || other != http.StatusOK {
		t.Errorf("on the newer schema /readyz is %d and %d", code, other)
	}
	if out, _ := command(t, f.env, 0, "gateway", "migrate", "status"); !strings.Contains(out, "unknown  9001  (applied by a newer Lectern; programs that know version 13 can work with it)") {
		t.Errorf("migrate status of the older: %s", out)
	}
	if _, stderr := command(t, f.env, 1, "gateway", "migrate", "down", "--yes", "--no-backup"); !strings.Contains(stderr, "9001") {
		t.Errorf("migrate down of the older: %s", stderr)
	}
	l.end(t, "side by side")

	// A version that needs the newer program.
	pgtest.Exec(t, database, "UPDATE lectern.lectern_schema SET compatible_since = 9001 WHERE version = 9001")
	waitFor(t, "unreadiness of the older", func() bool {
		return ready(old) == http.StatusServiceUnavailable && ready(syncer) == http.StatusServiceUnavailable
	})
	if code := ready(beside); code != http.StatusOK {
		t.Errorf("/readyz of the newer is %d", code)
	}
	if _, stderr := command(t, f.env, 2, "gateway", "serve"); !strings.Contains(stderr, "database-url: the database has version 9001") {
		t.Errorf("serve of the older says %s", stderr)
	}
	pgtest.Exec(t, database, "UPDATE lectern.lectern_schema SET compatible_since = 13 WHERE version = 9001")
	waitFor(t, "readiness of the older", func() bool { return ready(old) == http.StatusOK && ready(syncer) == http.StatusOK })

	beside.stop(t, os.Interrupt)
	l = newLoad(t, ranges(old.url, viewer), webhooks(syncer.url, webhookSecret))
	if out, _ := command(t, newerEnv, 0, newer, "migrate", "down", "--yes", "--no-backup"); !strings.Contains(out, "9001_planted") {
		t.Errorf("migrate down: %s", out)
	}
	l.end(t, "while the schema was reverted")
	if code, other := ready(old), ready(syncer); code != http.StatusOK || other != http.StatusOK {
		t.Errorf("on the reverted schema /readyz is %d and %d", code, other)
	}
}
