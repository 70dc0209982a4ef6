// Package oembed serves /oembed (oEmbed 1.0, https://oembed.com): a page that is given the
// address of a lesson learns how to embed its player. Nothing of the lesson is looked up, so
// that nobody learns from it which lessons there are.
package oembed

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/valyala/fasthttp"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/proxy/accesslog"
	"github.com/lectiospace/lectern/internal/proxy/forwarded"
	"github.com/lectiospace/lectern/internal/proxy/respond"
	"github.com/lectiospace/lectern/internal/proxy/route"
)

// The size of the frame in CSS pixels, unless the request bounds it. The shape is a lesson's.
const (
	frameWidth  = 640
	frameHeight = 360
)

// answerJSON is a response of type video (oEmbed section 2.3.4).
type answerJSON struct {
	Type         string `json:"type"`
	Version      string `json:"version"`
	ProviderName string `json:"provider_name"`
	ProviderURL  string `json:"provider_url"`
	Width        int    `json:"width"`
	Height       int    `json:"height"`
	HTML         string `json:"html"`
}

// Route is GET /oembed.
func Route(links forwarded.Resolver, records *accesslog.Log) route.Route {
	return route.Route{
		Pattern: "/oembed", OptionalSlash: true, Allow: "GET, HEAD, OPTIONS",
		Serve: func(c *fasthttp.RequestCtx, rec accesslog.Record, _ int64) {
			if answer, problem := describe(c.QueryArgs(), links.BaseURL(c)); problem != nil {
				rec.Code = problem.Code
				respond.Error(&c.Response, *problem)
			} else {
				respond.Headers(&c.Response.Header, "no-cache")
				respond.JSON(&c.Response, http.StatusOK, answer)
			}
			c.Response.SkipBody = c.IsHead()
			records.WriteAnswered(c, rec)
		},
	}
}

// describe answers the parameters of a request (oEmbed section 2.2). base is the absolute URL
// below which the pages are.
func describe(query *fasthttp.Args, base string) (answerJSON, *respond.Problem) {
	badRequest := func(detail string) (answerJSON, *respond.Problem) {
		return answerJSON{}, &respond.Problem{Status: http.StatusBadRequest, Code: respond.CodeBadRequest, Detail: detail}
	}
	if format := string(query.Peek("format")); format != "" && format != "json" {
		return answerJSON{}, &respond.Problem{Status: http.StatusNotImplemented, Detail: "Answers are JSON only."}
	}
	address := string(query.Peek("url"))
	if address == "" {
		return badRequest("The parameter url is missing: the address of a lesson.")
	}
	id, place, ok := lessonOf(address, base)
	if !ok {
		return answerJSON{}, &respond.Problem{Status: http.StatusNotFound, Code: media.CodeNotFound, Detail: "This is no address of a lesson here."}
	}
	width := frameWidth
	for _, bound := range []struct {
		name string
		fit  func(most int)
	}{
		{"maxwidth", func(most int) { width = min(width, most) }},
		{"maxheight", func(most int) { width = min(width, most*frameWidth/frameHeight) }},
	} {
		text := string(query.Peek(bound.name))
		if text == "" {
			continue
		}
		most, err := strconv.Atoi(text)
		if err != nil || most < 1 || most > 1<<20 {
			return badRequest(bound.name + " has to be a number of pixels.")
		}
		bound.fit(most)
	}
	width = max(width, 1)
	height := max(width*frameHeight/frameWidth, 1)
	frame := fmt.Sprintf(`<iframe src="%s/embed/%d%s" width="%d" height="%d" title="Lectern" allow="autoplay; fullscreen; picture-in-picture" allowfullscreen style="border:0"></iframe>`,
		html.EscapeString(base), id, place, width, height)
	return answerJSON{Type: "video", Version: "1.0", ProviderName: "Lectern", ProviderURL: base + "/", Width: width, Height: height, HTML: frame}, nil
}

// timeFragment is a place of a lesson, as links to one have it.
var timeFragment = regexp.MustCompile(`^t=[0-9hms.]{1,20}$`)

// lessonOf reads the address of a lesson or of its embedded player below base. place is the
// fragment that begins the frame at the same second, or "".
func lessonOf(address, base string) (id int64, place string, ok bool) {
	u, err := url.Parse(address)
	ours, err2 := url.Parse(base)
	if err != nil || err2 != nil || u.User != nil || !strings.EqualFold(u.Scheme, ours.Scheme) || !sameHost(u, ours) {
		return 0, "", false
	}
	path, below := strings.CutPrefix(u.Path, ours.Path+"/")
	if !below {
		return 0, "", false
	}
	for _, pattern := range []string{"watch/{id}", "embed/{id}"} {
		r := route.Route{Pattern: pattern, OptionalSlash: true}
		if id, ok := r.Match(path); ok {
			if timeFragment.MatchString(u.Fragment) {
				place = "#" + u.Fragment
			}
			return id, place, true
		}
	}
	return 0, "", false
}

// sameHost compares hosts and ports, of which the scheme's own may be left out.
func sameHost(a, b *url.URL) bool {
	port := func(u *url.URL) string {
		if u.Port() == "" {
			return map[string]string{"http": "80", "https": "443"}[strings.ToLower(u.Scheme)]
		}
		return u.Port()
	}
	return strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b)
}
