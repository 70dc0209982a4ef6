package respond

import (
	"net/http"

	"github.com/lectiospace/lectern/internal/media"
)

// pageText is what a page says of an error.
type pageText struct{ title, text string }

// pageLanguage holds the texts of one language.
type pageLanguage struct {
	home     string
	codes    map[media.Code]pageText // before statuses
	statuses map[int]pageText
	client   pageText // of other statuses below 500
	server   pageText // of other statuses from 500 on
}

func (l pageLanguage) of(p Problem) pageText {
	if text, ok := l.codes[p.Code]; ok {
		return text
	}
	if text, ok := l.statuses[p.Status]; ok {
		return text
	}
	if p.Status < http.StatusInternalServerError {
		return l.client
	}
	return l.server
}

var pageTexts = map[string]pageLanguage{
	"en": {
		home: "To the library",
		codes: map[media.Code]pageText{
			media.CodeSignInRefused: {"You are not signed in", "The sign-in was not completed, took too long, or was begun in another browser. Begin it again."},
			media.CodeNoAccount:     {"There is no account for you here", "You have signed in, but your verified e-mail address does not belong to an active account of this school. Sign in with another address, or ask the school."},
			media.CodeProviderDown:  {"The sign-in is not available right now", "The service where you sign in does not answer. Wait a moment, then try again."},
		},
		statuses: map[int]pageText{
			http.StatusUnauthorized:       {"You are not signed in", "Sign in on your school's site and open the lesson from there."},
			http.StatusForbidden:          {"This lesson is not open to you", "Ask your teacher to give you access to the recording."},
			http.StatusNotFound:           {"There is nothing here", "The address may be mistyped, or the recording was removed."},
			http.StatusConflict:           {"The recording is not ready yet", "It is still being processed. Try again in a few minutes."},
			http.StatusGone:               {"The recording has expired", "It was available for a limited time, which is over. Ask your teacher."},
			http.StatusTooManyRequests:    {"Too many requests", "Wait a moment, then reload the page."},
			http.StatusServiceUnavailable: {"Not available right now", "Wait a moment, then reload the page."},
		},
		client: pageText{"That did not work", "The server cannot answer this request. Open the lesson from the library."},
		server: pageText{"Something went wrong here", "It is not your fault. Wait a moment, then reload the page."},
	},
	"ru": {
		home: "К записям",
		codes: map[media.Code]pageText{
			media.CodeSignInRefused: {"Вы не вошли", "Вход не завершён, занял слишком много времени или начат в другом браузере. Начните его снова."},
			media.CodeNoAccount:     {"Для вас здесь нет учётной записи", "Вход выполнен, но подтверждённый адрес почты не принадлежит ни одной действующей учётной записи школы. Войдите с другим адресом или обратитесь в школу."},
			media.CodeProviderDown:  {"Вход сейчас недоступен", "Сервис, через который входят, не отвечает. Подождите немного и попробуйте снова."},
		},
		statuses: map[int]pageText{
			http.StatusUnauthorized:       {"Вы не вошли", "Войдите на сайте школы и откройте урок оттуда."},
			http.StatusForbidden:          {"Этот урок вам недоступен", "Попросите преподавателя открыть вам доступ к записи."},
			http.StatusNotFound:           {"Здесь ничего нет", "Возможно, в адресе ошибка или запись удалена."},
			http.StatusConflict:           {"Запись ещё не готова", "Она обрабатывается. Попробуйте через несколько минут."},
			http.StatusGone:               {"Срок записи истёк", "Запись была доступна ограниченное время. Обратитесь к преподавателю."},
			http.StatusTooManyRequests:    {"Слишком много запросов", "Подождите немного и обновите страницу."},
			http.StatusServiceUnavailable: {"Сейчас недоступно", "Подождите немного и обновите страницу."},
		},
		client: pageText{"Не получилось", "Сервер не может ответить на этот запрос. Откройте урок из списка записей."},
		server: pageText{"Что-то сломалось у нас", "Вы ни при чём. Подождите немного и обновите страницу."},
	},
}
