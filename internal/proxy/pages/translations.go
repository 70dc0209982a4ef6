package pages

import (
	"maps"
	"slices"

	"golang.org/x/text/language"
)

// translation is a page in one language, in its content codings.
type translation struct {
	language        string // "" where the page has none
	representations []representation
}

// translations are one page in all its languages; the first is the default.
type translations struct {
	all     []translation
	matcher language.Matcher
}

func newTranslations(p Page) (translations, error) {
	t := translations{all: []translation{{p.Language, newRepresentations(p.ContentType, p.Body)}}}
	if p.Language == "" {
		return t, nil
	}
	for _, other := range slices.Sorted(maps.Keys(p.Others)) {
		t.all = append(t.all, translation{other, newRepresentations(p.ContentType, p.Others[other])})
	}
	var tags []language.Tag
	for _, one := range t.all {
		tag, err := language.Parse(one.language)
		if err != nil {
			return t, err
		}
		tags = append(tags, tag)
	}
	t.matcher = language.NewMatcher(tags)
	return t, nil
}

// best is the translation for an Accept-Language (RFC 9110, 12.5.4), also one in
// a language that its readers mostly understand. A malformed header selects the default.
func (t translations) best(accept string) translation {
	if t.matcher == nil || accept == "" || len(accept) > maxAcceptLanguage {
		return t.all[0]
	}
	wanted, _, err := language.ParseAcceptLanguage(accept)
	if err != nil {
		return t.all[0]
	}
	_, i, _ := t.matcher.Match(wanted...)
	return t.all[i]
}

// maxAcceptLanguage is more than any browser sends; the matcher need not see more.
const maxAcceptLanguage = 512
