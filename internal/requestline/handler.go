package requestline

import (
	"io"
	"net/http"
	"strings"
)

// Handler refuses for a server of package net/http what that parses, but should not be
// answered by its content: userinfo in the authority (RFC 9110 section 4.2.4), by which a
// name can be dressed up as another, and targets longer than MaxTarget.
func Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case len(r.RequestURI) > MaxTarget:
			refuse(w, http.StatusRequestURITooLong, `{"detail":"The request target is too long.","code":"uri_too_long"}`)
		case r.URL.User != nil || HasUserinfo(r.Host, r.RequestURI):
			refuse(w, http.StatusBadRequest, `{"detail":"The host has a user name.","code":"bad_request"}`)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func refuse(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Connection", "close")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body) // the client may be gone
}

// HasUserinfo reports whether the field Host, or the authority of a target in absolute
// form, has a user name.
func HasUserinfo(host, target string) bool {
	if strings.Contains(host, "@") {
		return true
	}
	name, _ := authority(target)
	return strings.Contains(name, "@")
}
