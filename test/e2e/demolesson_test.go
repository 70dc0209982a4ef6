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
	if got := strings.Join(slices.Sorted(maps.Keys(kinds)), " "); got != "audio chat poster storyboard" {
		t.Errorf("what accompanies the lesson: %s", got)
	}
	for _, name := range []string{"poster.jpg", "storyboard.vtt", "storyboard.jpg", "captions/en.vtt", "captions/ru.vtt", "chapters.vtt"} {
		if status := statusOf(t, recording+name, tok); status != http.StatusOK {
			t.Errorf("%s answers %d", name, status)
		}
	}
	p.until("its chapters", "document.querySelectorAll('.chapters .row').length === 5")
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
