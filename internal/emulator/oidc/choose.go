package oidc

import (
	"html/template"
	"net/http"
	"net/url"
)

// choice is one line of the page.
type choice struct {
	Person
	Address string
}

var choicePage = template.Must(template.New("choose").Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Who signs in?</title>
<style>
body { font: 1rem/1.5 system-ui, sans-serif; color-scheme: light dark; max-width: 26rem; margin: 12vh auto; padding: 0 1rem }
a { display: block; padding: .7rem 1rem; margin: .5rem 0; border: 1px solid; border-radius: .5rem; color: inherit; text-decoration: none }
a:hover, a:focus-visible { outline: 2px solid }
small { display: block }
</style>
<h1>Who signs in?</h1>
<p>An emulated provider: there are no passwords.</p>
{{range .}}<a href="{{.Address}}">{{.Name}}<small>{{.Email}}</small></a>
{{end}}</html>
`))

// choose shows the people who may sign in. Each link is the request again, with the address as
// login_hint (OpenID Connect Core 1.0 section 3.1.2.1).
func (p *Provider) choose(w http.ResponseWriter, request *url.URL) {
	choices := make([]choice, len(p.cfg.People))
	for i, person := range p.cfg.People {
		q := request.Query()
		q.Set("login_hint", person.Email)
		choices[i] = choice{person, request.Path + "?" + q.Encode()}
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	_ = choicePage.Execute(w, choices)
}
