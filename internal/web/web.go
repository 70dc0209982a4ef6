// Package web holds the pages for people. They are plain files: no build step,
// nothing from elsewhere, nothing inline, so that the strictest policy holds.
package web

import _ "embed"

// File is one page or a part of one.
type File struct {
	Path        string // exact, or with {id} for a recording's id
	ContentType string
	Header      map[string]string
	Body        []byte
}

//go:embed assets/watch.html
var watchPage []byte

//go:embed assets/watch.js
var watchScript []byte

//go:embed assets/watch.css
var watchStyle []byte

//go:embed assets/start.html
var startPage []byte

// policy lets a page load its own script, style and media from this host, ask
// this host, and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; media-src 'self'; connect-src 'self'; img-src 'self' data:; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Files lists everything to serve.
func Files() []File {
	header := map[string]string{"Content-Security-Policy": policy}
	return []File{
		{"/", "text/html; charset=utf-8", header, startPage},
		{"/watch/{id}", "text/html; charset=utf-8", header, watchPage},
		{"/assets/watch.js", "text/javascript; charset=utf-8", header, watchScript},
		{"/assets/watch.css", "text/css; charset=utf-8", header, watchStyle},
	}
}
