package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

const (
	lesson   = 3 // of five minutes, whose group has one more
	speakers = 2
)

// put replaces a part of the lesson as a user, and returns the status.
func (s *interceptedGateway) put(t *testing.T, tok, part, body string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, fmt.Sprintf("%s/api/recordings/%d/%s", s.url, lesson, part), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+tok)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode
}

// transcriptOf is a file of captions with a cue each second; the words are the number's.
func transcriptOf(cues int) string {
	var b strings.Builder
	b.WriteString("WEBVTT\n")
	for i := range cues {
		fmt.Fprintf(&b, "\n00:%02d:%02d.000 --> 00:%02d:%02d.900\n<v %s>Sentence %d is about the year %d &amp; its treaty.\n",
			i/60, i%60, i/60, i%60, []string{"Tamara Teacher", "Sam Student"}[i/5%speakers], i, 1700+i)
	}
	return b.String()
}

// newLessonWithParts is a gateway whose lesson has captions in two languages, chapters, and
// pictures and further files that the test serves itself.
func newLessonWithParts(t *testing.T, env ...string) *interceptedGateway {
	t.Helper()
	s := newInterceptedGateway(t, env...)
	teacher := token(t, "--user", "2", "--ttl", "1h")
	for part, body := range map[string]string{
		"captions/en.vtt": transcriptOf(290),
		"captions/ru.vtt": "WEBVTT\n\n00:00.000 --> 04:59.000\n<v Мария>Венский конгресс\n",
		"chapters/":       `[{"start": 0, "title": "Welcome"}, {"start": 60, "title": "The <Congress>"}, {"start": 200.5, "title": "Вопросы"}]`,
	} {
		if status := s.put(t, teacher, part, body); status >= 300 {
			t.Fatalf("PUT %s: %d", part, status)
		}
	}
	s.intercept(servePictures(s, t))
	return s
}

// servePictures answers for the poster, the storyboard and the list of companions, whose
// bytes are those of another lesson.
func servePictures(s *interceptedGateway, t *testing.T) func(http.ResponseWriter, *http.Request) bool {
	t.Helper()
	board := image.NewRGBA(image.Rect(0, 0, 320, 540))
	for y := range 540 {
		for x := range 320 {
			board.Set(x, y, color.RGBA{uint8(40 + 20*(y/90)), uint8(90 + 80*(x/160)), 120, 255})
		}
	}
	var picture bytes.Buffer
	if err := jpeg.Encode(&picture, board, nil); err != nil {
		t.Fatal(err)
	}
	var cues strings.Builder
	cues.WriteString("WEBVTT\n")
	for i := range 30 {
		fmt.Fprintf(&cues, "\n00:%02d:%02d.000 --> 00:%02d:%02d.000\nstoryboard.jpg#xywh=%d,%d,160,90\n", i/6, i%6*10, (i+1)/6, (i+1)%6*10, i%2*160, i/2%6*90)
	}
	base := fmt.Sprintf("/api/recordings/%d/", lesson)
	companions := []map[string]any{
		{"id": 1, "kind": "audio", "label": "Audio only", "lang": "", "content_type": "audio/mp4", "size": 1, "url": s.url + base + "companions/1/stream/"},
		{"id": 4, "kind": "audio", "label": "Audio only each participant", "lang": "", "content_type": "audio/mp4", "size": 1, "url": s.url + base + "companions/4/stream/"},
		{"id": 2, "kind": "view", "label": "low", "lang": "", "content_type": "video/mp4", "size": 1, "url": s.url + base + "companions/2/stream/"},
		{"id": 3, "kind": "view", "label": "Gallery view", "lang": "", "content_type": "video/mp4", "size": 1, "url": s.url + base + "companions/3/stream/"},
	}
	return func(w http.ResponseWriter, r *http.Request) bool {
		switch part, _ := strings.CutPrefix(r.URL.Path, base); part {
		case "poster.jpg", "storyboard.jpg":
			w.Header().Set("Content-Type", "image/jpeg")
			_, _ = w.Write(picture.Bytes())
		case "storyboard.vtt":
			w.Header().Set("Content-Type", "text/vtt")
			_, _ = w.Write([]byte(cues.String()))
		case "companions/":
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(companions)
		case "companions/1/stream/", "companions/2/stream/":
			r.URL.Path = base + "stream/"
			return false
		default:
			return false
		}
		return true
	}
}

// watch opens the lesson with a user's token and plays it.
func (p *page) watch(s *interceptedGateway, user, fragment string) {
	p.t.Helper()
	p.openLesson(s, user, fragment)
	p.play()
	p.awaitParts()
}

func (p *page) openLesson(s *interceptedGateway, user, fragment string) {
	p.t.Helper()
	p.goTo(fmt.Sprintf("%s/watch/%d#token=%s%s", s.url, lesson, token(p.t, "--user", user, "--ttl", "1h"), fragment))
}

func (p *page) awaitParts() {
	p.t.Helper()
	p.until("its parts are there", "document.querySelector('.cues .row') && document.querySelectorAll('.marks i').length === 2 && !document.querySelector('.sound').hidden")
}

// pointOf is a point of an element, by shares of its width and height.
func (p *page) pointOf(selector string, x, y float64) (left, top float64) {
	p.t.Helper()
	at := js[[]float64](p, fmt.Sprintf("(() => { const b = document.querySelector(%q).getBoundingClientRect(); return [b.left + b.width * %f, b.top + b.height * %f] })()", selector, x, y))
	return at[0], at[1]
}

// mouse presses, moves or releases the mouse at a point of an element.
func (p *page) mouse(kind input.DispatchMouseEventType, selector string, x, y float64) {
	p.t.Helper()
	params := input.DispatchMouseEventParams{Type: kind}
	params.X, params.Y = p.pointOf(selector, x, y)
	if kind != input.DispatchMouseEventTypeMouseMoved {
		params.Button, params.ClickCount = input.MouseButtonLeft, 1
	}
	send(p, input.DispatchMouseEvent, params)
}

// touch puts a finger on a point of an element, or moves it there; lift takes it away.
func (p *page) touch(kind input.DispatchTouchEventType, selector string, x, y float64) {
	p.t.Helper()
	left, top := p.pointOf(selector, x, y)
	send(p, input.DispatchTouchEvent, input.DispatchTouchEventParams{Type: kind, TouchPoints: []*input.TouchPoint{{X: left, Y: top}}})
}

func (p *page) lift() {
	p.t.Helper()
	send(p, input.DispatchTouchEvent, input.DispatchTouchEventParams{Type: input.DispatchTouchEventTypeTouchEnd, TouchPoints: []*input.TouchPoint{}})
}

// send sends a command of the browser's protocol.
func send[P, R any](p *page, c cdp.Command[P, R], params P) {
	p.t.Helper()
	err := chromedp.Do(p.ctx, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, c, params)
		return err
	}))
	if err != nil {
		p.t.Fatal(err)
	}
}

const currentCue = "document.querySelector('.cues [aria-current]').textContent"

// TestPlayerWide: transcript, chapters, previews, keys and links on a wide screen, as a
// student who uses mouse and keyboard meets them.
func TestPlayerWide(t *testing.T) {
	t.Parallel()
	s := newLessonWithParts(t)
	at := viewport{}
	p := open(t, at)
	p.watch(s, "1", "&t=62")
	p.until("it begins where the link says", videoTime+" >= 62 && "+videoTime+" < 75 && location.hash === ''")
	p.until("the transcript follows", "/^1:(0[2-9]|1).*treaty/.test("+currentCue+")")
	p.check("player-wide", at)

	// The list follows until somebody scrolls, and again when asked to; it scrolls itself alone.
	js[any](p, videoTime+" = 150")
	const inBox = "(() => { const b = document.querySelector('.cues').getBoundingClientRect(), r = document.querySelector('.cues [aria-current]').getBoundingClientRect(); return r.top >= b.top && r.bottom <= b.bottom })()"
	p.until("it follows a seek", "/^2:3/.test("+currentCue+") && "+inBox)
	js[any](p, "(document.querySelector('.cues').dispatchEvent(new WheelEvent('wheel')), document.querySelector('.cues').scrollTop = 0)")
	js[any](p, videoTime+" = 250")
	p.until("the place is another", "/^4:1/.test("+currentCue+")")
	if js[bool](p, inBox) || js[float64](p, "scrollY") != 0 {
		t.Error("the list follows although somebody scrolled it, or the page scrolls with it")
	}
	p.click(".follow")
	p.until("it follows again", inBox)
	p.click(".cues li:nth-child(253) .row")
	p.until("a press goes there", "Math.abs("+videoTime+" - 252) < 3")

	// Find in it: the count, and steps in both directions.
	js[any](p, "document.querySelector('.find input').focus()")
	p.press("sentence 28")
	p.until("the places are counted", "document.querySelector('.find output').textContent === '1 of 11'")
	p.press("\r\r")
	p.until("the third one", "document.querySelector('.find output').textContent === '3 of 11' && document.querySelector('mark.here').closest('li').textContent.includes('Sentence 281')")
	p.check("player-found", at)
	p.click(".find button:nth-of-type(1)")
	p.until("back to the second", "document.querySelector('.find output').textContent === '2 of 11'")

	// By keyboard: one row can be reached by Tab, arrows move in the list.
	if n := js[int](p, "document.querySelectorAll('.cues .row[tabindex=\"0\"]').length"); n != 1 {
		t.Errorf("%d rows are reached by Tab", n)
	}
	js[any](p, "document.querySelectorAll('.cues .row')[10].focus()")
	p.press(kb.ArrowDown)
	p.press("\r")
	p.until("it goes to the eleventh second", "Math.abs("+videoTime+" - 11) < 2")
	js[any](p, "(document.querySelector('.cues').previousElementSibling, document.querySelector('.transcript select').value = 'ru', document.querySelector('.transcript select').dispatchEvent(new Event('change')))")
	p.until("the other language", "document.querySelector('.cues').textContent === '0:00МарияВенский конгресс' && document.querySelector('.cues').lang === 'ru'")

	// Chapters: marks with titles, a list, and the preview of a place under the mouse.
	p.click("#tab-chapters")
	p.atRest(".chapters li:nth-child(3) .row")
	p.click(".chapters li:nth-child(3) .row")
	p.until("the third chapter", videoTime+" >= 200.5 && /Вопросы/.test(document.querySelector('.chapters [aria-current]').textContent)")
	p.mouse(input.DispatchMouseEventTypeMouseMoved, ".seekbar", 0.3, 0.5)
	p.until("the preview", "/^The <Congress>1:(29|30)$/.test(document.querySelector('.preview p').textContent) && document.querySelector('.thumbnail img').naturalWidth > 0")
	p.check("player-preview", at)
	p.mouse(input.DispatchMouseEventTypeMousePressed, ".seekbar", 0.3, 0.5)
	p.mouse(input.DispatchMouseEventTypeMouseReleased, ".seekbar", 0.5, 0.5)
	p.until("it was dragged to the middle", "Math.abs("+videoTime+" - 150) < 5")
	if value := js[string](p, "document.querySelector('.seekbar').getAttribute('aria-valuetext')"); !strings.HasSuffix(value, " of 5:00, The <Congress>") {
		t.Errorf("the bar says %q", value)
	}

	js[any](p, "(document.querySelector('.seekbar').focus(), document.querySelector('.preview').hidden = true)")
	p.press(kb.ArrowRight)
	p.until("the preview of where a key went", "document.querySelector('.preview').checkVisibility() && Math.abs("+videoTime+" - 160) < 6")

	testPlayerKeys(p)

	// A link that is opened while the lesson is, and one to copy.
	js[any](p, "location.hash = '#t=1m40s'")
	p.until("it goes where the link says", "Math.abs("+videoTime+" - 100) < 5 && location.hash === '' && history.state?.user === '1'")
	js[any](p, "(document.querySelector('video').pause(), navigator.clipboard.writeText = (text) => { window.copied = text; return Promise.resolve() })")
	js[any](p, videoTime+" = 123.9")
	p.click(".copy")
	p.until("the link", fmt.Sprintf("window.copied === '%s/watch/%d#t=123'", s.url, lesson))

	// Another device, which has nothing of its own, goes on there.
	p.until("the gateway has the place", fmt.Sprintf("(fetch('/api/recordings/%d/watch-state/').then((r) => r.json()).then((s) => { window.reported = s }), Math.abs(window.reported?.position - 123.9) < 0.1)", lesson))
	p.goTo(s.url + "/")
	js[any](p, "localStorage.removeItem('lectern.places.1')")
	p.goTo(fmt.Sprintf("%s/watch/%d", s.url, lesson))
	p.until("it goes on where the other stopped", "document.querySelector('.resumed')?.checkVisibility() && Math.abs("+videoTime+" - 124) < 2")

	// The end offers the group's next lesson; this one is the newest, so it is seen from the other.
	p.until("the lesson before", "document.querySelector('.neighbours .previous')?.getAttribute('href') === '/watch/7' && !document.querySelector('.neighbours .next')")
	js[any](p, "document.querySelector('.neighbours .previous').click()")
	p.until("the lesson after", fmt.Sprintf("document.querySelector('.neighbours .next')?.getAttribute('href') === '/watch/%d'", lesson))
	p.play()
	js[any](p, videoTime+" = 299.5")
	p.until("the next one is offered", "document.querySelector('.next-card').checkVisibility() && document.querySelector('.next-card .title').textContent === 'History: a long lecture'")
	p.check("player-end", at)
}

// testPlayerKeys presses what the help lists.
func testPlayerKeys(p *page) {
	p.t.Helper()
	js[any](p, "document.activeElement.blur()")
	for _, c := range []struct{ keys, what, so string }{
		{"3", "three tenths", "Math.abs(" + videoTime + " - 90) < 4"},
		{kb.Home, "the beginning", videoTime + " < 4"},
		{kb.ArrowDown, "quieter", "document.querySelector('video').volume === 0.9"},
		{kb.ArrowUp, "louder", "document.querySelector('video').volume === 1"},
		{".", "faster while it plays", "document.querySelector('video').playbackRate === 1.25"},
		{",", "slower", "document.querySelector('video').playbackRate === 1"},
		{"k", "paused", "document.querySelector('video').paused"},
	} {
		p.press(c.keys)
		p.until(c.what, c.so)
	}
	before := js[float64](p, videoTime)
	p.press(".")
	p.until("a frame on", fmt.Sprintf("Math.abs(%s - %f) < 0.001", videoTime, before+0.04))
	p.press(",")
	p.until("a frame back", fmt.Sprintf("Math.abs(%s - %f) < 0.001", videoTime, before))
	p.press("?")
	p.until("the help", "document.querySelector('dialog.help').open && /stored/.test(document.querySelector('dialog.help').textContent)")
	p.check("player-help", viewport{})
	p.click(".help button")
	p.press("k")
	p.until("it plays", videoPlays)
}

// TestPlayerOnAPhone: the same by finger, upright and on its side.
func TestPlayerOnAPhone(t *testing.T) {
	t.Parallel()
	s := newLessonWithParts(t)
	at := viewport{lang: "ru", phone: true, dark: true}
	p := open(t, at)
	p.watch(s, "1", "&t=100")
	p.until("the panel is below", "document.querySelector('.panel').getBoundingClientRect().top >= document.querySelector('.stage').getBoundingClientRect().bottom")
	js[any](p, "document.querySelector('.controls .captions').click()")
	p.until("a caption", "document.querySelector('.caption').textContent === 'Венский конгресс'")
	p.check("player-phone", at)

	p.touch(input.DispatchTouchEventTypeTouchStart, ".seekbar", 0.4, 0.5)
	p.touch(input.DispatchTouchEventTypeTouchMove, ".seekbar", 0.8, 0.5)
	p.until("the preview under the finger", "document.querySelector('.preview').checkVisibility() && /Вопросы4:/.test(document.querySelector('.preview p').textContent)")
	p.shot("player-phone-drag")
	p.lift()
	p.until("it went there", "Math.abs("+videoTime+" - 240) < 6 && document.querySelector('.preview').hidden")
	// Two taps of one gesture, which a busy machine would part.
	js[any](p, `(() => { const picture = document.querySelector('.picture'), { left, top } = picture.getBoundingClientRect();
		for (const type of ['pointerdown', 'click', 'pointerdown', 'click']) picture.dispatchEvent(new PointerEvent(type, { pointerType: 'touch', bubbles: true, clientX: left + 30, clientY: top + 90 })) })()`)
	p.until("ten seconds back", videoTime+" < 238 && !document.querySelector('video').paused")

	// Sound only keeps the place, and so does the picture when it comes back.
	js[any](p, "document.querySelector('.sound').click()")
	p.until("the sound plays on", "/companions.1.stream/.test(document.querySelector('video').src) && Math.abs("+videoTime+" - 234) < 8 && "+videoPlays)
	p.check("player-sound", at)
	js[any](p, "document.querySelector('.sound').click()")
	p.until("the picture is back", "/recordings.3.stream/.test(document.querySelector('video').src) && Math.abs("+videoTime+" - 238) < 10 && "+videoPlays)

	at.landscape = true
	p.resize(at)
	p.until("the picture takes the height", "document.querySelector('video').getBoundingClientRect().height === innerHeight")
	p.shot("player-phone-side")
	p.until("the controls go away", "getComputedStyle(document.querySelector('.controls')).opacity === '0'")
}

// TestPlayerOfATeacher corrects a cue and the chapters, is told the line of a bad file, and
// sees who watched.
func TestPlayerOfATeacher(t *testing.T) {
	t.Parallel()
	s := newLessonWithParts(t, "LECTERN_ANALYTICS=audience")
	s.watchedByStudents(t)
	at := viewport{dark: true}
	p := open(t, at)
	p.watch(s, "2", "")
	p.until("the lesson before, of a teacher", "document.querySelector('.neighbours .previous')?.getAttribute('href') === '/watch/7'")
	p.click(".editor .correct")
	p.click(".cues li:nth-child(2) .row")
	p.until("the words can be changed", "document.activeElement.value === 'Sentence 1 is about the year 1701 & its treaty.'")
	js[any](p, "document.activeElement.value = 'A <better> sentence\\n\\nin two lines'")
	p.check("player-editing", at)
	p.click(".form .primary")
	p.until("it is corrected", "document.querySelector('.cues li:nth-child(2) .text')?.textContent === 'A <better> sentence\\nin two lines'")
	if speaker := js[string](p, "document.querySelector('.cues b').textContent"); speaker != "Tamara Teacher" {
		t.Errorf("the speaker is %q", speaker)
	}
	js[any](p, `(() => { const list = new DataTransfer(); list.items.add(new File(["WEBVTT\n\n00:03.000 --> 00:02.000\nx\n"], 'a.vtt'));
		const field = document.querySelector('.editor input[type=file]'); field.files = list.files; field.dispatchEvent(new Event('change')) })()`)
	p.until("the line is named", "/Line 3: /.test(document.querySelector('.editor .problem:not([hidden])').textContent)")
	p.shot("player-bad-line")

	p.click("#tab-chapters")
	p.click(".chapters-part .correct")
	js[any](p, "document.querySelectorAll('.fields li')[1].querySelector('button').click()")
	js[any](p, "document.querySelectorAll('.fields input')[1].value = 'Hello'")
	p.check("player-chapters-edit", at)
	p.click(".chapters-part .primary")
	p.until("they are others", "[...document.querySelectorAll('.chapters .row')].map((row) => row.textContent).join() === '0:00Hello,3:20Вопросы' && document.querySelectorAll('.marks i').length === 1")
	testAudience(s, p)
}

// watchedByStudents adds two students to the lesson's group, and has one of them and the demo's
// watch some of it.
func (s *interceptedGateway) watchedByStudents(t *testing.T) {
	t.Helper()
	apply(t, s.env, `
people:
  - {email: nina@demo.lectern, role: student, first_name: Nina, last_name: Novak}
  - {email: oleg@demo.lectern, role: student, first_name: Олег, last_name: Орлов}
groups: [{name: World history, students: [student@demo.lectern, nina@demo.lectern, oleg@demo.lectern]}]
`)
	for user, played := range map[string]string{"1": `{"position": 100, "played": [[0, 100]]}`, "5": `{"position": 130.5, "played": [[60, 130.5]]}`} {
		if status := s.put(t, token(t, "--user", user, "--ttl", "1h"), "watch-state/", played); status != http.StatusNoContent {
			t.Fatalf("the watch state of user %s: %d", user, status)
		}
	}
}

// testAudience looks at who watched the lesson, by mouse, by keyboard and on a phone.
func testAudience(s *interceptedGateway, p *page) {
	t := p.t
	if s.sent("GET /api/recordings/3/audience/") {
		t.Error("the audience was requested before anybody looks at it")
	}
	p.click("#tab-audience")
	p.until("who watched is there", "document.querySelector('.attendance .row')")
	const text = "document.querySelector('#panel-audience').innerText.replace(/\\s+/g, ' ')"
	for _, want := range []string{"2 of 3 have watched, on average 28%", "1:00–1:40 2 students", "Nina Novak 23%", "stopped at 2:10", "Sam Student 33%", "Not yet Олег Орлов"} {
		if shown := js[string](p, text); !strings.Contains(shown, want) {
			t.Errorf("the audience is %q, which lacks %q", shown, want)
		}
	}
	at := viewport{dark: true}
	p.check("player-audience", at)
	p.click(".attendance .row")
	p.until("it went there", "Math.abs("+videoTime+" - 60) < 5")
	p.until("the bar says how many watched this", "document.querySelector('.seekbar').getAttribute('aria-valuetext').endsWith('2 students')")
	p.mouse(input.DispatchMouseEventTypeMouseMoved, ".heat", 0.5, 0.5)
	p.until("so does the preview", "document.querySelector('.preview p').innerText.endsWith('0 students')")
	p.mouse(input.DispatchMouseEventTypeMousePressed, ".heat", 0.3, 0.5)
	p.mouse(input.DispatchMouseEventTypeMouseReleased, ".heat", 0.3, 0.5)
	p.until("a press on the strip goes there", "Math.abs("+videoTime+" - 90) < 6")
	js[any](p, "document.querySelector('.audience .tools-row button').click()")
	waitFor(t, "the table", func() bool { return s.sent("GET /api/recordings/3/audience/?format=csv") })
	at.phone = true
	p.resize(at)
	p.check("player-audience-phone", at)
}

// TestLostNetwork: it is told at once and tried again, and the lesson goes on. A line that
// stalls gets the thin version.
func TestLostNetwork(t *testing.T) {
	t.Parallel()
	s := newLessonWithParts(t)
	parts := servePictures(s, t)
	p := open(t, viewport{})
	p.openLesson(s, "1", "")
	p.until("the poster", "document.querySelector('.poster').naturalWidth > 0 && document.querySelector('.poster').checkVisibility()")
	p.check("player-poster", viewport{})
	p.click(".big-play")
	p.until("it plays", videoPlays+" && "+videoTime+" > 0.2 && document.querySelector('.poster').hidden")
	p.awaitParts()
	s.intercept(func(w http.ResponseWriter, _ *http.Request) bool {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			_ = conn.Close()
		}
		return true
	})
	p.until("it is told", "document.querySelector('.network').checkVisibility()")
	p.check("player-offline", viewport{})
	js[any](p, "document.querySelector('video').src += '?again'") // what was loaded is gone
	p.until("nothing plays", "document.querySelector('video').error")
	s.intercept(parts)
	js[any](p, "window.dispatchEvent(new Event('online'))")
	p.until("it plays on", videoPlays+" && document.querySelector('.network').hidden")
	at := js[float64](p, videoTime)
	js[any](p, "[1, 2].forEach(() => document.querySelector('video').dispatchEvent(new Event('waiting')))")
	p.until("the thin version", fmt.Sprintf("/companions.2.stream/.test(document.querySelector('video').src) && Math.abs(%s - %f) < 5 && %s", videoTime, at, videoPlays))
	p.check("player-thin", viewport{})
}

// TestPlayerInFirefox: the same page in the other engine, and a video without a stated length.
func TestPlayerInFirefox(t *testing.T) {
	t.Parallel()
	s := newLessonWithParts(t)
	talk := serveTalk(t)
	p := openFirefox(t)
	press := func(code string) {
		p.run("document.body.dispatchEvent(new KeyboardEvent('keydown', { code: '" + code + "', key: '', bubbles: true, cancelable: true }))")
	}
	visit := func(address string) {
		t.Helper()
		p.must(p.Navigate(address + token(t, "--user", "1", "--ttl", "1h")))
		p.until("metadata", "document.querySelector('video')?.readyState > 0")
		p.run("(document.querySelector('video').muted = true, document.querySelector('video').play())")
	}
	visit(fmt.Sprintf("%s/watch/%d#t=62&token=", s.url, lesson))
	p.until("it begins where the link says", videoTime+" >= 62 && "+videoTime+" < 80")
	p.until("the transcript follows", "/^1:.*treaty/.test("+currentCue+")")
	p.run("document.querySelector('.controls .captions').click()")
	p.until("a caption", "/^Sentence \\d+ is about the year \\d+ & its treaty.$/.test(document.querySelector('.caption').textContent)")
	p.run("document.querySelectorAll('.cues .row')[30].click()")
	p.until("a press goes there", "Math.abs("+videoTime+" - 30) < 4")
	press("Digit7")
	p.until("seven tenths", "Math.abs("+videoTime+" - 210) < 5")
	p.run("document.querySelector('.sound').click()")
	p.until("the sound plays on", "/companions.1.stream/.test(document.querySelector('video').src) && Math.abs("+videoTime+" - 212) < 8 && "+videoPlays)

	visit(talk.url + "/watch/1#token=")
	p.until("it plays", videoTime+" > 0.2")
	p.run(videoTime + " = 3")
	p.until("it is at three seconds", videoTime+" >= 3 && "+videoPlays)
	p.run("document.querySelector('video').pause()")
	press("KeyL")
	p.until("ten seconds on", "!document.querySelector('video').seeking && Math.abs("+videoTime+" - 13.5) < 1.5")
	press("KeyJ")
	p.until("ten seconds back", "!document.querySelector('video').seeking && Math.abs("+videoTime+" - 3.5) < 1.5")
}
