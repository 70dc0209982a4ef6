package e2e

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// checkDemosLesson: one lesson of the demo shows all that a recording can have, and every
// lesson of the library has its poster.
func checkDemosLesson(t *testing.T, p *page, recording, tok string) {
	t.Helper()
	var companions []struct{ Kind, URL string }
	decode(t, recording+"companions/", tok, &companions)
	kinds := map[string]bool{}
	for _, c := range companions {
		kinds[c.Kind] = true
		if status := statusOf(t, c.URL, tok); status != http.StatusOK {
			t.Errorf("the %s answers %d", c.Kind, status)
		}
	}
	if got := strings.Join(slices.Sorted(maps.Keys(kinds)), " "); got != "audio chat poster storyboard summary" {
		t.Errorf("what accompanies the lesson: %s", got)
	}
	for _, name := range []string{"poster.jpg", "storyboard.vtt", "storyboard.jpg", "captions/en.vtt", "captions/ru.vtt", "chapters.vtt"} {
		if status := statusOf(t, recording+name, tok); status != http.StatusOK {
			t.Errorf("%s answers %d", name, status)
		}
	}
	p.until("its chapters", "document.querySelectorAll('.chapters .row').length === 5")
	checkFiles(p)
	p.click("a.back")
	p.until("posters in the library", "document.querySelectorAll('.lessons .poster.shown').length >= 4")
	p.shot("library-demo")
}

// decode decodes what the API answers.
func decode(t *testing.T, address, tok string, into any) {
	t.Helper()
	res, body := get(t, address, tok, "")
	if err := json.Unmarshal(body, into); err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %s, %v", address, res.Status, body, err)
	}
}

// checkFiles reads the lesson's summary and chat, and goes where a message was written.
func checkFiles(p *page) {
	p.t.Helper()
	p.click("#tab-files")
	p.click(".files > li:nth-child(1) summary")
	p.until("the summary", "document.querySelector('.files p')?.textContent.startsWith('The Pythagorean theorem: ') && document.querySelectorAll('.files p').length === 4 && document.querySelectorAll('.files .steps li').length === 1")
	p.click(".files > li:nth-child(2) summary")
	p.until("the chat", "document.querySelectorAll('.files .row').length === 5 && document.querySelectorAll('.files .row')[2].innerText !== ''")
	if got := js[string](p, "document.querySelectorAll('.files .row')[2].innerText.replace(/\\s+/g, ' ')"); got != "0:41 Sam Student 5, 12, 13 works too!" {
		p.t.Errorf("a message is %q", got)
	}
	p.check("player-files", viewport{})
	if js[bool](p, "document.querySelector('.files input') !== null") {
		p.t.Error("a student may choose what students see")
	}
	p.click(".files > li:nth-child(2) li:nth-child(3) .row")
	p.until("it went where a message was written", "Math.abs("+videoTime+" - 41) < 5")
}

// checkSharing has the teacher, who signs in by a link, keep the lesson's chat from students.
func checkSharing(p *page, link, companions, tok string) {
	p.t.Helper()
	p.goTo(link)
	p.until("the page asks", "document.querySelector('[data-code=other_user]')")
	p.click("[data-code=other_user] button:not(.primary)")
	p.until("the teacher chooses what students see", "document.querySelector('.files > li:nth-child(2) input')?.checked")
	p.click("#tab-files")
	p.check("player-files-teacher", viewport{})
	p.click(".files > li:nth-child(2) label")
	p.until("it is stored", "document.querySelector('.files input:not(:checked, :disabled)')")
	var list []struct{ Kind string }
	decode(p.t, companions, tok, &list)
	for _, c := range list {
		if c.Kind == "chat" {
			p.t.Error("a student still sees the chat")
		}
	}
}
