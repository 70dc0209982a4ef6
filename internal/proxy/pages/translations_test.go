package pages

import "testing"

func TestTranslations(t *testing.T) {
	page := Page{Body: []byte("hello"), Language: "en", Others: map[string][]byte{"ru": []byte("привет")}}
	choose, err := newTranslations(page)
	if err != nil {
		t.Fatal(err)
	}
	for accept, want := range map[string]string{
		"":                                   "en",
		"ru":                                 "ru",
		"ru-RU,ru;q=0.9,en-US;q=0.8":         "ru",
		"en-GB,en;q=0.9,ru;q=0.8":            "en",
		"de-DE,de;q=0.9":                     "en",
		"de;q=1,ru;q=0.5":                    "ru",
		"ru;q=0,en;q=0.1":                    "en",
		"*":                                  "en",
		"\x00;;q=":                           "en",
		"ru;q=0.3, en;q=0.7, *;q=0.1":        "en",
		string(make([]byte, 1+1<<10)):        "en",
		"fr-CH, fr;q=0.9, ru;q=0.8, *;q=0.5": "ru",
	} {
		if got := choose.best(accept); got.language != want || len(got.representations) == 0 {
			t.Errorf("%q: %q, want %q", accept, got.language, want)
		}
	}
	if choose.best("ru").representations[0].etag == choose.best("en").representations[0].etag {
		t.Error("both languages have one tag")
	}
	if plain, err := newTranslations(Page{Body: []byte("x")}); err != nil || plain.best("ru").language != "" {
		t.Errorf("a page without language: %v", err)
	}
	if _, err := newTranslations(Page{Body: []byte("x"), Language: "not a language!"}); err == nil {
		t.Error("a malformed language tag is accepted")
	}
}
