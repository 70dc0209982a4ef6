package api

import (
	"net/http"
	"unicode/utf8"

	"github.com/lectiospace/lectern/internal/library"
)

// A search has at least minQuery and at most maxQuery characters.
const (
	minQuery = 2
	maxQuery = 200
)

// hitJSON is a result of a search.
type hitJSON struct {
	Recording  int64       `json:"recording"`
	Title      string      `json:"title"`
	LessonInfo *lessonJSON `json:"lesson_info"`
	Start      float64     `json:"start"` // seconds
	Snippet    string      `json:"snippet"`
	Marks      [][2]int    `json:"marks"`
}

// find is GET search/.
func (x *request) find() (response, error) {
	text, err := x.query("q")
	if err != nil {
		return response{}, err
	}
	if n := utf8.RuneCountInString(text); n < minQuery || n > maxQuery {
		return response{}, &platformError{http.StatusBadRequest, errorJSON{Detail: "q has to have 2 to 200 characters.", Code: "invalid_query"}}
	}
	return x.page(pageSize, func(w library.Window) (any, int64, int64, error) {
		hits, err := x.h.Services.Search.Search(x.ctx, x.viewer.User, text, w)
		rows := make([]hitJSON, len(hits.Page))
		for i, h := range hits.Page {
			rows[i] = hitJSON{
				Recording: h.Entry.ID, Title: h.Entry.Title, LessonInfo: x.recording(h.Entry).LessonInfo,
				Start: h.Start.Seconds(), Snippet: h.Snippet, Marks: h.Marks,
			}
		}
		return rows, int64(len(rows)), hits.Total, err
	})
}
