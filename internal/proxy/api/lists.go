package api

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/lectiospace/lectern/internal/library"
	"github.com/lectiospace/lectern/internal/media"
)

const (
	pageSize    = 20
	maxPageSize = 100
	// maxPage is beyond any list and far from an overflow.
	maxPage = 1 << 40
	// maxSearch is longer than any title.
	maxSearch = 300
)

// pageShape is one page of a list.
type pageJSON struct {
	Count    int64   `json:"count"`
	Next     *string `json:"next"`
	Previous *string `json:"previous"`
	Results  any     `json:"results"`
}

// noSuchPage is the platform's error for a page beyond the end.
func noSuchPage() error {
	return detailError(http.StatusNotFound, "Invalid page.")
}

// pageNumber parses ?page=: a number from 1 on, or last.
func (x *request) pageNumber() (number int64, last bool, err error) {
	text := strings.TrimSpace(string(x.c.QueryArgs().Peek("page")))
	switch text {
	case "":
		return 1, false, nil
	case "last":
		return 1, true, nil
	}
	number, err = strconv.ParseInt(text, 10, 64)
	if err != nil || number < 1 || number > maxPage {
		return 0, false, noSuchPage()
	}
	return number, false, nil
}

// page answers with the requested page. fetch returns the rows of a window, their
// number, and the number of all rows; beyond the end both may be 0.
func (x *request) page(size int64, fetch func(w library.Window) (rows any, got, total int64, err error)) (response, error) {
	number, last, err := x.pageNumber()
	if err != nil {
		return response{}, err
	}
	rows, got, total, err := fetch(library.Window{Offset: (number - 1) * size, Limit: size})
	if err == nil && last && total > size {
		number = (total + size - 1) / size
		rows, got, total, err = fetch(library.Window{Offset: (number - 1) * size, Limit: size})
	}
	switch {
	case err != nil:
		return response{}, err
	case got == 0 && number > 1:
		return response{}, noSuchPage()
	}
	out := pageJSON{Count: total, Results: rows}
	if number*size < total {
		out.Next = x.pageLink(number + 1)
	}
	if number > 1 {
		out.Previous = x.pageLink(number - 1)
	}
	return response{http.StatusOK, out}, nil
}

// pageLink is this request's URL with another page, the parameters sorted, as the
// platform writes it.
func (x *request) pageLink(number int64) *string {
	args := url.Values{}
	for key, value := range x.c.QueryArgs().All() {
		args.Add(string(key), string(value))
	}
	args.Del("page")
	if number > 1 {
		args.Set("page", strconv.FormatInt(number, 10))
	}
	link := x.h.Links.BaseURL(x.c) + string(x.c.Path())
	if len(args) > 0 {
		link += "?" + args.Encode()
	}
	return &link
}

// filter parses the parameters that narrow a list of recordings.
func (x *request) filter() (library.Filter, error) {
	var f library.Filter
	group, err := x.query("group_id")
	if err != nil {
		return f, err
	}
	if group != "" {
		if f.Group, err = strconv.ParseInt(strings.TrimSpace(group), 10, 64); err != nil || f.Group < 1 {
			return f, textError(http.StatusBadRequest, "Некорректный group_id: ожидается число")
		}
	}
	f.Search, err = x.search()
	return f, err
}

func (x *request) search() (string, error) {
	text, err := x.query("search")
	if err != nil {
		return "", err
	}
	text = strings.TrimSpace(text)
	if utf8.RuneCountInString(text) > maxSearch {
		return "", textError(http.StatusBadRequest, "Слишком длинный поисковый запрос")
	}
	return text, nil
}

// studentList is GET recordings/.
func (x *request) studentList() (response, error) {
	if err := x.requireRole(media.RoleStudent, "Доступ только для студентов"); err != nil {
		return response{}, err
	}
	f, err := x.filter()
	if err != nil {
		return response{}, err
	}
	return x.page(pageSize, func(w library.Window) (any, int64, int64, error) {
		f.Window = w
		list, err := x.h.Services.Recordings.StudentPage(x.ctx, x.viewer.User.ID, f)
		rows := make([]recordingJSON, len(list.Entries))
		for i, e := range list.Entries {
			rows[i] = x.recording(e).forStudentList()
		}
		return rows, int64(len(rows)), list.Total, err
	})
}

// teacherList is GET recordings/teacher/.
func (x *request) teacherList() (response, error) {
	if err := x.requireRole(media.RoleTeacher, "Доступ только для преподавателей"); err != nil {
		return response{}, err
	}
	f, err := x.filter()
	if err != nil {
		return response{}, err
	}
	if f.Status, err = x.query("status"); err != nil {
		return response{}, err
	}
	return x.page(pageSize, func(w library.Window) (any, int64, int64, error) {
		f.Window = w
		list, err := x.h.Services.Recordings.TeacherPage(x.ctx, x.viewer.User.ID, f)
		rows := make([]recordingJSON, len(list.Entries))
		for i, e := range list.Entries {
			rows[i] = x.recording(e)
		}
		return rows, int64(len(rows)), list.Total, err
	})
}
