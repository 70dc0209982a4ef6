package api

import (
	"errors"
	"net/http"
	"net/netip"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/proxy/accesslog"
	"github.com/lectiospace/lectern/internal/proxy/credentials"
	"github.com/lectiospace/lectern/internal/proxy/respond"
)

// errorJSON is an error in the platform's shape.
type errorJSON struct {
	Error  string     `json:"error,omitempty"`
	Detail string     `json:"detail,omitempty"`
	Code   media.Code `json:"code,omitempty"`
}

// platformError is an answer with a status and a text of the platform's.
type platformError struct {
	status int
	body   errorJSON
}

// Error implements error.
func (e *platformError) Error() string { return e.body.Error + e.body.Detail }

// textError is a platformError whose text stands in "error".
func textError(status int, text string) error {
	return &platformError{status, errorJSON{Error: text}}
}

// detailError is a platformError whose text stands in "detail".
func detailError(status int, text string) error {
	return &platformError{status, errorJSON{Detail: text}}
}

// authenticate accepts a session and, without one, a token of the platform's from the header;
// with embedded also the cookie of an embedded player. Its refusals have the platform's texts.
func (x *request) authenticate(client netip.Addr, embedded bool) error {
	read := credentials.SessionOrBearer
	if embedded {
		read = credentials.PlayerTokens
	}
	tokens, refusal := read(x.c, x.h.Links)
	if refusal != nil {
		return platformRefusal(refusal)
	}
	v, err := x.h.Access.Authenticate(x.ctx, client, tokens, 0)
	if err != nil {
		return err
	}
	if v.Playback != 0 {
		return media.RefuseToken("Token has wrong type")
	}
	x.viewer = v
	return nil
}

// platformRefusal gives a refusal of a request's credentials the platform's shape.
func platformRefusal(r *media.Refusal) error {
	switch r.Code {
	case media.CodeNotAuthenticated:
		return detailError(http.StatusUnauthorized, r.Detail)
	case media.CodeTokenNotValid:
		return &platformError{http.StatusUnauthorized, errorJSON{Detail: r.Detail, Code: "bad_authorization_header"}}
	default:
		return r
	}
}

// refuse answers with an error.
func (x *request) refuse(rec *accesslog.Record, err error) {
	resp := &x.c.Response
	var platform *platformError
	if errors.As(err, &platform) {
		if platform.status == http.StatusUnauthorized {
			respond.Challenge(&resp.Header)
		}
		rec.Code = platform.body.Code
		respond.JSON(resp, platform.status, platform.body)
		return
	}
	err = respond.Cause(x.ctx, err)
	p := respond.ProblemOf(err, respond.Catalog)
	r := media.RefusalOf(err)
	if r == nil {
		rec.Err = err
	} else if x.id != 0 {
		if body, ok := platformText(r.Code); ok {
			rec.Code = r.Code
			respond.JSON(resp, p.Status, body)
			return
		}
	}
	rec.Code = p.Code
	respond.Error(resp, p)
}

// platformText is the platform's text for a refusal of the access rule; false for
// other refusals.
func platformText(code media.Code) (errorJSON, bool) {
	switch code {
	case media.CodeNotFound:
		return errorJSON{Error: "Запись не найдена"}, true
	case media.CodeNoAccess:
		return errorJSON{Error: "У вас нет доступа к этой записи"}, true
	case media.CodeExpired:
		return errorJSON{Error: "Срок доступа к записи истёк", Code: code}, true
	default:
		return errorJSON{}, false
	}
}

// editTexts are the platform's texts for the reasons that turn an edit down.
type editTexts map[string]errorJSON

// errorOf gives the error of an edit its text and status. Errors that turn nothing
// down, a database that is away above all, stay as they are.
func (t editTexts) errorOf(err error) error {
	if err == nil {
		return nil
	}
	status, reason := respond.StatusOfEdit(err)
	if status == http.StatusNotFound && reason == "" {
		return textError(status, "Запись не найдена")
	}
	if body, ok := t[reason]; ok && status != 0 {
		return &platformError{status, body}
	}
	return err
}

// noSubscription is for teachers whose subscription is not active.
var noSubscription = errorJSON{Detail: "Подписка истекла. Продлите подписку чтобы продолжить."}
