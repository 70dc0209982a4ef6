package proxy

import (
	"strings"

	"github.com/valyala/fasthttp"

	"github.com/lectiospace/lectern/internal/media"
)

// playbackCookie is the cookie a <video> sends by itself.
const playbackCookie = "lectern_playback"

// credentials takes the first token a request carries: Authorization, ?token=,
// the cookie. A header of another scheme is no token. The scheme is compared
// with its case, as djangorestframework-simplejwt does, and so is what it makes
// of a header with too many or too few words.
func credentials(req *fasthttp.Request) (media.Token, *media.Refusal) {
	token, refusal := bearer(req)
	if refusal == nil || refusal.Code != media.CodeNotAuthenticated {
		return token, refusal
	}
	if v := req.URI().QueryArgs().Peek("token"); len(v) > 0 {
		return media.Token{Value: string(v), From: media.FromQuery}, nil
	}
	if v := req.Header.Cookie(playbackCookie); len(v) > 0 {
		return media.Token{Value: string(v), From: media.FromCookie}, nil
	}
	return media.Token{}, refusal
}

// bearer takes the token of the header Authorization and no other.
func bearer(req *fasthttp.Request) (media.Token, *media.Refusal) {
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
