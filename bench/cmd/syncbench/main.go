// Command syncbench measures the real syncer against emulated Zoom and Drive: how
// fast webhooks are stored, what an ingest costs, and what a reconciliation does.
// Emulators and senders share the machine with it, so that figures are lower bounds.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	zoomemu "github.com/lectiospace/lectern/internal/emulator/zoom"
)

type options struct {
	bin, dir, database string
	senders, events    int
	size, rate         int64
	teachers, meetings int
	asJSON             bool
}

func main() {
	var o options
	flag.StringVar(&o.bin, "bin", "bin", "folder of the built programs")
	flag.StringVar(&o.dir, "dir", "", "folder for data (default: the system's temporary one)")
	flag.StringVar(&o.database, "database", "", "an empty PostgreSQL database (default: SQLite)")
	flag.IntVar(&o.senders, "senders", 16, "webhooks: how many deliver at once")
	flag.IntVar(&o.events, "events", 4000, "webhooks: how many events")
	flag.Int64Var(&o.size, "size", 1<<30, "ingest: bytes of the recording")
	flag.Int64Var(&o.rate, "rate", 0, "ingest: Zoom's bytes per second; 0 = no limit")
	flag.IntVar(&o.teachers, "teachers", 100, "reconcile: teachers")
	flag.IntVar(&o.meetings, "meetings", 50, "reconcile: meetings of each")
	flag.BoolVar(&o.asJSON, "json", false, "webhooks: print the figures as JSON, for a program")
	flag.Parse()
	scenarios := map[string]func(options) error{"webhooks": webhooks, "ingest": ingest, "reconcile": reconcile}
	scenario, ok := scenarios[flag.Arg(0)]
	if !ok || flag.NArg() != 1 {
		log.Fatal("usage: syncbench [flags] webhooks|ingest|reconcile")
	}
	if err := scenario(o); err != nil {
		log.Fatal(err)
	}
}

// webhooks delivers distinct events from many senders and measures how long each waited.
func webhooks(o options) error {
	s, err := newFixture(o, 1, 1)
	if err != nil {
		return err
	}
	defer s.close()
	content, err := video(s.dir, 0)
	if err != nil {
		return err
	}
	bodies := make(chan []byte, o.events)
	for i := range o.events {
		uuid := fmt.Sprintf("bench-%d==", i)
		s.zoom.AddMeeting(zoomemu.Meeting{Account: "acc-0", ID: 7_000_000 + int64(i), UUID: uuid, Host: "host-0", Start: s.now.Add(-time.Hour), Minutes: 50,
			Files: []zoomemu.File{{ID: "file-" + uuid, Type: "MP4", View: "active_speaker", Start: s.now.Add(-time.Hour), End: s.now, Content: content}}})
		bodies <- s.zoom.Event("recording.completed", uuid)
	}
	close(bodies)
	syncer, err := s.serve(o)
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: o.senders}}
	var (
		mu       sync.Mutex
		waits    []time.Duration
		refused  int
		delivery sync.WaitGroup
	)
	began := time.Now()
	for range o.senders {
		delivery.Go(func() {
			for body := range bodies {
				at := time.Now()
				code, _, err := zoomemu.Deliver(context.Background(), client, syncer.url+"/schedule/api/zoom/webhook/", webhookSecret, body)
				took := time.Since(at)
				mu.Lock()
				waits = append(waits, took)
				if err != nil || code != http.StatusOK {
					refused++
				}
				mu.Unlock()
			}
		})
	}
	delivery.Wait()
	took := time.Since(began)
	slices.Sort(waits)
	at := func(share float64) time.Duration {
		return waits[min(len(waits)-1, int(share*float64(len(waits))))]
	}
	cost, err := syncer.stop()
	if err != nil {
		return err
	}
	figures := Webhooks{
		Senders: o.senders, Events: len(waits), Refused: refused, Rate: float64(len(waits)) / took.Seconds(),
		P50: milliseconds(at(.5)), P99: milliseconds(at(.99)), Max: milliseconds(waits[len(waits)-1]),
		CPU: float64(cost.cpu.Milliseconds()) / float64(len(waits)), Peak: cost.peak >> 20,
	}
	if o.asJSON {
		return json.NewEncoder(os.Stdout).Encode(figures)
	}
	fmt.Printf("webhooks: %d senders, %d events, %d refused: %.0f/s, p50 %.2f ms, p99 %.2f ms, max %.2f ms; %.2f ms CPU each, peak %d MiB\n",
		figures.Senders, figures.Events, figures.Refused, figures.Rate, figures.P50, figures.P99, figures.Max, figures.CPU, figures.Peak)
	return nil
}

// Webhooks are the figures of the scenario webhooks. Times are in milliseconds, from the request
// to its answer; CPU is the syncer's for each event.
type Webhooks struct {
	Senders int     `json:"senders"`
	Events  int     `json:"events"`
	Refused int     `json:"refused"`
	Rate    float64 `json:"events_per_second"`
	P50     float64 `json:"p50_ms"`
	P99     float64 `json:"p99_ms"`
	Max     float64 `json:"max_ms"`
	CPU     float64 `json:"cpu_ms_per_event"`
	Peak    int64   `json:"peak_mib"`
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// ingest archives one large recording in Drive.
func ingest(o options) error {
	s, err := newFixture(o, 1, 1)
	if err != nil {
		return err
	}
	defer s.close()
	content, err := video(s.dir, o.size)
	if err != nil {
		return err
	}
	s.zoom.SetFaults(zoomemu.Faults{Rate: o.rate})
	uuid := s.record(0, 0, content)
	event := s.zoom.Event("recording.completed", uuid)
	syncer, err := s.serve(o)
	if err != nil {
		return err
	}
	began := time.Now()
	if code, _, err := zoomemu.Deliver(context.Background(), http.DefaultClient, syncer.url+"/schedule/api/zoom/webhook/", webhookSecret, event); err != nil || code != http.StatusOK {
		return fmt.Errorf("the webhook: %d, %w", code, err)
	}
	for syncer.metric("lectern_ingest_bytes_total") == 0 {
		if time.Since(began) > 20*time.Minute {
			return fmt.Errorf("not archived within 20 minutes")
		}
		time.Sleep(100 * time.Millisecond)
	}
	took := time.Since(began)
	cost, err := syncer.stop()
	if err != nil {
		return err
	}
	gib := float64(content.Size()) / (1 << 30)
	limit := "no limit"
	if o.rate > 0 {
		limit = fmt.Sprintf("%.0f MiB/s", float64(o.rate)/(1<<20))
	}
	fmt.Printf("ingest: %.2f GiB from Zoom (%s) to Drive in %s: %.0f MiB/s from webhook to verified archive; %.1f s CPU per GiB, peak %d MiB\n",
		gib, limit, took.Round(10*time.Millisecond), gib*1024/took.Seconds(), cost.cpu.Seconds()/gib, cost.peak>>20)
	return nil
}

// reconcile compares many teachers' recordings with an empty archive, and once more
// when all of them are known.
func reconcile(o options) error {
	s, err := newFixture(o, o.teachers, o.meetings)
	if err != nil {
		return err
	}
	defer s.close()
	content, err := video(s.dir, 0)
	if err != nil {
		return err
	}
	for t := range o.teachers {
		for i := range o.meetings {
			s.record(t, i, content)
		}
	}
	for _, which := range []string{"first", "again"} {
		before := s.zoom.Stats()
		cmd := exec.Command(filepath.Join(o.bin, "syncer"), "reconcile", "--no-wait")
		cmd.Env = append(os.Environ(), s.env...)
		began := time.Now()
		out, err := cmd.Output()
		if err != nil {
			return fmt.Errorf("syncer reconcile: %w", err)
		}
		took, cost, after := time.Since(began), costOf(cmd), s.zoom.Stats()
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		fmt.Printf("reconcile (%s): %d teachers x %d meetings: %d calls of Zoom (%d tokens, %d lists, %d others), %s, %.1f s CPU, peak %d MiB; %s\n",
			which, o.teachers, o.meetings, after.Tokens+after.Lists+after.Gets-before.Tokens-before.Lists-before.Gets,
			after.Tokens-before.Tokens, after.Lists-before.Lists, after.Gets-before.Gets, took.Round(10*time.Millisecond), cost.cpu.Seconds(), cost.peak>>20, lines[len(lines)-1])
	}
	return nil
}
