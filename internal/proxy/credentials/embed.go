package credentials

import (
	"github.com/valyala/fasthttp"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/proxy/forwarded"
)

// EmbedCookie is the cookie of an embedded player. Browsers keep it apart for each site that
// embeds one.
const EmbedCookie = "lectern_embed"

// PlayerHeader is the header with which the page of an embedded player says "embed". A frame of
// the gateway's own site has the session's cookie, too, which may be another user's: the
// session then does not count.
const PlayerHeader = "Lectern-Player"

// PlayerTokens returns the tokens of a request that a player makes for its user: those of
// SessionOrBearer and, where there are none, those of an embedded player's cookie. The latter
// count like a session's, for pages of this gateway only, whatever the page around them is.
func PlayerTokens(c *fasthttp.RequestCtx, links forwarded.Resolver) ([]media.Token, *media.Refusal) {
	var none *media.Refusal
	if string(c.Request.Header.Peek(PlayerHeader)) == "embed" {
		none = notAuthenticated()
	} else {
		tokens, refusal := SessionOrBearer(c, links)
		if refusal == nil {
			return tokens, nil
		}
		none = refusal // where Authorization or the page is refused, this cookie counts for nothing, either
	}
	tokens, refusal := ofOurPages(c, links, EmbedCookies(&c.Request.Header))
	if len(tokens) == 0 && refusal == nil {
		refusal = none
	}
	return tokens, refusal
}

// EmbedCookies are the tokens in the cookie of an embedded player, whichever site's page sent
// the request. Like those of SessionCookies they authorize nothing.
func EmbedCookies(h *fasthttp.RequestHeader) (tokens []media.Token) {
	for name, value := range h.Cookies() {
		tokens = appendToken(tokens, name, EmbedCookie, value, media.FromEmbed)
	}
	return tokens
}
