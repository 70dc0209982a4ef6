// Package pages serves the web pages: the library and the player. They are plain files
// without a build step. They load nothing from other hosts and contain nothing inline,
// so that the strictest Content-Security-Policy holds.
package pages

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"path"
	"slices"
	"strings"
)

//go:embed assets
var assets embed.FS

// policy lets a page load its own script, style, pictures and media from this
// host, ask this host, and nothing else; text never becomes code.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// contentTypes are those of the assets; others are not served.
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
	dir, parts, err := parts()
	if err != nil {
		return nil, err
	}
	bodies := map[string][]byte{}
	for lang := range languages {
		if bodies[lang], err = document(lang, dir, parts); err != nil {
			return nil, err
		}
	}
	english := bodies["en"]
	delete(bodies, "en")
	header := map[string]string{
		"Content-Security-Policy":    policy,
		"Cross-Origin-Opener-Policy": "same-origin",
		"Permissions-Policy":         "camera=(), geolocation=(), microphone=()",
	}
	for _, place := range []string{"/", "/watch/{id}", "/watch/{id}/"} {
		parts = append(parts, Page{Path: place, ContentType: "text/html; charset=utf-8", Header: header, Body: english, Language: "en", Others: bodies})
	}
	return parts, nil
}

// parts are the scripts, styles and pictures, below a folder that is named by
// what is in it: its addresses never mean anything else, so they never expire.
func parts() (dir string, files []Page, err error) {
	entries, err := fs.ReadDir(assets, "assets")
	if err != nil {
		return "", nil, err
	}
	sum := sha256.New()
	for _, entry := range entries { // sorted by name
		kind, ok := contentTypes[path.Ext(entry.Name())]
		if !ok {
			continue
		}
		body, err := fs.ReadFile(assets, "assets/"+entry.Name())
		if err != nil {
			return "", nil, err
		}
		fmt.Fprintf(sum, "%s %d\n", entry.Name(), len(body))
		sum.Write(body)
		files = append(files, Page{
			Path: entry.Name(), ContentType: kind, Body: body,
			Header: map[string]string{"Cache-Control": "public, max-age=31536000, immutable", "Content-Security-Policy": "default-src 'none'"},
		})
	}
	dir = "/assets/" + hex.EncodeToString(sum.Sum(nil)[:8])
	for i := range files {
		files[i].Path = dir + "/" + files[i].Path
	}
	return dir, files, nil
}

// document is the page in one language. It names the modules beforehand, so that
// they are fetched together and not one after the other.
func document(lang, dir string, parts []Page) ([]byte, error) {
	page, err := template.ParseFS(assets, "assets/page.html")
	if err != nil {
		return nil, err
	}
	modules := []string{}
	for _, part := range parts {
		name := path.Base(part.Path)
		otherWords := strings.HasPrefix(name, "words.") && name != "words.js" && name != "words."+lang+".js"
		if path.Ext(name) == ".js" && name != "app.js" && !otherWords {
			modules = append(modules, name)
		}
	}
	slices.Sort(modules)
	var out bytes.Buffer
	err = page.Execute(&out, struct {
		Lang, Dir string
		Modules   []string
		Words     words
	}{lang, dir, modules, languages[lang]})
	return out.Bytes(), err
}
