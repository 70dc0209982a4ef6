package api

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lectiospace/lectern/internal/library"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/watchstate"
)

// audienceJSON is the audience of a recording. Buckets has the number of viewers of each ten
// seconds.
type audienceJSON struct {
	Viewers []viewerJSON `json:"viewers"`
	NotYet  []personRow  `json:"not_yet"`
	Buckets []int64      `json:"buckets"`
}

type personRow struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Email string `json:"email"`
}

type viewerJSON struct {
	personRow
	Watched  *float64 `json:"watched"`  // null while the duration is not known
	Position float64  `json:"position"` // seconds
	LastSeen instant  `json:"last_seen"`
}

// audience is GET recordings/{id}/audience/.
func (x *request) audience() (response, error) {
	e, err := x.ownedEntry()
	if err != nil {
		return response{}, err
	}
	if x.h.Services.Analytics != AnalyticsAudience {
		return response{}, &platformError{http.StatusForbidden, errorJSON{Detail: "This gateway does not show who watched what.", Code: "analytics_off"}}
	}
	format, err := x.query("format")
	if err != nil {
		return response{}, err
	}
	if format != "" && format != "json" && format != "csv" {
		return response{}, badRequest(fmt.Errorf("format has to be json or csv"))
	}
	students, err := x.h.Services.Audience.Attendees(x.ctx, x.id)
	if err != nil {
		return response{}, err
	}
	shown := audienceOf(students, e.Duration)
	if format == "csv" {
		return response{http.StatusOK, csvFile{fmt.Sprintf("audience-%d.csv", x.id), shown.table()}}, nil
	}
	return response{http.StatusOK, shown}, nil
}

// ownedEntry is the recording of the path for its owner and for admins; others are refused as
// no_access, also where they may watch it.
func (x *request) ownedEntry() (library.Entry, error) {
	e, err := x.entry()
	refusal, role := media.RefusalOf(err), x.viewer.User.Role
	switch {
	case err != nil && refusal == nil, refusal != nil && refusal.Code == media.CodeNotFound:
		return e, err
	case role != media.RoleTeacher && role != media.RoleAdmin, refusal != nil && refusal.Code == media.CodeNoAccess:
		return e, &platformError{http.StatusForbidden, errorJSON{Error: "У вас нет доступа к этой записи", Code: media.CodeNoAccess}}
	}
	return e, err
}

// audienceOf divides students into those who have watched and those who have not yet.
func audienceOf(students []library.Attendee, duration time.Duration) audienceJSON {
	out := audienceJSON{Viewers: []viewerJSON{}, NotYet: []personRow{}, Buckets: make([]int64, watchstate.Buckets(duration))}
	for _, s := range students {
		person := personRow{s.ID, s.ShortName(), s.Email}
		if s.State.At.IsZero() {
			out.NotYet = append(out.NotYet, person)
			continue
		}
		out.Viewers = append(out.Viewers, viewerJSON{person, share(s.State, duration), s.State.Position.Seconds(), instant(s.State.At)})
		for _, bucket := range s.State.Played.Watched(duration) {
			// Where the duration is not known the list is as long as what was played.
			for int64(len(out.Buckets)) <= bucket {
				out.Buckets = append(out.Buckets, 0)
			}
			out.Buckets[bucket]++
		}
	}
	return out
}

// table has a row for each viewer, and then for each student who has not yet watched.
func (a audienceJSON) table() [][]string {
	rows := [][]string{{"id", "name", "email", "watched_percent", "position_seconds", "last_seen"}}
	number := func(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
	for _, v := range a.Viewers {
		percent := ""
		if v.Watched != nil {
			percent = number(float64(rounded(*v.Watched*100, 1)))
		}
		rows = append(rows, []string{
			strconv.FormatInt(v.ID, 10), harmless(v.Name), harmless(v.Email), percent, number(v.Position), time.Time(v.LastSeen).UTC().Format(time.RFC3339),
		})
	}
	for _, p := range a.NotYet {
		rows = append(rows, []string{strconv.FormatInt(p.ID, 10), harmless(p.Name), harmless(p.Email), "0", "0", ""})
	}
	return rows
}

// harmless is a text as a cell that no spreadsheet takes for a formula, also behind blanks and
// in full-width signs (OWASP, "CSV Injection").
func harmless(text string) string {
	trimmed := strings.TrimSpace(text)
	if trimmed != "" && strings.ContainsRune("=+-@|%＝＋－＠", []rune(trimmed)[0]) || strings.IndexAny(text, "\t\r\n") == 0 {
		return "'" + text
	}
	return text
}

// csvFile is a table that browsers save under a name.
type csvFile struct {
	name string
	rows [][]string
}

func (f csvFile) write(resp *fasthttp.Response) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	if err := w.WriteAll(f.rows); err != nil {
		panic("BUG: a table that cannot be written to memory: " + err.Error())
	}
	resp.SetStatusCode(http.StatusOK)
	resp.Header.SetContentType("text/csv; charset=utf-8")
	resp.Header.Set("Content-Disposition", `attachment; filename="`+f.name+`"`)
	resp.SetBody(b.Bytes())
}
