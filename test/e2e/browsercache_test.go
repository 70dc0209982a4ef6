package e2e

import "testing"

// TestRevokedInBrowserCache: Chromium keeps a recording's bytes, but asks before it shows
// them, so that a user who was switched off gets none.
func TestRevokedInBrowserCache(t *testing.T) {
	t.Parallel()
	s := newInterceptedGateway(t, "LECTERN_AUTH_MAX_STALENESS=1s")
	p := open(t, viewport{})
	p.goTo(s.url + "/")
	load := "fetch('/api/recordings/1/stream/?token=" + token(t, "--user", "1", "--ttl", "1h") + "').then(async (r) => ({ status: r.status, bytes: (await r.arrayBuffer()).byteLength }))"
	type loaded struct{ Status, Bytes int }
	first := js[loaded](p, load)
	if second := js[loaded](p, load); first.Status != 200 || first.Bytes < 10_000 || second != first { // 304 for the browser
		t.Fatalf("%+v, then %+v", first, second)
	}
	apply(t, s.env, "people:\n  - {email: student@demo.lectern, role: student, active: false}\n")
	waitFor(t, "a refusal", func() bool { return js[loaded](p, load).Status == 401 })
}

// TestErrorPageInBrowser opens addresses that are refused, as a person does, in both languages.
func TestErrorPageInBrowser(t *testing.T) {
	t.Parallel()
	s := newInterceptedGateway(t)
	for lang, title := range map[string]string{"en": "You are not signed in", "ru": "Вы не вошли"} {
		p := open(t, viewport{lang: lang, phone: lang == "ru", dark: lang == "ru"})
		p.goTo(s.url + "/api/recordings/1/stream/")
		p.until("the page says what happened", "document.querySelector('h1')?.textContent === '"+title+"'")
		p.until("its style is applied", "getComputedStyle(document.querySelector('main')).maxWidth !== 'none'")
		p.shot("error-page-" + lang)
		p.goTo(s.url + "/watch/abc")
		p.until("an address that is no lesson's has a page", "document.querySelector('h1') && document.contentType === 'text/html' && !document.querySelector('#main')")
	}
}
