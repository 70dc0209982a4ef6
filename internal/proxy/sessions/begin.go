package sessions

import (
	"bytes"
	"encoding/json"
	"net/http"
	"time"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/proxy/credentials"
)

// begin is POST /session. It requires a page of ours even with a token in the header: a page
// of another site must not sign its reader in as somebody else.
func (x *request) begin() error {
	if r := credentials.RequireOurPage(x.c, x.h.Links); r != nil {
		return r
	}
	wanted, err := x.wanted()
	if err != nil {
		return err
	}
	if wanted.Embed {
		if err := x.mayEmbed(wanted); err != nil {
			return err
		}
	}
	viewer, err := x.entitled(wanted)
	if err != nil {
		return err
	}
	sign := x.h.Signer.Session
	if wanted.Embed {
		sign = x.h.Signer.Embed
	}
	token, expires, err := sign(viewer.User.ID, viewer.Expires, x.h.cfg.TTL)
	if err != nil {
		return err
	}
	life := expires.Sub(x.h.Now())
	if life < time.Second { // within the leeway after its end
		return media.RefuseToken("Token is expired")
	}
	if wanted.Embed {
		credentials.AddPartitionedCookie(x.c, credentials.EmbedCookie, token, life, "/")
	} else {
		credentials.AddCookie(x.c, x.h.Links, credentials.SessionCookie, token, life, "/")
	}
	x.c.SetStatusCode(http.StatusNoContent)
	return nil
}

// mayEmbed refuses an embedded player where no page may embed one, and where it has no code: a
// page that embeds one never needs to send an access token to a browser.
func (x *request) mayEmbed(w wanted) error {
	switch {
	case !x.h.cfg.Embedding:
		return media.Refuse(media.CodeNotFound, "No page may embed the player.")
	case w.Code == "":
		return badRequest{`An embedded player needs a code: {"code": "…", "embed": true}.`}
	}
	return nil
}

// entitled is the viewer whose session may begin: the user of the body's code, or of an access
// token in the header. Neither a session nor a playback token begins another session.
func (x *request) entitled(w wanted) (media.Viewer, error) {
	if w.Code == "" {
		viewer, err := x.bearer()
		if err == nil && w.keepsOther() {
			err = x.refuseOther(viewer.User.ID)
		}
		return viewer, err
	}
	if w.keepsOther() {
		user, err := x.h.Codes.User(w.Code)
		if err == nil {
			err = x.refuseOther(user)
		}
		if err != nil {
			return media.Viewer{}, x.h.Access.Limit(x.rec.Client, err)
		}
	}
	viewer, err := x.h.Codes.Redeem(x.ctx, w.Code)
	if err != nil {
		return viewer, x.h.Access.Limit(x.rec.Client, err)
	}
	x.rec.User = viewer.User.ID
	return viewer, nil
}

// wanted is the body of POST /session.
type wanted struct {
	Code string `json:"code"`
	// Replace is whether the session may take the place of another user's. A page sets it to
	// false, and asks the person where the answer is 409.
	Replace *bool `json:"replace"`
	// Embed asks for the cookie of an embedded player instead of a session. It is beside every
	// session, and takes the place of the one before it.
	Embed bool `json:"embed"`
}

func (w wanted) keepsOther() bool { return w.Replace != nil && !*w.Replace && !w.Embed }

// wanted reads the body, which may be missing.
func (x *request) wanted() (w wanted, err error) {
	body := bytes.TrimSpace(x.c.Request.Body())
	if len(body) == 0 {
		return w, nil
	}
	if json.Unmarshal(body, &w) != nil || body[0] != '{' {
		return w, badRequest{`The body has to be empty, or {"code": "…"}.`}
	}
	return w, nil
}

// refuseOther refuses when the request has the session of a user other than the given one.
func (x *request) refuseOther(user int64) error {
	tokens := credentials.SessionCookies(&x.c.Request.Header)
	if len(tokens) == 0 {
		return nil
	}
	now, err := x.h.Access.Authenticate(x.ctx, x.rec.Client, tokens, 0)
	refusal := media.RefusalOf(err)
	switch {
	case refusal != nil && refusal.Code != media.CodeThrottled: // it has ended
		return nil
	case err != nil:
		return err
	case now.User.ID != user:
		return media.Refuse(media.CodeOtherSession, "Somebody else is signed in.")
	}
	return nil
}
