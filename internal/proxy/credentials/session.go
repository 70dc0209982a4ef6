package credentials

import (
	"bytes"
	"net/url"
	"strings"

	"github.com/valyala/fasthttp"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/proxy/forwarded"
)

// SessionCookie is the cookie of a session, which the pages' requests to the API carry.
const SessionCookie = "lectern_session"

// SessionTokens are the tokens in the session's cookie of a request without Authorization.
// A browser sends the cookie with requests of every page. So it counts for nothing
// in a request of another site's page, and changes nothing unless the request shows that it
// comes from a page of ours: the refusal is then of code media.CodeCSRF.
func SessionTokens(c *fasthttp.RequestCtx, links forwarded.Resolver) ([]media.Token, *media.Refusal) {
	return ofOurPages(c, links, SessionCookies(&c.Request.Header))
}

// ofOurPages returns the tokens in a cookie of pages of ours where the request is from one.
func ofOurPages(c *fasthttp.RequestCtx, links forwarded.Resolver, tokens []media.Token) ([]media.Token, *media.Refusal) {
	if len(tokens) == 0 || len(c.Request.Header.PeekAll("Authorization")) > 0 {
		return nil, nil
	}
	safe := c.IsGet() || c.IsHead()
	switch initiatorOf(c, links) {
	case ours:
	case otherSite:
		return nil, nil
	case otherOrigin:
		if safe {
			return nil, nil
		}
		return nil, csrf()
	default:
		if !safe {
			return nil, csrf()
		}
	}
	return tokens, nil
}

// SessionCookies are the tokens in the session's cookie of a request, whichever site's page sent
// it. They authorize nothing: handlers use SessionTokens. They decide how much is read of a body
// before a handler sees the request, and whether a page of ours replaces another user's session.
func SessionCookies(h *fasthttp.RequestHeader) (tokens []media.Token) {
	for name, value := range h.Cookies() {
		tokens = appendToken(tokens, name, SessionCookie, value, media.FromSession)
	}
	return tokens
}

// SessionOrBearer returns the tokens of a request that a user makes as themselves: those of the
// session's cookie, and without these the token of Authorization. The refusals are those of
// SessionTokens and Bearer. A link or a playback's cookie makes no such request: a page of
// another site can have a browser send them.
func SessionOrBearer(c *fasthttp.RequestCtx, links forwarded.Resolver) ([]media.Token, *media.Refusal) {
	tokens, refusal := SessionTokens(c, links)
	if refusal != nil || len(tokens) > 0 {
		return tokens, refusal
	}
	token, refusal := Bearer(&c.Request)
	if refusal != nil {
		return nil, refusal
	}
	return []media.Token{token}, nil
}

// StreamOrSession returns the stream's credentials of a GET or HEAD, and those of the session's
// cookie unless Authorization or the query has a token. The session comes first. A browser may
// still have a playback's cookie of the user before, or of a user who has lost access since:
// what a page shows is for the user who is signed in.
func StreamOrSession(c *fasthttp.RequestCtx, links forwarded.Resolver) ([]media.Token, *media.Refusal) {
	tokens, refusal := Tokens(&c.Request)
	if len(tokens) > 0 && tokens[0].From != media.FromCookie {
		return tokens, nil
	}
	session, _ := SessionTokens(c, links) // of GET and HEAD none is refused
	if tokens = append(session, tokens...); len(tokens) > 0 {
		return tokens, nil
	}
	return nil, refusal
}

// RequireOurPage refuses a request that does not show that a page of ours sent it.
func RequireOurPage(c *fasthttp.RequestCtx, links forwarded.Resolver) *media.Refusal {
	if initiatorOf(c, links) != ours {
		return csrf()
	}
	return nil
}

func csrf() *media.Refusal {
	return media.Refuse(media.CodeCSRF, "This request has to come from a page of this site.")
}

// initiator is the origin of what made a browser send a request, as far as the request says.
type initiator uint8

const (
	unstated    initiator = iota // nothing says it: no browser, or an address typed in
	ours                         // a page of this gateway
	otherSite                    // Sec-Fetch-Site says another origin
	otherOrigin                  // an older browser's Origin says another origin
)

// initiatorOf reads Sec-Fetch-Site (Fetch Metadata, section 2.4), which a page cannot set, and
// where it is missing Origin (RFC 6454 section 7), which browsers send with every unsafe
// method.
func initiatorOf(c *fasthttp.RequestCtx, links forwarded.Resolver) initiator {
	h := &c.Request.Header
	site := string(bytes.Join(h.PeekAll("Sec-Fetch-Site"), []byte(",")))
	switch site {
	case "same-origin":
		return ours
	case "", "none":
	default: // same-site, cross-site, and what is not known yet
		return otherSite
	}
	origin := string(bytes.Join(h.PeekAll("Origin"), []byte(",")))
	switch {
	case origin == "":
		return unstated
	case isOurs(origin, c, links):
		return ours
	default:
		return otherOrigin
	}
}

// isOurs compares an origin with the public URL's or, without one, its host with the host that
// the request was sent to: which scheme the client used may be known to nobody here.
func isOurs(origin string, c *fasthttp.RequestCtx, links forwarded.Resolver) bool {
	if links.PublicURL == "" {
		_, host, _ := strings.Cut(origin, "://")
		return host != "" && strings.EqualFold(host, string(c.Host()))
	}
	u, err := url.Parse(links.PublicURL)
	return err == nil && strings.EqualFold(origin, originOf(u))
}

// originOf is a URL's origin as browsers write it: without the scheme's own port (RFC 6454
// section 6.2).
func originOf(u *url.URL) string {
	host := u.Host
	switch u.Scheme {
	case "http":
		host = strings.TrimSuffix(host, ":80")
	case "https":
		host = strings.TrimSuffix(host, ":443")
	}
	return u.Scheme + "://" + host
}
