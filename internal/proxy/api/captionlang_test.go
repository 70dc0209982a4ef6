package api

import "testing"

func TestCaptionLang(t *testing.T) {
	for in, want := range map[string]string{
		"en": "en", "EN": "en", "En": "en", "und": "und", "zh-hant-tw": "zh-Hant-TW", "ZH-HANT-TW": "zh-Hant-TW", "sr-latn": "sr-Latn",
		"de-ch-1996": "de-CH-1996", "en-US-u-CA-Gregory": "en-US-u-ca-gregory", "X-Klingon": "x-klingon", "es-419": "es-419",
		"": "", "e": "", "-en": "", "en-": "", "en--us": "", "r u": "", "e%6E": "", "ру": "", "12": "", "abcdefghi": "", "en-abcdefghi": "",
		"\u212Aen": "", // KELVIN SIGN is a k in lower case
	} {
		if got := captionLang("/api/recordings/7/captions/" + in + ".vtt"); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
