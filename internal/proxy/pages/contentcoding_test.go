package pages

import (
	"bytes"
	"compress/gzip"
	"io"
	"regexp"
	"strconv"
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

// FuzzAcceptEncoding: a coding is only sent to a client that names it or the star, and of a
// list that follows the grammar of RFC 9110 section 12.4.2 none has a higher weight.
func FuzzAcceptEncoding(f *testing.F) {
	for _, seed := range []string{"gzip, deflate, br, zstd", "br;q=0, *", "identity;q=0, gzip;q=0.1", "*;q=0", "br;q=NaN", " br ; Q = 1.000 , gzip;q=0.99", "x-gzip;q=0.001", "gzip;q=0,gzip"} {
		f.Add(seed)
	}
	all := newRepresentations("text/css; charset=utf-8", []byte(strings.Repeat("main { color: red }\n", 50)))
	element := regexp.MustCompile(`^[ \t]*([a-zA-Z*-]+)[ \t]*(?:;[ \t]*[qQ]=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)[ \t]*)?$`)
	f.Fuzz(func(t *testing.T, accept string) {
		got := chooseRepresentation(all, accept).coding
		if lower := strings.ToLower(accept); got != "" && !strings.Contains(lower, got) && !strings.Contains(lower, "*") {
			t.Fatalf("%q: %q", accept, got)
		}
		weights := map[string]float64{}
		for _, text := range strings.Split(accept, ",") {
			m := element.FindStringSubmatch(text)
			if m == nil {
				return
			}
			weight := 1.0
			if m[2] != "" {
				weight, _ = strconv.ParseFloat(m[2], 64)
			}
			weights[strings.ReplaceAll(strings.ToLower(m[1]), "x-gzip", "gzip")] = weight
		}
		weigh := func(coding string) float64 {
			if w, named := weights[coding]; named {
				return w
			}
			return weights["*"]
		}
		for _, coding := range []string{"br", "gzip"} {
			if weigh(coding) > 0 && (got == "" && weigh(coding) > weigh("identity") || got != "" && weigh(coding) > weigh(got)) {
				t.Fatalf("%q: %q, although %s weighs more", accept, got, coding)
			}
		}
		if got == "gzip" && weigh("br") == weigh("gzip") {
			t.Fatalf("%q: gzip, although br is smaller and weighs as much", accept)
		}
		if got != "" && weigh(got) == 0 {
			t.Fatalf("%q: %q, which is refused", accept, got)
		}
	})
}
