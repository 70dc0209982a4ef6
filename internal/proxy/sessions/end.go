package sessions

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/lectiospace/lectern/internal/proxy/credentials"
)

// end is DELETE /session. The token itself stays valid until it expires: no gateway keeps a
// list of sessions.
func (x *request) end() error {
	if len(x.c.Request.Header.Cookie(credentials.SessionCookie)) > 0 {
		if r := credentials.RequireOurPage(x.c, x.h.Links); r != nil {
			return r
		}
	}
	played, err := x.played()
	if err != nil {
		return err
	}
	credentials.AddCookie(x.c, x.h.Links, credentials.SessionCookie, "", 0, "/")
	for _, id := range played {
		path := fmt.Sprintf("%s%s/recordings/%d/", x.h.Links.BasePath(x.c), x.h.cfg.PagesBase, id)
		credentials.AddCookie(x.c, x.h.Links, credentials.PlaybackCookie, "", 0, path)
	}
	x.c.SetStatusCode(http.StatusNoContent)
	return nil
}

// maxPlayed is for how many recordings a sign-out removes the cookies of playback grants.
const maxPlayed = 100

// played are the recordings whose cookies the page wants to be rid of: {"recordings": [7]}.
// Such a cookie is the browser's own, plays on without a session, and is at a path that only
// the page knows.
func (x *request) played() ([]int64, error) {
	var fields struct {
		Recordings []int64 `json:"recordings"`
	}
	body := bytes.TrimSpace(x.c.Request.Body())
	if len(body) > 0 && (json.Unmarshal(body, &fields) != nil || body[0] != '{' || len(fields.Recordings) > maxPlayed) {
		return nil, badRequest{fmt.Sprintf(`The body has to be empty, or {"recordings": [ids, at most %d]}.`, maxPlayed)}
	}
	return fields.Recordings, nil
}
