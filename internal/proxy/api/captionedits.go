package api

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/lectiospace/lectern/internal/library"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/proxy/route"
	"github.com/lectiospace/lectern/internal/webvtt"
)

// maxCaptions bounds captions that somebody sends, in bytes.
const maxCaptions = 2 << 20

// captionEditError gives the error of an edit of captions its text and status.
func captionEditError(err error) error {
	return editTexts{media.ReasonSubscription: noSubscription, media.ReasonNotOwner: notTheEditor().body}.errorOf(err)
}

// errNoCaptions is for a language in which there are none.
var errNoCaptions = &platformError{http.StatusNotFound, errorJSON{Detail: "There are no such captions.", Code: media.CodeNotFound}}

// putCaptions is PUT recordings/{id}/captions/{lang}.vtt.
func (x *request) putCaptions() (response, error) {
	lang := captionLang(string(x.c.Path()))
	if lang == "" {
		return response{}, errNoCaptions
	}
	if err := x.mayEditCaptions(); err != nil {
		return response{}, err
	}
	body := x.c.Request.Body()
	if len(body) > maxCaptions || route.BodyUnread(x.c) {
		return response{}, invalidCaptions(fmt.Errorf("the file is larger than %d MiB", maxCaptions>>20))
	}
	if _, err := webvtt.Validate(body); err != nil {
		return response{}, invalidCaptions(err)
	}
	err := x.h.Services.Editor.EditCaptions(x.ctx, x.viewer.User, x.id, lang, string(body))
	switch {
	case err == nil:
		return response{status: http.StatusNoContent}, nil
	case errors.Is(err, library.ErrManyLanguages):
		return response{}, &platformError{http.StatusBadRequest, errorJSON{Detail: fmt.Sprintf("A recording has captions in at most %d languages, those that were removed included.", library.MaxLanguages), Code: "too_many_languages"}}
	}
	return response{}, captionEditError(err)
}

// mayEditCaptions refuses those who may not, before it says anything about the captions.
func (x *request) mayEditCaptions() error {
	if role := x.viewer.User.Role; role != media.RoleTeacher && role != media.RoleAdmin {
		return notTheEditor()
	}
	return captionEditError(x.h.Services.Editor.MayEdit(x.ctx, x.viewer.User, x.id))
}

// invalidCaptions is the error of a file that is no captions; the text names the line.
func invalidCaptions(err error) error {
	return &platformError{http.StatusBadRequest, errorJSON{Detail: "The captions are not valid WebVTT: " + err.Error() + ".", Code: "invalid_captions"}}
}

// removeCaptions is DELETE recordings/{id}/captions/{lang}.vtt.
func (x *request) removeCaptions() (response, error) {
	lang := captionLang(string(x.c.Path()))
	if lang == "" {
		return response{}, errNoCaptions
	}
	if err := x.mayEditCaptions(); err != nil {
		return response{}, err
	}
	err := x.h.Services.Editor.RemoveCaptions(x.ctx, x.viewer.User, x.id, lang)
	var e *media.Error
	switch {
	case err == nil:
		return response{status: http.StatusNoContent}, nil
	case errors.As(err, &e) && e.Kind == media.NotFound:
		return response{}, errNoCaptions
	}
	return response{}, captionEditError(err)
}
