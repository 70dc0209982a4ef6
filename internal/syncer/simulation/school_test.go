package simulation

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/catalog/document"
	"github.com/lectiospace/lectern/internal/emulator"
	zoomemu "github.com/lectiospace/lectern/internal/emulator/zoom"
	"github.com/lectiospace/lectern/internal/syncer/intake"
)

const (
	teachers = 3
	// perDay are the lessons of one teacher on one day.
	perDay = 2
)

// meeting is a meeting as it really is, whatever Zoom says of it.
type meeting struct {
	teacher int
	id      int64 // of Zoom, the same for all meetings of a lesson's series
	uuid    string
	lesson  bool // there is one
	start   time.Time
	files   []*file
	// trashed: somebody has removed it at Zoom for good.
	trashed bool
	// expires: its recording is removed after some days.
	expires bool
}

// file is a file of a meeting's recording.
type file struct {
	m       *meeting
	f       zoomemu.File
	version int
	millis  int64
	size    int
}

// name is what the file's content is recognized by, its version apart.
func (f *file) name() string { return f.m.uuid + "/" + f.f.ID }

// video reports whether the file is video or sound.
func (f *file) video() bool { return f.f.Type == "MP4" || f.f.Type == "M4A" }

// content are the file's bytes at Zoom.
func (f *file) content() []byte {
	tag := fmt.Sprintf("%s@%d", f.name(), f.version)
	switch {
	case f.video():
		return video{Of: []string{tag}, Millis: f.millis, Size: f.size + 10*f.version}.bytes()
	case f.f.Type == "TRANSCRIPT":
		return []byte("WEBVTT\n\nNOTE " + tag + "\n\n1\n00:00:00.500 --> 00:00:01.500\nAnna: Good morning\n")
	default:
		return []byte("00:00:01\tAnna:\t" + tag + "\n")
	}
}

// open begins the school: its people and its first lessons.
func (w *world) openSchool() {
	var doc strings.Builder
	doc.WriteString("people:\n")
	for n := 1; n <= teachers; n++ {
		fmt.Fprintf(&doc, "  - {email: %s, role: teacher, zoom_account_id: acc-%d, zoom_client_id: client, zoom_client_secret: secret, zoom_user_id: host-%d}\n", email(n), n, n)
		w.zoom.AddAccount(account(n, "secret"))
	}
	doc.WriteString("groups:\n")
	for n := 1; n <= teachers; n++ {
		fmt.Fprintf(&doc, "  - {name: group-%d, teacher: %s}\n", n, email(n))
	}
	w.apply(doc.String())
}

func email(n int) string { return fmt.Sprintf("teacher-%d@school.test", n) }

func account(n int, secret string) zoomemu.Account {
	return zoomemu.Account{ID: fmt.Sprintf("acc-%d", n), ClientID: "client", ClientSecret: secret, Owner: fmt.Sprintf("host-%d", n)}
}

// apply changes the catalog as an operator does.
func (w *world) apply(doc string) {
	w.t.Helper()
	if _, err := document.Apply(w.ctx, w.admin, strings.NewReader(doc), false); err != nil {
		w.t.Fatal(err, doc)
	}
}

// exec changes the database as the platform does.
func (w *world) exec(statement string, args ...any) {
	w.t.Helper()
	err := w.admin.Update(w.ctx, "simulation", func(x catalog.Session) error {
		_, err := x.Exec(w.ctx, statement, args...)
		return err
	})
	if err != nil {
		w.t.Fatal(err, statement)
	}
}

// plan puts a day on the agenda. What happens is drawn from a source of the day's own.
func (w *world) plan(day time.Time) {
	r := w.random(day.Format(time.DateOnly))
	down := r.IntN(8) == 0
	shifts := []time.Time{day.Add(10 * time.Hour), day.Add(15 * time.Hour)}
	if !down {
		for _, at := range shifts {
			w.work(at, 22*time.Minute)
		}
		w.work(day.Add(3*time.Hour+time.Minute), 6*time.Minute)
	}
	if day.Weekday() == time.Saturday || day.Weekday() == time.Sunday {
		return
	}
	var lessons strings.Builder
	for n := 1; n <= teachers; n++ {
		for i := range perDay {
			w.planMeeting(r, &lessons, n, day.Add(time.Duration(8+4*i)*time.Hour), shifts[i])
		}
	}
	if lessons.Len() > 0 {
		text := "lessons:\n" + lessons.String()
		w.agenda.add(day.Add(time.Hour), "", func() { w.apply(text) })
	}
	w.planChanges(r, day)
}

// planMeeting plans one lesson of a teacher and its recording.
func (w *world) planMeeting(r *rand.Rand, lessons *strings.Builder, teacher int, start, shift time.Time) {
	w.meetings = append(w.meetings, &meeting{teacher: teacher, id: int64(1000*teacher + start.Hour()), start: start, lesson: true})
	m := w.meetings[len(w.meetings)-1]
	m.uuid = fmt.Sprintf("m%d==", len(w.meetings))
	if r.IntN(12) == 0 {
		m.uuid = fmt.Sprintf("/m//%d==", len(w.meetings))
	}
	keep := 90
	if r.IntN(10) == 0 {
		m.expires, keep = true, 1+r.IntN(3)
	}
	title := fmt.Sprintf("Lesson %d", len(w.meetings))
	line := fmt.Sprintf("  - {title: '%s', group: group-%d, teacher: %s, start: %s, end: %s, zoom_meeting_id: '%d', record: true, available_days: %d}\n",
		title, teacher, email(teacher), start.UTC().Format(time.RFC3339), start.Add(time.Hour).UTC().Format(time.RFC3339), m.id, keep)
	switch r.IntN(20) {
	case 0: // nobody has entered it
		m.lesson = false
		m.id += 500000 + int64(len(w.meetings))
	case 1: // it is entered afterwards
		w.agenda.add(start.Add(time.Duration(3+r.IntN(40))*time.Hour), "a lesson is entered late", func() { w.apply("lessons:\n" + line) })
	default:
		lessons.WriteString(line)
	}
	began := start.Add(time.Duration(r.IntN(9)-3) * time.Minute)
	segments := 1
	if r.IntN(6) == 0 {
		segments = 2
	}
	length := 50 * time.Minute / time.Duration(segments)
	for s := range segments {
		from := began.Add(time.Duration(s) * (length + 2*time.Minute))
		m.add(r, fmt.Sprintf("video-%d", s), "MP4", "shared_screen_with_speaker_view", from, from.Add(length))
		if r.IntN(4) == 0 {
			m.add(r, fmt.Sprintf("gallery-%d", s), "MP4", "gallery_view", from, from.Add(length))
		}
		if r.IntN(4) == 0 {
			m.add(r, fmt.Sprintf("sound-%d", s), "M4A", "audio_only", from, from.Add(length))
		}
	}
	if r.IntN(3) == 0 {
		m.add(r, "transcript", "TRANSCRIPT", "audio_transcript", began, began.Add(length))
	}
	if r.IntN(3) == 0 {
		m.add(r, "chat", "CHAT", "chat_file", began, began.Add(length))
	}
	done := shift.Add(time.Duration(r.IntN(16*60)) * time.Second)
	if r.IntN(4) == 0 {
		done = start.Add(time.Hour + time.Duration(r.IntN(8*3600))*time.Second)
	}
	w.planRecording(r, m, done)
	w.planMoves(r, title, m, done)
}

// planMoves plans what people do to a lesson after it was held.
func (w *world) planMoves(r *rand.Rand, title string, m *meeting, done time.Time) {
	if !w.faults.on {
		return
	}
	at := done.Add(time.Duration(r.IntN(30*3600)-3600) * time.Second)
	switch r.IntN(20) {
	case 0: // it matches no more, and perhaps again later
		w.agenda.add(at, title+" gets another meeting", func() { w.setMeeting(title, m.id+700000) })
		if r.IntN(2) == 0 {
			w.agenda.add(at.Add(time.Duration(r.IntN(48*3600))*time.Second), title+" gets its meeting back", func() { w.setMeeting(title, m.id) })
		}
	case 1:
		to := m.start.Add(time.Duration(r.IntN(90)-45) * time.Minute)
		w.agenda.add(at, title+" is moved to "+to.UTC().Format("15:04"), func() {
			w.exec(`UPDATE public.schedule_lesson SET start_time = $2, end_time = $3 WHERE title = $1`, title, catalog.NewDBTime(to), catalog.NewDBTime(to.Add(time.Hour)))
		})
	}
}

func (w *world) setMeeting(title string, id int64) {
	w.exec(`UPDATE public.schedule_lesson SET zoom_meeting_id = $2 WHERE title = $1`, title, fmt.Sprint(id))
}

func (m *meeting) add(r *rand.Rand, id, kind, view string, start, end time.Time) {
	f := &file{m: m, version: 1, millis: end.Sub(start).Milliseconds(), size: 1500 + r.IntN(4000), f: zoomemu.File{ID: id, Type: kind, View: view, Start: start, End: end}}
	if !f.video() {
		f.f.ContentType, f.f.Extension = "text/plain", "TXT"
	}
	if f.f.Type == "TRANSCRIPT" {
		f.f.ContentType, f.f.Extension = "text/vtt", "VTT"
	}
	f.f.ID = fmt.Sprintf("%s-%s", id, strings.Trim(m.uuid, "/m="))
	m.files = append(m.files, f)
}

// planRecording plans when Zoom has the recording of a meeting, and what becomes of it there.
func (w *world) planRecording(r *rand.Rand, m *meeting, done time.Time) {
	z := zoomemu.Meeting{Account: fmt.Sprintf("acc-%d", m.teacher), ID: m.id, UUID: m.uuid, Host: fmt.Sprintf("host-%d", m.teacher), Topic: "Lesson", Start: m.files[0].f.Start, Minutes: 55, StringIDs: r.IntN(15) == 0}
	for _, f := range m.files {
		f.f.Content = emulator.Bytes(f.content())
		if w.faults.on && f.video() {
			switch r.IntN(25) {
			case 0, 1:
				f.f.PageFor = 1 + r.IntN(5)
			case 2, 3:
				f.f.CutFor = 1 + r.IntN(5)
			case 4:
				f.f.SizeOff = int64(1 + r.IntN(3))
			case 5:
				f.f.NoSize = true
			}
		}
	}
	w.agenda.add(done.Add(-time.Duration(r.IntN(40))*time.Minute), "", func() {
		early := z
		for _, f := range m.files {
			f := f.f
			f.Processing = true
			early.Files = append(early.Files, f)
		}
		w.zoom.AddMeeting(early)
	})
	w.agenda.add(done, "Zoom has finished "+m.uuid, func() {
		for _, f := range m.files {
			w.zoom.Change(m.uuid, f.f.ID, func(at *zoomemu.File) { at.Processing = false })
		}
	})
	w.planWebhook(r, "recording.completed", m, done.Add(time.Second))
	if r.IntN(3) == 0 {
		w.planWebhook(r, "recording.transcript_completed", m, done.Add(time.Duration(1+r.IntN(600))*time.Second))
	}
	if !w.faults.on {
		return
	}
	switch later := done.Add(time.Duration(1+r.IntN(4*3600)) * time.Second); r.IntN(12) {
	case 0:
		w.agenda.add(later, "somebody trashes "+m.uuid+" at Zoom", func() { w.setTrashed(m, true) })
		w.planWebhook(r, "recording.trashed", m, later.Add(time.Second))
		if r.IntN(3) > 0 {
			back := later.Add(time.Duration(1+r.IntN(30*3600)) * time.Second)
			w.agenda.add(back, "somebody recovers "+m.uuid, func() { w.setTrashed(m, false) })
			w.planWebhook(r, "recording.recovered", m, back.Add(time.Second))
		}
	case 1:
		f := m.files[r.IntN(len(m.files))]
		if f.video() && !f.f.NoSize { // another version shows by its size only
			w.agenda.add(later.Add(time.Duration(r.IntN(20*3600))*time.Second), "Zoom makes "+f.name()+" anew", func() { w.changeAtZoom(f) })
		}
	}
}

func (w *world) setTrashed(m *meeting, trashed bool) {
	w.mu.Lock()
	m.trashed = trashed
	w.mu.Unlock()
	for _, f := range m.files {
		w.zoom.Change(m.uuid, f.f.ID, func(at *zoomemu.File) { at.Deleted = trashed })
	}
}

func (w *world) changeAtZoom(f *file) {
	w.mu.Lock()
	f.version++
	data := f.content()
	w.mu.Unlock()
	w.zoom.Change(f.m.uuid, f.f.ID, func(at *zoomemu.File) { at.Content = emulator.Bytes(data) })
}

// planChanges plans what people change that day.
func (w *world) planChanges(r *rand.Rand, day time.Time) {
	if !w.faults.on {
		return
	}
	n := 1 + r.IntN(teachers)
	at := day.Add(time.Duration(r.IntN(20*3600)) * time.Second)
	switch r.IntN(6) {
	case 0:
		w.agenda.add(at, fmt.Sprintf("teacher %d's storage is full", n), func() { w.setQuota(n, 1) })
		w.agenda.add(at.Add(time.Duration(1+r.IntN(40))*time.Hour), fmt.Sprintf("teacher %d's storage is enlarged", n), func() { w.setQuota(n, 5<<30) })
	case 1:
		off := time.Duration(r.IntN(480)-240) * time.Second
		w.agenda.add(at, fmt.Sprintf("the syncer's clock is off by %s", off), func() { w.clock.Store(int64(off)) })
	case 2:
		w.agenda.add(at, fmt.Sprintf("teacher %d's app has another secret", n), func() { w.zoom.AddAccount(account(n, "another")) })
		w.agenda.add(at.Add(time.Duration(1+r.IntN(30))*time.Hour), fmt.Sprintf("teacher %d's app has its secret again", n), func() { w.zoom.AddAccount(account(n, "secret")) })
	}
}

func (w *world) setQuota(n int, bytes int64) {
	w.exec(`INSERT INTO public.schedule_teacherstoragequota (teacher_id, total_quota_bytes, used_bytes, recordings_count, purchased_gb, warning_sent, quota_exceeded, created_at, updated_at)
		SELECT id, $2, 0, 0, 0, $3, $3, $4, $4 FROM public.accounts_customuser WHERE email = $1
		ON CONFLICT (teacher_id) DO UPDATE SET total_quota_bytes = $2`, email(n), bytes, false, catalog.NewDBTime(time.Now()))
}

// planWebhook plans the deliveries of an event, with Zoom's retries.
func (w *world) planWebhook(r *rand.Rand, event string, m *meeting, at time.Time) {
	deliveries := 1
	if w.faults.on {
		switch r.IntN(10) {
		case 0:
			return // it never comes
		case 1:
			deliveries = 2
		case 2:
			at = at.Add(time.Duration(r.IntN(6*3600)) * time.Second)
		}
	}
	w.agenda.add(at, "", func() {
		body := w.zoom.Event(event, m.uuid)
		var sent sync.WaitGroup
		for range deliveries {
			sent.Go(func() { w.send(event, m.uuid, body, 0) })
		}
		sent.Wait()
	})
}

// retries are Zoom's, after the deliveries that were not answered well.
var retries = []time.Duration{5 * time.Minute, 20 * time.Minute, time.Hour}

func (w *world) send(event, uuid string, body []byte, try int) {
	r, err := zoomemu.Request(context.WithoutCancel(w.ctx), "http://syncer.test"+intake.Paths[0], webhookSecret, body, time.Now())
	if err != nil {
		panic("BUG: " + err.Error())
	}
	w.faults.aim(event + " " + uuid)
	status := w.deliver(r)
	w.note("webhook %s of %s, delivery %d: %d", event, uuid, try+1, status)
	if status == http.StatusOK {
		w.mu.Lock()
		w.acknowledged = append(w.acknowledged, acknowledged{event, uuid})
		w.mu.Unlock()
		return
	}
	if try < len(retries) {
		w.mu.Lock()
		w.agenda.add(time.Now().Add(retries[try]), "", func() { w.send(event, uuid, body, try+1) })
		w.mu.Unlock()
	}
}

// acknowledged is an event that the syncer has answered with 200.
type acknowledged struct{ event, uuid string }
