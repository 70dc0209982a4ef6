package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/lectiospace/lectern/internal/media"
)

// maxTitle and maxReason are the lengths of the catalog's columns, in runes.
const (
	maxTitle  = 255
	maxReason = 255
)

// fields parses the request's body, an object of JSON; no body is an empty one.
func (x *request) fields() (map[string]any, error) {
	kind, _, _ := strings.Cut(string(x.c.Request.Header.ContentType()), ";")
	kind = strings.ToLower(strings.TrimSpace(kind))
	body := bytes.TrimSpace(x.c.Request.Body())
	out := map[string]any{}
	switch {
	case len(body) == 0:
		return out, nil
	case kind != "" && kind != "application/json":
		return nil, detailError(http.StatusUnsupportedMediaType, "Unsupported media type \""+kind+"\" in request.")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber() // a number keeps the digits it was written with
	err := d.Decode(&out)
	if err == nil {
		if _, err = d.Token(); errors.Is(err, io.EOF) {
			err = nil
		} else if err == nil {
			err = errors.New("something follows the object")
		}
	}
	if err != nil || out == nil {
		return nil, detailError(http.StatusBadRequest, "JSON parse error - an object is expected")
	}
	return out, nil
}

// rename is PATCH recordings/{id}/.
func (x *request) rename() (response, error) {
	if err := x.requireRole(media.RoleTeacher, "Только преподаватели могут редактировать записи"); err != nil {
		return response{}, err
	}
	texts := editTexts{
		media.ReasonSubscription: noSubscription,
		media.ReasonNotOwner:     {Error: "У вас нет прав на редактирование этой записи"},
	}
	if err := x.h.Services.Editor.May(x.ctx, x.viewer.User.ID, x.id); err != nil {
		return response{}, texts.errorOf(err)
	}
	body, err := x.fields()
	if err != nil {
		return response{}, err
	}
	title, ok := body["title"].(string)
	if _, there := body["title"]; there && !ok {
		return response{}, textError(http.StatusBadRequest, "Название должно быть текстом")
	}
	switch title = strings.TrimSpace(title); {
	case title == "":
		return response{}, textError(http.StatusBadRequest, "Название не может быть пустым")
	case utf8.RuneCountInString(title) > maxTitle:
		return response{}, textError(http.StatusBadRequest, "Название слишком длинное (максимум 255 символов)")
	case strings.ContainsRune(title, 0):
		return response{}, textError(http.StatusBadRequest, "Название должно быть текстом")
	}
	if err := x.h.Services.Editor.Rename(x.ctx, x.viewer.User.ID, x.id, title); err != nil {
		return response{}, texts.errorOf(err)
	}
	return response{http.StatusOK, struct {
		ID      int64  `json:"id"`
		Title   string `json:"title"`
		Message string `json:"message"`
	}{x.id, title, "Название успешно обновлено"}}, nil
}

// remove is DELETE recordings/{id}/, and recordings/{id}/delete/, an older path of the
// platform's. A body may give a reason.
func (x *request) remove() (response, error) {
	if err := x.requireRole(media.RoleTeacher, "Только преподаватели могут удалять записи"); err != nil {
		return response{}, err
	}
	body, err := x.fields()
	if err != nil {
		return response{}, err
	}
	reason, _ := body["reason"].(string)
	reason = strings.TrimSpace(strings.ReplaceAll(reason, "\x00", ""))
	if letters := []rune(reason); len(letters) > maxReason {
		reason = string(letters[:maxReason])
	}
	if reason == "" {
		reason = "removed by its teacher"
	}
	err = x.h.Services.Editor.Remove(x.ctx, x.viewer.User.ID, x.id, reason)
	if err != nil {
		return response{}, editTexts{
			media.ReasonSubscription: noSubscription,
			media.ReasonNotOwner:     {Error: "У вас нет прав на удаление этой записи"},
		}.errorOf(err)
	}
	return response{http.StatusOK, struct {
		Message     string `json:"message"`
		RecordingID string `json:"recording_id"` // a string, as the platform has it
	}{"Запись успешно удалена", strconv.FormatInt(x.id, 10)}}, nil
}

// restore is POST recordings/{id}/restore/: it takes a removal back, as long as the
// bytes are there, and answers with the recording.
func (x *request) restore() (response, error) {
	if err := x.requireRole(media.RoleTeacher, "Только преподаватели могут восстанавливать записи"); err != nil {
		return response{}, err
	}
	if err := x.h.Services.Editor.Restore(x.ctx, x.viewer.User.ID, x.id); err != nil {
		return response{}, editTexts{
			media.ReasonSubscription: noSubscription,
			media.ReasonNotOwner:     {Error: "У вас нет прав на восстановление этой записи"},
			media.ReasonPurged:       {Error: "Файл записи уже удалён", Code: media.ReasonPurged},
			media.ReasonQuota:        {Error: "В хранилище нет места для этой записи", Code: media.ReasonQuota},
		}.errorOf(err)
	}
	return x.detail()
}

// resync is POST recordings/{id}/resync/: a syncer will fetch it from Zoom again.
func (x *request) resync() (response, error) {
	if err := x.requireRole(media.RoleTeacher, "Только для преподавателей"); err != nil {
		return response{}, err
	}
	out, err := x.h.Services.Editor.Resync(x.ctx, x.viewer.User.ID, x.id)
	if err != nil {
		return response{}, editTexts{
			media.ReasonNotOwner:   {Error: "У вас нет доступа к этой записи"},
			media.ReasonNoMeeting:  {Error: "Запись не связана с Zoom уроком"},
			media.ReasonNoAccount:  {Error: "Не настроен доступ к Zoom"},
			media.ReasonGoneAtZoom: {Error: "Запись не найдена в Zoom"},
		}.errorOf(err)
	}
	return response{http.StatusOK, struct {
		Status        string `json:"status"`
		RecordingID   int64  `json:"recording_id"`
		PartsCount    int64  `json:"parts_count"`
		TotalSize     int64  `json:"total_size"`
		TotalDuration int64  `json:"total_duration"`
		Message       string `json:"message"`
	}{"processing", out.RecordingID, out.Parts, out.Bytes, int64(out.Duration / time.Second), "Синхронизация запущена"}}, nil
}

// view is POST recordings/{id}/view/.
func (x *request) view() (response, error) {
	e, err := x.entry()
	if err != nil {
		return response{}, err
	}
	pending, err := x.h.Services.Views.Count(x.ctx, x.viewer.User.ID, x.id)
	if err != nil {
		return response{}, err
	}
	return response{http.StatusOK, struct {
		Success    bool  `json:"success"`
		ViewsCount int64 `json:"views_count"`
	}{true, e.Views + pending}}, nil
}
