package api

import "net/http"

// meJSON is the user who asks.
type meJSON struct {
	ID   int64  `json:"id"`
	Role string `json:"role"`
}

// me is GET me/: whom the gateway takes the asker for. A token says no role, or an old
// one; a page that knows the role asks for no list that is not for it.
func (x *request) me() (response, error) {
	return response{http.StatusOK, meJSON{x.viewer.User.ID, string(x.viewer.User.Role)}}, nil
}
