package e2e

import (
	"fmt"
	"testing"
)

// TestLinkOfAnotherUser: a link with a token never replaces another signed-in user, in the
// page or in a new tab, unless the person agrees.
func TestLinkOfAnotherUser(t *testing.T) {
	t.Parallel()
	s := newInterceptedGateway(t)
	student, teacher := token(t, "--user", "1", "--ttl", "1h"), token(t, "--user", "2", "--ttl", "1h")
	at := viewport{}
	p := open(t, at)
	const lessons = "document.querySelectorAll('.lesson, article, li').length > 0 && !document.querySelector('.notice')"
	const asked = "document.querySelector('[data-code=other_user]')"
	p.goTo(s.url + "/#token=" + student)
	p.until("the student is signed in", "history.state?.user === '1' && "+lessons)

	js[any](p, "location.hash = '#token="+teacher+"'")
	p.until("the page asks", asked)
	p.until("the token is out of the address", "location.hash === ''")
	p.check("other-user", at)
	p.click(".notice button.primary")
	p.until("the student stays", "history.state?.user === '1' && "+lessons)

	js[any](p, fmt.Sprintf("void (window.tab = window.open('/#token=%s'))", teacher))
	p.until("a new tab asks too", "window.tab."+asked)
	js[any](p, "window.tab.document.querySelector('.notice button.primary').click()")
	p.until("the new tab is the student's", "window.tab.history.state?.user === '1' && !window.tab.document.querySelector('.notice')")

	js[any](p, "window.tab.close()")
	js[any](p, "location.hash = '#token="+student+"'")
	p.until("the own link asks nothing", "location.hash === '' && "+lessons)
	js[any](p, "location.hash = '#token="+teacher+"'")
	p.until("the page asks again", asked)
	p.click(".notice button:not(.primary)")
	p.until("the teacher is signed in", "history.state?.user === '2' && "+lessons)
	p.assertNoTokens(student, teacher)
}
