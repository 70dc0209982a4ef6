// Package credentials takes the token out of a request.
package credentials

import (
	"strings"

	"github.com/valyala/fasthttp"

	"github.com/lectiospace/lectern/internal/media"
)

// PlaybackCookie is the cookie that a <video> element sends by itself.
const PlaybackCookie = "lectern_playback"

// Token returns the first token of a request: Authorization, ?token=, the cookie.
// A header of another scheme is no token. The scheme is compared with its case, as
// djangorestframework-simplejwt does, and a header with too many or too few words
// is refused as there.
func Token(req *fasthttp.Request) (media.Token, *media.Refusal) {
	token, refusal := Bearer(req)
	if refusal == nil || refusal.Code != media.CodeNotAuthenticated {
		return token, refusal
	}
	if v := req.URI().QueryArgs().Peek("token"); len(v) > 0 {
		return media.Token{Value: string(v), From: media.FromQuery}, nil
	}
	if v := req.Header.Cookie(PlaybackCookie); len(v) > 0 {
		return media.Token{Value: string(v), From: media.FromCookie}, nil
	}
	return media.Token{}, refusal
}

// Bearer returns the token of the header Authorization and no other.
func Bearer(req *fasthttp.Request) (media.Token, *media.Refusal) {
	words := strings.Fields(string(req.Header.Peek("Authorization")))
	if len(words) == 0 || words[0] != "Bearer" {
		return media.Token{}, media.Refuse(media.CodeNotAuthenticated, "Authentication credentials were not provided.")
	}
	if len(words) != 2 {
		const detail = "Authorization header must contain two space-delimited values"
		r := media.Refuse(media.CodeTokenNotValid, detail)
		r.Messages = []media.TokenMessage{{Class: "AccessToken", Type: "access", Message: detail}}
		return media.Token{}, r
	}
	return media.Token{Value: words[1], From: media.FromHeader}, nil
}
