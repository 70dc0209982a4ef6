package pages

import (
	"log/slog"
	"regexp"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lectiospace/lectern/internal/proxy/accesslog"
	"github.com/lectiospace/lectern/internal/proxy/route"
)

// maxWeight is how many bytes a page has before its video, in whatever coding a browser takes.
const maxWeight = 120_000

// maxFirst is what a server may send at once to a new connection: ten packets (RFC 6928). The
// grant of a lesson, and its video, are requested when the document is there.
const maxFirst = 10 * 1460

// TestWeight adds up the bytes that a browser is served of a page: the document and what it
// names.
func TestWeight(t *testing.T) {
	all, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	routes, err := Routes(all, accesslog.New(accesslog.Lines(""), slog.New(slog.DiscardHandler), time.Now))
	if err != nil {
		t.Fatal(err)
	}
	links := regexp.MustCompile(`(?:src|href)="(/assets/[^"]+)"`)
	library := regexp.MustCompile(`<template id="library">.*?</template>`) // which a lesson does not load
	for _, lang := range []string{"en", "ru"} {
		for _, coding := range []string{"br", "gzip", "identity"} {
			document := served(t, routes, "/watch/{id}", lang, coding)
			weight := len(document)
			counted := map[string]bool{}
			if coding != "identity" && weight+1000 > maxFirst {
				t.Errorf("in %s and %s the document has %d bytes and its headers up to 1000, limit %d", lang, coding, weight, maxFirst)
			}
			for _, link := range links.FindAllStringSubmatch(library.ReplaceAllString(string(served(t, routes, "/watch/{id}", lang, "identity")), ""), -1) {
				if !counted[link[1]] {
					weight += len(served(t, routes, link[1], lang, coding))
				}
				counted[link[1]] = true
			}
			t.Logf("%s, %s: %d bytes, the document %d", lang, coding, weight, len(document))
			if weight > maxWeight || coding == "identity" && weight < maxWeight/2 {
				t.Errorf("in %s and %s a page has %d bytes, limit %d", lang, coding, weight, maxWeight)
			}
		}
	}
}

// served is the body of a page as it is sent.
func served(t *testing.T, routes []route.Route, pattern, lang, coding string) []byte {
	t.Helper()
	for _, r := range routes {
		if r.Pattern == pattern {
			c := &fasthttp.RequestCtx{}
			c.Request.Header.Set("Accept-Language", lang)
			c.Request.Header.Set("Accept-Encoding", coding)
			r.Serve(c, accesslog.Record{}, 0)
			return c.Response.Body()
		}
	}
	t.Fatalf("%s is not served", pattern)
	return nil
}
