package pages

import (
	"bytes"
	"compress/gzip"
	"io"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
)

func TestChooseRepresentation(t *testing.T) {
	all := newRepresentations("text/css; charset=utf-8", []byte(strings.Repeat("main { color: red }\n", 50)))
	for accept, want := range map[string]string{
		"":                              "",
		"gzip, deflate, br, zstd":       "br", // Chromium and Firefox with TLS
		"gzip, deflate":                 "gzip",
		"GZIP":                          "gzip",
		"x-gzip":                        "gzip",
		"deflate":                       "",
		"*":                             "br",
		"*;q=0.1":                       "br",
		"br;q=0, *":                     "gzip",
		"br;q=0.5, gzip;q=0.8":          "gzip",
		"br;q=0,gzip;q=0":               "",
		"gzip;q=0.001":                  "gzip",
		"gzip;q=0.5, identity;q=0.8":    "",
		"identity, gzip":                "gzip",
		"identity":                      "",
		"identity;q=0, gzip;q=0.1":      "gzip",
		"*;q=0":                         "", // nothing is acceptable
		"*;q=0, gzip":                   "gzip",
		"br;q=2, gzip":                  "gzip",
		"br;q=NaN, gzip;q=0.3":          "gzip",
		"br;level=9":                    "",
		" br ; Q = 1.000 , gzip;q=0.99": "br",
		",,;q=1,gzip":                   "gzip",
	} {
		if got := chooseRepresentation(all, accept).coding; got != want {
			t.Errorf("%q: %q, want %q", accept, got, want)
		}
	}
}

func TestRepresentations(t *testing.T) {
	body := []byte(strings.Repeat("text that repeats ", 100))
	all := newRepresentations("text/plain", body)
	decoders := map[string]func(io.Reader) (io.Reader, error){
		"br":   func(r io.Reader) (io.Reader, error) { return brotli.NewReader(r), nil },
		"gzip": func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
		"":     func(r io.Reader) (io.Reader, error) { return r, nil },
	}
	tags := map[string]bool{}
	for _, one := range all {
		r, err := decoders[one.coding](bytes.NewReader(one.body))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, body) {
			t.Errorf("%q decodes to %q, %v", one.coding, got, err)
		}
		tags[one.etag] = true
	}
	if len(all) != 3 || len(tags) != 3 {
		t.Errorf("%d representations have %d tags", len(all), len(tags))
	}
	for what, few := range map[string][]representation{
		"what grows is kept as it is":  newRepresentations("text/plain", []byte("x")),
		"what is no text is kept":      newRepresentations("image/jpeg", body),
		"what is empty is kept, empty": newRepresentations("text/plain", nil),
	} {
		if len(few) != 1 || few[0].coding != "" {
			t.Errorf("%s: %d representations", what, len(few))
		}
	}
}
