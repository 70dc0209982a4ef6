// Package pages serves the web pages: the library and the player. They load nothing from
// other hosts, and their Content-Security-Policy names by their digests what stands inline:
// first.css, and early.js, which requests a lesson's grant and loads its video before the page's
// script is here (ADR 17).
//
// assets has the sources, which are small modules. A browser on a slow line would wait a round
// trip for each six of them, so it is given bundles: a script, in its language, one that it shares
// with the library's, which a lesson loads ahead of its need, and one style sheet. scripts/pages makes
// them; they are committed, so that nothing but Go is needed to build a gateway.
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
	"net/url"
	"path"
	"strings"
)

// The bundles that stand in the document.
const (
	firstStyle  = "bundles/first.css"
	earlyScript = "bundles/early.js"
)

//go:embed assets/page.html assets/icon.svg bundles
var embedded embed.FS

// policy lets a page load its own script, style, pictures and media from this host, have the icon that stands in it and the inline
// script and style whose digests replace the first and the second %s, ask this host, and nothing else; text
// never becomes code. The sources that may frame the page replace the third.
const policy = "default-src 'none'; script-src 'self'%s; style-src 'self'%s; img-src 'self' data:; media-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors %s; require-trusted-types-for 'script'; trusted-types 'none'"

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
	early, runs, err := inline(earlyScript)
	if err != nil {
		return nil, err
	}
	first, styles, err := inline(firstStyle)
	if err != nil {
		return nil, err
	}
	icon, err := dataURL("assets/icon.svg")
	if err != nil {
		return nil, err
	}
	p, err := translated(document{
		Icon: icon, Style: addresses["style.css"], First: template.CSS(first), Early: template.JS(early),
		Shared: addresses["chunk"], Library: addresses["library"],
	}, addresses, "page", fmt.Sprintf(policy, runs, styles, "'none'"))
	if err != nil {
		return nil, err
	}
	return append(pages, p.at("/", "/watch/{id}", "/watch/{id}/")...), nil
}

// Player returns the bare player, which pages of the given web origins may embed and no others;
// none without origins. Its parts are among those of Embedded.
func Player(origins []string) ([]Page, error) {
	if len(origins) == 0 {
		return nil, nil
	}
	addresses, _, err := parts()
	if err != nil {
		return nil, err
	}
	listed := strings.Join(origins, " ")
	p, err := translated(document{
		Style: addresses["embed.css"], EmbedOrigins: listed,
	}, addresses, "embed", fmt.Sprintf(policy, "", "", listed))
	if err != nil {
		return nil, err
	}
	return p.at("/embed/{id}", "/embed/{id}/"), nil
}

// inline is a bundle that stands in a document, and its source in the document's policy, with a
// blank before it.
func inline(file string) (text, source string, err error) {
	body, err := embedded.ReadFile(file)
	body = bytes.TrimSpace(body)
	digest := sha256.Sum256(body)
	return string(body), " 'sha256-" + base64.StdEncoding.EncodeToString(digest[:]) + "'", err
}

// translated is a document in all languages, each with its script of a name.
func translated(d document, addresses map[string]string, script, policy string) (Page, error) {
	p := Page{
		ContentType: "text/html; charset=utf-8", Language: "en", Others: map[string][]byte{},
		Header: map[string]string{
			"Content-Security-Policy":    policy,
			"Cross-Origin-Opener-Policy": "same-origin",
			"Permissions-Policy":         "camera=(), geolocation=(), microphone=()",
		},
	}
	for lang := range languages {
		d.Lang, d.Words, d.Script = lang, languages[lang], addresses[script+"."+lang+".js"]
		body, err := d.html()
		if err != nil {
			return p, err
		}
		if lang == p.Language {
			p.Body = body
		} else {
			p.Others[lang] = body
		}
	}
	return p, nil
}

// at returns the page at several paths.
func (p Page) at(paths ...string) (out []Page) {
	for _, p.Path = range paths {
		out = append(out, p)
	}
	return out
}

// dataURL is a picture that stands in a document, so that browsers do not request it while a lesson begins.
func dataURL(file string) (template.URL, error) {
	body, err := embedded.ReadFile(file)
	return template.URL("data:" + contentTypes[path.Ext(file)] + "," + url.PathEscape(string(bytes.TrimSpace(body)))), err
}

// parts are the scripts and the styles, and their addresses by name. An address has a
// digest of what is there: it never means anything else, so it never expires.
func parts() (addresses map[string]string, pages []Page, err error) {
	bundles, err := fs.Glob(embedded, "bundles/*")
	if err != nil {
		return nil, nil, err
	}
	addresses = map[string]string{}
	for _, file := range bundles {
		if file == earlyScript || file == firstStyle {
			continue
		}
		body, err := embedded.ReadFile(file)
		if err != nil {
			return nil, nil, err
		}
		name, extension := path.Base(file), path.Ext(file)
		address := "/assets/" + name
		kind, ok := contentTypes[extension]
		if !ok {
			return nil, nil, fmt.Errorf("pages: %s has no content type", file)
		}
		if part, _, divided := strings.Cut(name, "-"); divided { // the bundler's name has a digest, and other scripts import it
			if addresses[part] != "" {
				return nil, nil, fmt.Errorf("pages: there are two scripts %s", part)
			}
			name = part
		} else {
			sum := sha256.Sum256(body)
			address = "/assets/" + strings.TrimSuffix(name, extension) + "." + hex.EncodeToString(sum[:8]) + extension
		}
		addresses[name] = address
		pages = append(pages, Page{
			Path: address, ContentType: kind, Body: body,
			Header: map[string]string{"Cache-Control": "public, max-age=31536000, immutable", "Content-Security-Policy": "default-src 'none'"},
		})
	}
	return addresses, pages, nil
}

// document is what differs between the documents.
type document struct {
	Lang, Style, Script string
	Icon                template.URL // "" for none
	// First and Early stand inline; "" for none. Style, Shared and Script are then loaded by Early, and
	// Library where the page shows it first.
	First           template.CSS
	Early           template.JS
	Shared, Library string
	Words           words
	// EmbedOrigins are the web origins that send messages to an embedded player, with blanks
	// between them; "" for a page that is none.
	EmbedOrigins string
}

func (d document) html() ([]byte, error) {
	page, err := template.ParseFS(embedded, "assets/page.html")
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = page.Execute(&out, d)
	return out.Bytes(), err
}
