package simulation

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/catalog/document"
	"github.com/lectiospace/lectern/internal/emulator"
	zoomemu "github.com/lectiospace/lectern/internal/emulator/zoom"
	"github.com/lectiospace/lectern/internal/library"
	"github.com/lectiospace/lectern/internal/syncer/intake"
)

const (
	teachers = 3
	// perDay are the lessons of one teacher on one day.
	perDay = 2
	// mostClockError is by how much the clock of the syncers' machines is wrong at most.
	mostClockError = 13 * time.Hour
)

// meeting is a meeting as it really is, whatever Zoom says of it.
type meeting struct {
	teacher int
	id      int64 // of Zoom, the same for all meetings of a lesson's series
	uuid    string
	start   time.Time
	files   []*file
	// trashed: somebody has removed it at Zoom for good.
	trashed bool
	// keep is for how many days its recording is kept.
	keep int
	// removed: so many recordings of it are removed by their teachers.
	removed int
}

// file is a file of a meeting's recording.
type file struct {
	m       *meeting
	f       zoomemu.File
	version int
	millis  int64
	size    int
	growth  int  // of each later version
	broken  bool // nobody can play it
	late    bool // Zoom lists it hours after the others
}

// expiresFrom is when its recording may expire at the earliest: it is kept from when it was archived.
// A syncer's clock may have been slow then, and fast when it looks.
func (m *meeting) expiresFrom() time.Time {
	return m.start.AddDate(0, 0, m.keep).Add(-2 * mostClockError)
}

// expiresUntil is when its recording has expired at the latest, bytes and all: that of a meeting
// that is listed late, or that grows, is kept for longer.
func (m *meeting) expiresUntil() time.Time { return m.end().AddDate(0, 0, m.keep+8) }

// name is what the file's content is recognized by, its version apart.
func (f *file) name() string { return f.m.uuid + "/" + f.f.ID }

// video reports whether the file is video or sound.
func (f *file) video() bool { return f.f.Type == "MP4" || f.f.Type == "M4A" }

// content are the file's bytes at Zoom.
func (f *file) content() []byte {
	tag := fmt.Sprintf("%s@%d", f.name(), f.version)
	switch {
	case f.broken:
		return fmt.Appendf(nil, "no tracks are in %s\n", tag)
	case f.video():
		return video{Of: []string{tag}, Millis: f.millis, Size: f.size + f.growth*(f.version-1)}.bytes()
	case f.f.Type == "TRANSCRIPT":
		return []byte("WEBVTT\n\nNOTE " + tag + "\n\n1\n00:00:00.500 --> 00:00:01.500\nAnna: Good morning\n")
	default:
		return []byte("00:00:01\tAnna:\t" + tag + "\n")
	}
}

// openSchool begins the school: its people and its groups.
func (w *world) openSchool() {
	var doc strings.Builder
	doc.WriteString("people:\n")
	for n := 1; n <= teachers; n++ {
		fmt.Fprintf(&doc, "  - {email: %s, role: teacher, zoom_account_id: acc-%d, zoom_client_id: client, zoom_client_secret: secret, zoom_user_id: host-%d}\n", email(n), n, n)
		w.zoom.AddAccount(account(n, "secret"))
	}
	members := map[int][]string{}
	for n := 1; n <= 2*teachers+2; n++ {
		s := &student{name: fmt.Sprintf("student-%d@school.test", n), groups: map[int]bool{}, ever: map[int]bool{}, active: n != 2*teachers+2}
		fmt.Fprintf(&doc, "  - {email: %s, role: student, active: %t}\n", s.name, s.active)
		group := (n + 1) / 2
		if n == 2*teachers+2 {
			group = 1
		}
		if n != 2*teachers+1 { // who is in no group
			s.groups[group], s.ever[group] = true, true
			members[group] = append(members[group], s.name)
		}
		w.students = append(w.students, s)
	}
	w.students[0].groups[2], w.students[0].ever[2] = true, true
	members[2] = append(members[2], w.students[0].name)
	doc.WriteString("groups:\n")
	for n := 1; n <= teachers; n++ {
		fmt.Fprintf(&doc, "  - {name: group-%d, teacher: %s, students: [%s]}\n", n, email(n), strings.Join(members[n], ", "))
	}
	w.apply(doc.String())
	w.teachers, w.groups = map[int]int64{}, map[int]int64{}
	for n := 1; n <= teachers; n++ {
		w.teachers[n] = w.number64(`SELECT id FROM public.accounts_customuser WHERE email = $1`, email(n))
		w.groups[n] = w.number64(`SELECT id FROM public.schedule_group WHERE name = $1`, fmt.Sprintf("group-%d", n))
	}
	for _, s := range w.students {
		s.id = w.number64(`SELECT id FROM public.accounts_customuser WHERE email = $1`, s.name)
	}
}

// number64 is the one number that a query gives.
func (w *world) number64(query string, args ...any) (n int64) {
	w.t.Helper()
	if err := w.admin.Row(w.ctx, "simulation", query, args, &n); err != nil {
		w.t.Fatal(err, query)
	}
	return n
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

// week is how a week of a longer simulation is: a full one, one with few lessons, or none.
func (w *world) week(day time.Time) (lessonsIn int) {
	if *days <= fullWeeks {
		return 1
	}
	_, number := day.ISOWeek()
	switch r := w.random(fmt.Sprint("week ", number)); r.IntN(8) {
	case 0:
		return 1
	case 1, 2:
		return 0
	default:
		return 6
	}
}

// fullWeeks are the days up to which a simulation has full weeks only.
const fullWeeks = 14

// plan puts a day on the agenda. What happens is drawn from a source of the day's own.
func (w *world) plan(day time.Time) {
	r := w.random(day.Format(time.DateOnly))
	lessonsIn := w.week(day)
	if lessonsIn == 0 { // holidays
		if r.IntN(7) == 0 {
			w.work(day.Add(3*time.Hour+time.Minute), 6*time.Minute)
		}
		return
	}
	school := day.Weekday() != time.Saturday && day.Weekday() != time.Sunday
	down := r.IntN(8) == 0
	shifts := []time.Time{day.Add(10 * time.Hour), day.Add(15 * time.Hour)}
	used := []bool{lessonsIn == 1, lessonsIn == 1}
	var lessons strings.Builder
	for n := 1; school && n <= teachers; n++ {
		for i := range perDay {
			if r.IntN(lessonsIn) > 0 {
				continue
			}
			used[i] = true
			w.planMeeting(r, &lessons, n, day.Add(time.Duration(8+4*i)*time.Hour), shifts[i])
		}
	}
	if !down {
		for i, at := range shifts {
			if used[i] {
				w.work(at, 22*time.Minute)
			}
		}
		if r.IntN(lessonsIn) < 2 {
			w.work(day.Add(3*time.Hour+time.Minute), 6*time.Minute)
		}
	}
	if lessons.Len() > 0 {
		text := "lessons:\n" + lessons.String()
		w.agenda.add(day.Add(time.Hour), "", func() { w.apply(text) })
	}
	if school && r.IntN(lessonsIn) < 2 {
		w.planChanges(r, day)
	}
}

// planMeeting plans one lesson of a teacher and its recording.
func (w *world) planMeeting(r *rand.Rand, lessons *strings.Builder, teacher int, start, shift time.Time) {
	w.meetings = append(w.meetings, &meeting{teacher: teacher, id: int64(1000*teacher + start.Hour()), start: start})
	m := w.meetings[len(w.meetings)-1]
	m.uuid = fmt.Sprintf("m%d==", len(w.meetings))
	if r.IntN(12) == 0 {
		m.uuid = fmt.Sprintf("/m//%d==", len(w.meetings))
	}
	m.keep = 90
	if r.IntN(10) == 0 {
		m.keep = 1 + r.IntN(3)
	}
	l := &lesson{title: fmt.Sprintf("Lesson %d", len(w.meetings)), group: teacher, teachers: []int{teacher}, privacy: w.drawPrivacy(r, teacher), slots: []slot{{m.id, start}}}
	w.lessons = append(w.lessons, l)
	line := fmt.Sprintf("  - {title: '%s', group: group-%d, teacher: %s, start: %s, end: %s, zoom_meeting_id: '%d', record: true, available_days: %d, notes: '%s'}\n",
		l.title, teacher, email(teacher), start.UTC().Format(time.RFC3339), start.Add(time.Hour).UTC().Format(time.RFC3339), m.id, m.keep, l.privacy.notes(w.groups))
	switch r.IntN(20) {
	case 0: // nobody has entered it
		m.id += 500000 + int64(len(w.meetings))
	case 1: // it is entered afterwards
		w.agenda.add(start.Add(time.Duration(3+r.IntN(40))*time.Hour), "a lesson is entered late", func() { w.apply("lessons:\n" + line); l.entered = true })
	default:
		l.entered = true
		lessons.WriteString(line)
	}
	if r.IntN(12) == 0 {
		all := allShapes()
		s := all[r.IntN(len(all))]
		m.addShape(r, s, start)
		w.agenda.add(m.files[0].f.Start, fmt.Sprintf("%s is %s", m.uuid, s.Name), func() {})
	} else {
		m.addFiles(r, start.Add(time.Duration(r.IntN(9)-3)*time.Minute))
	}
	done := shift.Add(time.Duration(r.IntN(16*60)) * time.Second)
	if last := m.end(); done.Before(last) || r.IntN(4) == 0 {
		done = last.Add(time.Duration(r.IntN(8*3600)) * time.Second)
	}
	w.planRecording(r, m, done)
	w.planMoves(r, l, m, done)
}

// end is when the last file of a meeting ends.
func (m *meeting) end() (end time.Time) {
	for _, f := range m.files {
		if f.f.End.After(end) {
			end = f.f.End
		}
	}
	return end
}

// addFiles gives a meeting files of the usual kind.
func (m *meeting) addFiles(r *rand.Rand, began time.Time) {
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
	if sound := slices.ContainsFunc(m.files, func(f *file) bool { return f.f.Type == "M4A" }); sound && r.IntN(3) == 0 {
		for _, f := range m.files { // the sound alone is there at first
			f.late = f.f.Type == "MP4"
		}
	}
}

// drawPrivacy draws who a lesson's recording is for.
func (w *world) drawPrivacy(r *rand.Rand, teacher int) privacy {
	switch r.IntN(6) {
	case 0:
		return privacy{kind: "all"}
	case 1: // one of the group, or of another
		return privacy{kind: "students", student: w.students[r.IntN(len(w.students))]}
	case 2:
		group := teacher
		if r.IntN(3) == 0 {
			group = 1 + r.IntN(teachers)
		}
		return privacy{kind: "groups", group: group}
	default:
		return privacy{kind: "lesson_group"}
	}
}

// planMoves plans what people do to a lesson after it was held.
func (w *world) planMoves(r *rand.Rand, l *lesson, m *meeting, done time.Time) {
	if !w.faults.on {
		return
	}
	at := done.Add(time.Duration(r.IntN(30*3600)-3600) * time.Second)
	switch r.IntN(30) {
	case 3, 4:
		w.agenda.add(at, "", func() { w.removeRecordings(m, at.Add(time.Duration(r.IntN(40*3600))*time.Second)) })
	case 0: // it matches no more, and perhaps again later
		w.agenda.add(at, l.title+" gets another meeting", func() { w.moveLesson(l, slot{m.id + 700000, m.start}) })
		if r.IntN(2) == 0 {
			w.agenda.add(at.Add(time.Duration(r.IntN(48*3600))*time.Second), l.title+" gets its meeting back", func() { w.moveLesson(l, slot{m.id, m.start}) })
		}
	case 1:
		to := slot{m.id, m.start.Add(time.Duration(r.IntN(90)-45) * time.Minute)}
		w.agenda.add(at, l.title+" is moved to "+to.start.UTC().Format("15:04"), func() { w.moveLesson(l, to) })
	case 2: // a substitute gives it
		n := 1 + r.IntN(teachers)
		w.agenda.add(at, fmt.Sprintf("%s is given by teacher %d", l.title, n), func() {
			l.teachers = append(l.teachers, n)
			w.substituted, w.runsBefore = true, w.number64(`SELECT COALESCE(MAX(id), 0) FROM lectern.lectern_runs`)
			w.exec(`UPDATE public.schedule_lesson SET teacher_id = $2 WHERE title = $1`, l.title, w.teachers[n])
		})
	}
}

// removeRecordings is its teacher removing what the library has of a meeting, and perhaps
// restoring it.
func (w *world) removeRecordings(m *meeting, again time.Time) {
	editor := library.NewEditor(w.admin, w.time, func() {})
	for _, r := range w.watched(true) {
		if !slices.Contains(r.meetings, m) || editor.Remove(w.ctx, r.OwnerID, r.ID, "simulation") != nil {
			continue
		}
		w.note("recording %d of %s is removed by its teacher", r.ID, r.names())
		for _, of := range r.meetings {
			of.removed++
		}
		if w.faults.random.IntN(2) == 0 {
			continue
		}
		w.agenda.add(again, "", func() {
			if err := editor.Restore(w.ctx, r.OwnerID, r.ID); err != nil {
				w.note("recording %d is not restored: %v", r.ID, err)
				return
			}
			w.note("recording %d is restored", r.ID)
			for _, of := range r.meetings {
				of.removed--
			}
		})
	}
}

func (w *world) moveLesson(l *lesson, to slot) {
	l.slots = append(l.slots, to)
	w.exec(`UPDATE public.schedule_lesson SET zoom_meeting_id = $2, start_time = $3, end_time = $4 WHERE title = $1`,
		l.title, fmt.Sprint(to.meeting), catalog.NewDBTime(to.start), catalog.NewDBTime(to.start.Add(time.Hour)))
}

func (m *meeting) add(r *rand.Rand, id, kind, view string, start, end time.Time) {
	f := &file{m: m, version: 1, millis: end.Sub(start).Milliseconds(), size: 1500 + r.IntN(4000), growth: 10 + r.IntN(2)*r.IntN(5000), f: zoomemu.File{ID: id, Type: kind, View: view, Start: start, End: end}}
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
			if f.late {
				continue
			}
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
	if late := done.Add(time.Duration(10+r.IntN(20*60)) * time.Minute); slices.ContainsFunc(m.files, func(f *file) bool { return f.late }) {
		w.agenda.add(late, "Zoom lists the videos of "+m.uuid, func() {
			for _, f := range m.files {
				if f.late {
					at := f.f
					at.Content, at.Deleted = emulator.Bytes(f.content()), m.trashed
					w.zoom.AddFile(m.uuid, at)
				}
			}
		})
		w.planWebhook(r, "recording.completed", m, late.Add(time.Second))
	}
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
	room := int64(1 + r.IntN(2)*r.IntN(9000)) // of a storage that is full
	at := day.Add(time.Duration(r.IntN(20*3600)) * time.Second)
	switch r.IntN(7) {
	case 3:
		s := w.students[r.IntN(len(w.students))]
		w.agenda.add(at, fmt.Sprintf("%s leaves or joins group %d", s.name, n), func() { w.changeGroup(s, n) })
	case 0:
		w.agenda.add(at, fmt.Sprintf("teacher %d's storage is full", n), func() { w.setQuota(n, w.used(n)+room) })
		w.agenda.add(at.Add(time.Duration(1+r.IntN(40))*time.Hour), fmt.Sprintf("teacher %d's storage is enlarged", n), func() { w.setQuota(n, 5<<30) })
	case 1:
		off := time.Duration(r.IntN(480)-240) * time.Second
		if r.IntN(3) == 0 {
			off = time.Duration(r.IntN(int(2*mostClockError/time.Second)))*time.Second - mostClockError
			w.agenda.add(at.Add(time.Duration(1+r.IntN(20))*time.Hour), "the syncer's clock is set right", func() { w.setClock(0) })
		}
		w.agenda.add(at, fmt.Sprintf("the syncer's clock is off by %s", off), func() { w.setClock(off) })
	case 2:
		w.agenda.add(at, fmt.Sprintf("teacher %d's app has another secret", n), func() { w.zoom.AddAccount(account(n, "another")) })
		w.agenda.add(at.Add(time.Duration(1+r.IntN(30))*time.Hour), fmt.Sprintf("teacher %d's app has its secret again", n), func() { w.zoom.AddAccount(account(n, "secret")) })
	}
}

// used are the bytes that a teacher is charged.
func (w *world) used(n int) int64 {
	return w.number64(`SELECT COALESCE(SUM(used_bytes), 0) FROM public.schedule_teacherstoragequota WHERE teacher_id = $1`, w.teachers[n])
}

// changeGroup takes a student out of a group, or into it.
func (w *world) changeGroup(s *student, n int) {
	s.moved = true
	if s.groups[n] {
		w.exec(`DELETE FROM public.schedule_group_students WHERE group_id = $1 AND customuser_id = $2`, w.groups[n], s.id)
		delete(s.groups, n)
		return
	}
	w.exec(`INSERT INTO public.schedule_group_students (group_id, customuser_id) VALUES ($1, $2)`, w.groups[n], s.id)
	s.groups[n], s.ever[n] = true, true
}

func (w *world) setQuota(n int, bytes int64) {
	w.exec(`INSERT INTO public.schedule_teacherstoragequota (teacher_id, total_quota_bytes, used_bytes, recordings_count, purchased_gb, warning_sent, quota_exceeded, created_at, updated_at)
		SELECT id, $2, 0, 0, 0, $3, $3, $4, $4 FROM public.accounts_customuser WHERE email = $1
		ON CONFLICT (teacher_id) DO UPDATE SET total_quota_bytes = $2`, email(n), bytes, false, catalog.NewDBTime(w.time()))
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
	r, err := zoomemu.Request(context.WithoutCancel(w.ctx), "http://syncer.test"+intake.Paths[0], webhookSecret, body, w.time())
	if err != nil {
		panic("BUG: " + err.Error())
	}
	w.faults.aim(event + " " + uuid)
	status := w.deliver(r, w.faults.draw("deliver "+event+" "+uuid).IntN(2))
	w.note("webhook %s of %s, delivery %d: %d", event, uuid, try+1, status)
	if status == http.StatusOK {
		w.mu.Lock()
		w.acknowledged = append(w.acknowledged, acknowledged{event, uuid})
		w.mu.Unlock()
		return
	}
	if try < len(retries) {
		w.mu.Lock()
		w.agenda.add(w.time().Add(retries[try]), "", func() { w.send(event, uuid, body, try+1) })
		w.mu.Unlock()
	}
}

// acknowledged is an event that the syncer has answered with 200.
type acknowledged struct{ event, uuid string }
