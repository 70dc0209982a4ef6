package api

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"strings"

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

// authenticate accepts a token of the platform's from the header and, without one, a session.
// Its refusals have the platform's texts.
func (x *request) authenticate(client netip.Addr) (err error) {
	session, refusal := credentials.SessionTokens(x.c, x.h.Links)
	if refusal != nil {
		return refusal
	}
	if len(session) > 0 {
		x.viewer, err = x.h.Access.Authenticate(x.ctx, client, session, 0)
		return err
	}
	words := credentials.Authorization(&x.c.Request)
	switch {
	case len(words) == 0 || !strings.EqualFold(words[0], "Bearer"):
		return detailError(http.StatusUnauthorized, "Authentication credentials were not provided.")
	case len(words) != 2:
		return &platformError{http.StatusUnauthorized, errorJSON{Detail: "Authorization header must contain two space-delimited values", Code: "bad_authorization_header"}}
	}
	v, err := x.h.Access.Authenticate(x.ctx, client, []media.Token{{Value: words[1], From: media.FromHeader}}, 0)
	if err != nil {
		return err
	}
	if v.Playback != 0 {
		return media.RefuseToken("Token has wrong type")
	}
	x.viewer = v
	return nil
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
	r := media.RefusalOf(err)
	if r == nil {
		if cause := context.Cause(x.ctx); cause != nil {
			err = cause
		}
		rec.Err = err
	}
	p := respond.ProblemOf(err, respond.Catalog)
	if r != nil && x.id != 0 {
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
