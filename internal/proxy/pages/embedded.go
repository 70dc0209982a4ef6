// Package pages serves the web pages: the library and the player. They load nothing from
// other hosts, and their Content-Security-Policy names by its digest the one script that stands
// inline: early.js, which requests a lesson's grant a round trip earlier than the page's script
// could.
//
// assets has the sources, which are small modules. A browser on a slow line would wait a round
// trip for each six of them, so it is given bundles: one script, in its language, and one
// style sheet. scripts/pages makes them; they are committed, so that nothing but Go is needed
// to build a gateway.
package pages

//go:generate ../../../scripts/pages

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"path"
	"strings"
)

// earlyScript stands in the document.
const earlyScript = "bundles/early.js"

//go:embed assets/page.html assets/icon.svg bundles
var embedded embed.FS

// policy lets a page load its own script, style, pictures and media from this
// host, run the one inline script whose digest replaces %s, ask this host, and nothing else;
// text never becomes code.
const policy = "default-src 'none'; script-src 'self' 'sha256-%s'; style-src 'self'; img-src 'self'; media-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// contentTypes are those of the parts of a page.
var contentTypes = map[string]string{
	".js":  "text/javascript; charset=utf-8",
	".css": "text/css; charset=utf-8",
	".svg": "image/svg+xml",
}

// words are the few that stand in the document itself.
type words struct{ Skip, NoScriptTitle, NoScript string }

var languages = map[string]words{
	"en": {"Skip to the content", "This page needs JavaScript", "It finds out who you are and plays your lessons. Switch JavaScript on for this site and reload."},
	"ru": {"Перейти к содержанию", "Этой странице нужен JavaScript", "С ним она узнаёт вас и показывает уроки. Включите JavaScript для этого сайта и обновите страницу."},
}

// Embedded returns the embedded pages and their parts. The library and the player are one document,
// so that a step between them loses nothing that is only in memory.
func Embedded() ([]Page, error) {
	addresses, pages, err := parts()
	if err != nil {
		return nil, err
	}
	early, err := embedded.ReadFile(earlyScript)
	if err != nil {
		return nil, err
	}
	early = bytes.TrimSpace(early)
	digest := sha256.Sum256(early)
	bodies := map[string][]byte{}
	for lang := range languages {
		if bodies[lang], err = document(lang, early, addresses); err != nil {
			return nil, err
		}
	}
	english := bodies["en"]
	delete(bodies, "en")
	header := map[string]string{
		"Content-Security-Policy":    fmt.Sprintf(policy, base64.StdEncoding.EncodeToString(digest[:])),
		"Cross-Origin-Opener-Policy": "same-origin",
		"Permissions-Policy":         "camera=(), geolocation=(), microphone=()",
	}
	for _, place := range []string{"/", "/watch/{id}", "/watch/{id}/"} {
		pages = append(pages, Page{Path: place, ContentType: "text/html; charset=utf-8", Header: header, Body: english, Language: "en", Others: bodies})
	}
	return pages, nil
}

// parts are the scripts, the style and the icon, and their addresses by name. An address has a
// digest of what is there: it never means anything else, so it never expires.
func parts() (addresses map[string]string, pages []Page, err error) {
	files := []string{"assets/icon.svg"}
	bundles, err := fs.Glob(embedded, "bundles/*")
	if err != nil {
		return nil, nil, err
	}
	addresses = map[string]string{}
	for _, file := range append(files, bundles...) {
		if file == earlyScript {
			continue
		}
		body, err := embedded.ReadFile(file)
		if err != nil {
			return nil, nil, err
		}
		name, extension := path.Base(file), path.Ext(file)
		kind, ok := contentTypes[extension]
		if !ok {
			return nil, nil, fmt.Errorf("pages: %s has no content type", file)
		}
		sum := sha256.Sum256(body)
		addresses[name] = "/assets/" + strings.TrimSuffix(name, extension) + "." + hex.EncodeToString(sum[:8]) + extension
		pages = append(pages, Page{
			Path: addresses[name], ContentType: kind, Body: body,
			Header: map[string]string{"Cache-Control": "public, max-age=31536000, immutable", "Content-Security-Policy": "default-src 'none'"},
		})
	}
	return addresses, pages, nil
}

// document is the page in one language, with a script inline.
func document(lang string, early []byte, addresses map[string]string) ([]byte, error) {
	page, err := template.ParseFS(embedded, "assets/page.html")
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = page.Execute(&out, struct {
		Lang, Icon, Style, Script string
		Early                     template.JS
		Words                     words
	}{lang, addresses["icon.svg"], addresses["style.css"], addresses["page."+lang+".js"], template.JS(early), languages[lang]})
	return out.Bytes(), err
}
