package respond

import (
	"errors"
	"testing"

	"github.com/lectiospace/lectern/internal/media"
)

func TestStatusOfEdit(t *testing.T) {
	denied := func(reason string) error { return &media.Error{Kind: media.Denied, Op: "edit", Reason: reason} }
	for _, c := range []struct {
		name   string
		err    error
		status int
	}{
		{"no such row", media.Fault(media.NotFound, "edit", nil), 404},
		{"no subscription", denied("subscription"), 403},
		{"somebody else's", denied("not_owner"), 403},
		{"no meeting", denied("no_meeting"), 400},
		{"no account", denied("no_account"), 400},
		{"gone at Zoom", denied("gone_at_zoom"), 404},
		{"no space", denied("quota_exceeded"), 409},
		{"no bytes", denied("purged"), 410},
		{"an unknown reason", denied("other"), 0},
		{"no reason", denied(""), 0},
		{"the database is unavailable", media.Fault(media.Unavailable, "edit", nil), 0},
		{"an error of no kind", errors.New("x"), 0},
	} {
		if status, _ := StatusOfEdit(c.err); status != c.status {
			t.Errorf("%s: %d, want %d", c.name, status, c.status)
		}
	}
}

func TestTheSameKindDependsOnTheUpstream(t *testing.T) {
	err := media.Fault(media.Unavailable, "secret", nil)
	for from, want := range map[Upstream]media.Code{Catalog: media.CodeCatalogDown, Origin: media.CodeOriginDown} {
		if p := ProblemOf(err, from); p.Code != want || p.Status != 503 || p.RetryAfter == 0 {
			t.Errorf("from %d: %+v", from, p)
		}
	}
}

// TestPagesOfSignIns: each language says what became of a sign-in.
func TestPagesOfSignIns(t *testing.T) {
	for code, status := range map[media.Code]int{media.CodeSignInRefused: 400, media.CodeNoAccount: 403, media.CodeProviderDown: 502} {
		p := ProblemOfRefusal(media.Refuse(code, ""))
		if p.Status != status {
			t.Errorf("%s: %d, want %d", code, p.Status, status)
		}
		for name, language := range pageTexts {
			if text := language.of(p); text != language.codes[code] || text.title == "" || text.text == "" {
				t.Errorf("%s: no page in %s", code, name)
			}
		}
	}
}
