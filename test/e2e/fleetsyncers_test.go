package e2e

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/lectiospace/lectern/internal/emulator"
	driveemu "github.com/lectiospace/lectern/internal/emulator/drive"
	zoomemu "github.com/lectiospace/lectern/internal/emulator/zoom"
	"github.com/lectiospace/lectern/internal/pgtest"
)

// TestFleetSyncers: of two syncers on one PostgreSQL one leads. It is killed in the middle of
// an ingest: the other leads, finishes what it began, and every recording is archived once.
func TestFleetSyncers(t *testing.T) {
	t.Parallel()
	const recordings = 3
	database := pgtest.Start(t)
	s := newZoomFixture(t, database, recordings)
	s.zoom.SetFaults(zoomemu.Faults{Rate: 1 << 20})
	s.drive.SetDefaults(driveemu.Faults{Upload: driveemu.UploadFaults{Rate: 8 << 20}})
	lesson := padded(t, mp4(t, 5), 4<<20)
	for i := range recordings {
		s.record(i, lesson)
	}
	// On two machines the heartbeat of a dead syncer has to grow old; on one its lock is free.
	machines := os.Getenv("OUTAGE") != ""
	start := func() *gateway {
		env := append(s.env[:len(s.env):len(s.env)], "LECTERN_SYNC_WORKERS=1")
		if machines {
			env = append(env, "LECTERN_DATA_DIR="+t.TempDir())
		}
		return serveProgram(t, "syncer", env...)
	}
	text := func(query string) (value string) {
		t.Helper()
		conn, err := pgx.Connect(t.Context(), database)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(t.Context())
		if err := conn.QueryRow(t.Context(), query).Scan(&value); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		return value
	}
	const leader = `SELECT coalesce(max(leader_id), '') FROM lectern.river_leader WHERE expires_at > now()`

	first := start()
	waitFor(t, "a leader", func() bool { return text(leader) != "" })
	led := text(leader)
	second := start()
	before := s.zoom.Stats().Bytes
	waitFor(t, "the leader in the middle of an ingest", func() bool {
		return text(`SELECT count(*)::text FROM lectern.lectern_ingests WHERE state = 'working' AND starts_with(owner, '`+led+`')`) == "1" && s.zoom.Stats().Bytes > before
	})
	if text(leader) != led {
		t.Error("the second syncer leads beside the first")
	}
	first.kill()
	killed := time.Now()
	done := strings.Count(first.stderr.String(), `"msg":"ingest: recording archived"`)
	waitFor(t, "everything archived", func() bool {
		return text(`SELECT count(*)::text FROM public.schedule_lessonrecording WHERE status = 'ready'`) == fmt.Sprint(recordings)
	})
	took := time.Since(killed)
	waitFor(t, "the second syncer to lead", func() bool { now := text(leader); return now != "" && now != led })
	if n := strings.Count(second.stderr.String(), `"msg":"ingest: recording archived"`); n != recordings-done {
		t.Errorf("the second syncer archived %d recordings, the first %d, of %d", n, done, recordings)
	}
	files := s.drive.Files()
	if n := text(`SELECT count(*)::text FROM public.schedule_lessonrecording`); len(files) != recordings || n != fmt.Sprint(recordings) {
		t.Errorf("%d files in Drive, %s rows", len(files), n)
	}
	stored := int64(0)
	for _, f := range files {
		stored += f.Content.Size()
		if got, want := md5Of(t, f.Content), md5Of(t, lesson); got != want {
			t.Errorf("%s has other bytes", f.Name)
		}
	}
	if used := text(`SELECT used_bytes::text FROM public.schedule_teacherstoragequota WHERE teacher_id = 1`); used != fmt.Sprint(stored) {
		t.Errorf("quota: %s bytes, stored %d", used, stored)
	}
	t.Logf("the leader killed in mid-ingest, %d of %d archived: all archived once %s later, %d bytes charged once; the second leads %s after the kill",
		done, recordings, took.Round(100*time.Millisecond), stored, time.Since(killed).Round(100*time.Millisecond))
}

// padded is a recording with a free box at its end, so that its transfers take time.
func padded(t *testing.T, recording []byte, size int) emulator.Content {
	t.Helper()
	box := binary.BigEndian.AppendUint32(nil, uint32(size))
	return emulator.Concat(emulator.Bytes(recording), emulator.Bytes(append(box, "free"...)), emulator.Bytes(bytes.Repeat([]byte{0}, size-8)))
}
