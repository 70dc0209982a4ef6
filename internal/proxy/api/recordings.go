package api

import (
	"net/http"

	"github.com/lectiospace/lectern/internal/library"
	"github.com/lectiospace/lectern/internal/media"
)

// detail is GET recordings/{id}/.
func (x *request) detail() (response, error) {
	e, err := x.entry()
	if err != nil {
		return response{}, err
	}
	return response{http.StatusOK, x.recording(e)}, nil
}

// statusJSON is the platform's answer for a lesson without a recording to show.
type statusJSON struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

// lessonRecording is GET lessons/{id}/recording/: the newest one that plays and that
// the viewer may see.
func (x *request) lessonRecording() (response, error) {
	list, member, err := x.h.Services.Recordings.LessonEntries(x.ctx, x.id, x.viewer.User.ID)
	switch {
	case media.KindOf(err) == media.NotFound:
		return response{}, textError(http.StatusNotFound, "Урок не найден")
	case err != nil:
		return response{}, err
	}
	var refused error // the first, of the newest
	processing := false
	for _, s := range list {
		processing = processing || s.Entry.Status == media.StatusProcessing
		if s.Entry.Status != media.StatusReady && s.Entry.Status != media.StatusArchived {
			continue
		}
		err := x.h.Services.Viewability.CheckViewable(x.viewer, s.Entry.Recording, s.Membership)
		if err == nil {
			return response{http.StatusOK, x.recording(s.Entry)}, nil
		}
		if r := media.RefusalOf(refused); r == nil || r.Code != media.CodeExpired {
			refused = err
		}
	}
	switch {
	case refused != nil:
		return response{}, refused
	case !member && x.viewer.User.Role != media.RoleAdmin:
		return response{}, textError(http.StatusForbidden, "У вас нет доступа к этому уроку")
	case processing:
		return response{http.StatusAccepted, statusJSON{"processing", "Запись обрабатывается, попробуйте позже"}}, nil
	default:
		return response{http.StatusNotFound, statusJSON{"not_found", "Запись урока не найдена"}}, nil
	}
}

// progressJSON is a recording that cannot be watched, and why.
type progressJSON struct {
	ID        int64   `json:"id"`
	Lesson    *int64  `json:"lesson"`
	Title     string  `json:"title"`
	Status    string  `json:"status"`
	Reason    string  `json:"reason"`
	Detail    string  `json:"detail"`
	UpdatedAt instant `json:"updated_at"`
}

// progress is GET recordings/progress/: what of the requesting teacher's recordings cannot be
// watched yet, or will not be.
func (x *request) progress() (response, error) {
	if err := x.requireRole(media.RoleTeacher, "Доступ только для преподавателей"); err != nil {
		return response{}, err
	}
	list, err := x.h.Services.Recordings.Progress(x.ctx, x.viewer.User.ID)
	if err != nil {
		return response{}, err
	}
	out := make([]progressJSON, len(list))
	for i, p := range list {
		out[i] = progressJSON{ID: p.ID, Title: p.Title, Status: string(p.Status), Reason: p.Reason, Detail: reasonText(p), UpdatedAt: instant(p.UpdatedAt)}
		if p.LessonID != 0 {
			out[i].Lesson = &p.LessonID
		}
	}
	return response{http.StatusOK, out}, nil
}

// reasonText is the text, for a teacher, of why a recording cannot be watched. The
// syncer's own messages name hosts, paths and ids, and are for operators.
func reasonText(p library.Progress) string {
	text, known := map[string]string{
		media.ReasonQuota:       "В хранилище нет места. Освободите место или увеличьте квоту: обработка продолжится сама.",
		"archive_full":          "Переполнен архив школы. Сообщите администратору.",
		"archive_denied":        "Архив школы не принимает запись. Сообщите администратору.",
		"download_invalid":      "Zoom отдаёт повреждённый файл. Проверьте запись в Zoom.",
		"download_host_refused": "Ссылка на запись ведёт не в Zoom. Сообщите администратору.",
		media.ReasonGoneAtZoom:  "Запись удалена в Zoom. Восстановите её из корзины Zoom в течение 30 дней.",
		"no_access_at_zoom":     "Нет доступа к Zoom. Проверьте данные приложения Zoom в профиле.",
		"zoom_unavailable":      "Zoom долго не отвечает. Попробуем ещё раз.",
		"archive_unavailable":   "Архив школы долго не отвечает. Попробуем ещё раз.",
		"join_failed":           "Части записи не удалось соединить. Проверьте запись в Zoom.",
		"archive_lost":          "Файл записи пропал из архива. Сообщите администратору.",
		"archive_unverified":    "Файл в архиве не прошёл проверку. Попробуем ещё раз.",
	}[p.Reason]
	switch {
	case known:
		return text
	case p.Status == media.StatusFailed:
		return "Обработка не удалась."
	default:
		return "Запись обрабатывается."
	}
}
