package e2e

import (
	"fmt"
	"testing"

	"github.com/lectiospace/lectern/internal/emulator/firefox"
)

// firefoxPage is a page in Firefox.
type firefoxPage struct {
	t *testing.T
	*firefox.Browser
}

// openFirefox starts a Firefox of its own, which ends with the test.
func openFirefox(t *testing.T) firefoxPage {
	t.Helper()
	b, err := firefox.Start(t.Context(), "firefox-esr", t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return firefoxPage{t, b}
}

// must ends the test on an error.
func (p firefoxPage) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// run evaluates an expression.
func (p firefoxPage) run(expression string) {
	p.t.Helper()
	if err := p.Run(expression, nil); err != nil {
		p.t.Fatalf("%s: %v", expression, err)
	}
}

// until waits for an expression to be true. What it throws is false: the document may be
// another one the next moment.
func (p firefoxPage) until(what, expression string) {
	p.t.Helper()
	waitFor(p.t, what+" in Firefox", func() bool {
		var so bool
		return p.Run("(() => { try { return Boolean("+expression+") } catch { return false } })()", &so) == nil && so
	})
}

// click clicks what a selector finds, once it is visible.
func (p firefoxPage) click(selector string) {
	p.t.Helper()
	p.until(selector, fmt.Sprintf("document.querySelector(%q)?.checkVisibility()", selector))
	p.run(fmt.Sprintf("void document.querySelector(%q).click()", selector))
}
