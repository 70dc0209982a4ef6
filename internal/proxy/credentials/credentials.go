// Package credentials takes the tokens out of a request.
package credentials

import (
	"bytes"
	"slices"
	"strings"

	"github.com/valyala/fasthttp"

	"github.com/lectiospace/lectern/internal/media"
)

// PlaybackCookie is the cookie that a <video> element sends by itself.
const PlaybackCookie = "lectern_playback"

// MaxTokens is how many tokens of one request are tried. A browser has one cookie of a
// name for each path and domain, which are a handful; the bound keeps a request from
// having hundreds of signatures checked.
const MaxTokens = 8

// Tokens returns the tokens of the first source that has any: Authorization, ?token=,
// the cookie. A header of another scheme is no token.
//
// A request may carry several cookies of one name. RFC 6265 section 5.4 has browsers send
// those of longer paths and of earlier creation first, so that leftovers come before the
// valid one, and section 4.2.2 asks servers not to rely on the order. The same holds for a
// link to which a second ?token= was appended. All of them are returned, without empty and
// repeated ones, and at most MaxTokens.
func Tokens(req *fasthttp.Request) ([]media.Token, *media.Refusal) {
	token, refusal := Bearer(req)
	switch {
	case refusal == nil:
		return []media.Token{token}, nil
	case refusal.Code != media.CodeNotAuthenticated:
		return nil, refusal
	}
	var tokens []media.Token
	for name, value := range req.URI().QueryArgs().All() {
		tokens = appendToken(tokens, name, "token", value, media.FromQuery)
	}
	if len(tokens) > 0 {
		return tokens, nil
	}
	for name, value := range req.Header.Cookies() {
		tokens = appendToken(tokens, name, PlaybackCookie, value, media.FromCookie)
	}
	if len(tokens) > 0 {
		return tokens, nil
	}
	return nil, refusal
}

// appendToken appends the value of a parameter or cookie if its name is the wanted one.
func appendToken(tokens []media.Token, name []byte, want string, value []byte, from media.TokenSource) []media.Token {
	if string(name) != want || len(value) == 0 || len(tokens) == MaxTokens {
		return tokens
	}
	token := media.Token{Value: string(value), From: from}
	if slices.Contains(tokens, token) {
		return tokens
	}
	return append(tokens, token)
}

// Bearer returns the token of the header Authorization and no other. Its refusals are
// not_authenticated when there is none, and token_not_valid when the header has too many
// or too few words.
func Bearer(req *fasthttp.Request) (media.Token, *media.Refusal) { return BearerOf(&req.Header) }

// BearerOf is Bearer for a request of which only the header has arrived.
func BearerOf(h *fasthttp.RequestHeader) (media.Token, *media.Refusal) {
	words := authorization(h)
	if len(words) == 0 || !strings.EqualFold(words[0], "Bearer") {
		return media.Token{}, notAuthenticated()
	}
	if len(words) != 2 {
		const detail = "Authorization header must contain two space-delimited values"
		r := media.Refuse(media.CodeTokenNotValid, detail)
		r.Messages = []media.TokenMessage{{Class: "AccessToken", Type: "access", Message: detail}}
		return media.Token{}, r
	}
	return media.Token{Value: words[1], From: media.FromHeader}, nil
}

// notAuthenticated refuses a request without credentials.
func notAuthenticated() *media.Refusal {
	return media.Refuse(media.CodeNotAuthenticated, "Authentication credentials were not provided.")
}

// authorization returns the words of the header Authorization: the scheme, whose letters
// may be of either case (RFC 9110 section 11.1), and the token.
//
// Authorization is no list (RFC 9110 section 11.6.2), so that a sender must not repeat the
// field (section 5.3). Of repeated lines no choice is made: an intermediary may have made
// another one. Equal lines count once; different ones are joined by a comma as WSGI
// servers join them, and refused as too many words as there.
func authorization(h *fasthttp.RequestHeader) []string {
	lines := h.PeekAll("Authorization")
	lines = slices.CompactFunc(lines, bytes.Equal)
	return strings.Fields(string(bytes.Join(lines, []byte(", "))))
}
