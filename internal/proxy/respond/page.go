package respond

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/valyala/fasthttp"

	"github.com/lectiospace/lectern/internal/media"
)

//go:embed page.html
var pageSource string

//go:embed page.css
var pageStyle string

// page is parsed once; its style stands in it, because a stylesheet of its own would be
// one more request of an error.
var page = template.Must(template.New("error").Parse(pageSource))

// pagePolicy lets the page have its style and nothing else.
var pagePolicy = func() string {
	sum := sha256.Sum256([]byte(pageStyle))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}()

// ErrorFor is Error, as a page where a browser shows the answer to a person.
func ErrorFor(c *fasthttp.RequestCtx, p Problem) {
	Error(&c.Response, p)
	if language := PageLanguage(&c.Request.Header); language != "" {
		AsPage(&c.Response, p, language)
	}
}

// PageFor is Error as a page, whatever the client accepts: for addresses that only browsers
// open, and only for a person.
func PageFor(c *fasthttp.RequestCtx, p Problem) {
	Error(&c.Response, p)
	AsPage(&c.Response, p, language(&c.Request.Header))
}

// AsPage replaces the body of an error by a page in a language of PageLanguage. Status and
// the other headers stay.
func AsPage(resp *fasthttp.Response, p Problem, language string) {
	if p.Status == StatusClientClosed {
		return
	}
	text := pageTexts[language].of(p)
	var out bytes.Buffer
	if err := page.Execute(&out, struct {
		Lang, Title, Text, Home string
		Status                  int
		Code                    media.Code
		Style                   template.CSS
	}{language, text.title, text.text, pageTexts[language].home, p.Status, p.Code, template.CSS(pageStyle)}); err != nil {
		panic("BUG: the page of an error: " + err.Error())
	}
	h := &resp.Header
	h.SetContentType("text/html; charset=utf-8")
	h.Set("Content-Language", language)
	h.Set("Content-Security-Policy", pagePolicy)
	h.Add("Vary", "Accept, Accept-Language")
	resp.SetBody(out.Bytes())
}

// PageLanguage is "en" or "ru" where the client prefers a page to JSON, and "" elsewhere.
// Browsers name text/html when they open an address; scripts, players and other programs
// name JSON, or accept anything.
func PageLanguage(h *fasthttp.RequestHeader) string {
	if m := string(h.Method()); m != http.MethodGet && m != http.MethodHead {
		return ""
	}
	var html, json, others float64
	var named bool
	for _, line := range h.PeekAll("Accept") {
		for item := range strings.SplitSeq(string(line), ",") {
			kind, q := quality(item)
			switch kind {
			case "text/html", "application/xhtml+xml":
				html = max(html, q)
			case "application/json":
				json, named = max(json, q), true
			case "*/*", "application/*":
				others = max(others, q)
			}
		}
	}
	if html == 0 || named && html <= json || !named && html < others {
		return ""
	}
	return language(h)
}

// language is the one of PageLanguage's that Accept-Language prefers.
func language(h *fasthttp.RequestHeader) string {
	var english, russian float64
	for _, line := range h.PeekAll("Accept-Language") {
		for item := range strings.SplitSeq(string(line), ",") {
			tag, q := quality(item)
			switch primary, _, _ := strings.Cut(tag, "-"); primary {
			case "en":
				english = max(english, q)
			case "ru":
				russian = max(russian, q)
			}
		}
	}
	if russian > english {
		return "ru"
	}
	return "en"
}

// quality splits one element of Accept or Accept-Language (RFC 9110 section 12.4.2). A
// weight that is no number counts as 0.
func quality(item string) (name string, q float64) {
	name, params, err := mime.ParseMediaType(strings.TrimSpace(item))
	if err != nil {
		return "", 0
	}
	weight, given := params["q"]
	if !given {
		return name, 1
	}
	if q, err = strconv.ParseFloat(weight, 64); err != nil || q < 0 || q > 1 {
		return name, 0
	}
	return name, q
}
