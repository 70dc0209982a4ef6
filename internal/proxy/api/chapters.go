package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/valyala/fasthttp"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/proxy/accesslog"
	"github.com/lectiospace/lectern/internal/proxy/respond"
	"github.com/lectiospace/lectern/internal/proxy/route"
	"github.com/lectiospace/lectern/internal/webvtt"
)

const (
	// maxChapters is how many chapters a recording may have, maxChapterTitle how many code
	// points a title.
	maxChapters     = 200
	maxChapterTitle = 200
	// lastChapter is how long the last chapter lasts as a cue where the length of the
	// recording is not known.
	lastChapter = time.Hour
)

// chapterJSON is a chapter; Start is in seconds.
type chapterJSON struct {
	Start float64 `json:"start"`
	Title string  `json:"title"`
}

// chapterRoutes are the routes of a recording's chapters.
func (h *Handler) chapterRoutes(base string) []route.Route {
	write := h.serve(methods{put: (*request).setChapters})
	return []route.Route{
		{Pattern: base + "/recordings/{id}/chapters/", OptionalSlash: true, Allow: "GET, HEAD, PUT, OPTIONS",
			Serve: func(c *fasthttp.RequestCtx, rec accesslog.Record, id int64) {
				if c.IsPut() {
					write(c, rec, id)
					return
				}
				h.serveChapters(c, rec, id)
			}},
		{Pattern: base + "/recordings/{id}/chapters.vtt", Allow: "GET, HEAD, OPTIONS", Serve: h.serveChapterTrack},
	}
}

// serveChapters answers GET {base}/recordings/{id}/chapters/ with the stream's credentials and
// refusals.
func (h *Handler) serveChapters(c *fasthttp.RequestCtx, rec accesslog.Record, id int64) {
	rec.Recording = id
	ctx, cancel := context.WithTimeoutCause(h.Base, timeout, respond.ErrTimeout)
	defer cancel()
	var list []media.Chapter
	_, _, err := h.viewer(ctx, c, &rec, id)
	if err == nil {
		list, err = h.Services.Chapters.Chapters(ctx, id)
	}
	if err != nil {
		refuse(ctx, c, &rec, err, respond.Catalog)
	} else {
		respond.Headers(&c.Response.Header, "no-store")
		respond.JSON(&c.Response, http.StatusOK, chaptersJSON(list))
	}
	c.Response.SkipBody = c.IsHead()
	h.Records.WriteAnswered(c, rec)
}

func chaptersJSON(list []media.Chapter) []chapterJSON {
	out := make([]chapterJSON, len(list))
	for i, c := range list {
		out[i] = chapterJSON{float64(c.Start.Milliseconds()) / 1000, c.Title}
	}
	return out
}

// serveChapterTrack answers GET {base}/recordings/{id}/chapters.vtt: the chapters as cues, for
// a <track kind="chapters">.
func (h *Handler) serveChapterTrack(c *fasthttp.RequestCtx, rec accesslog.Record, id int64) {
	h.serveText(c, rec, id, func(ctx context.Context, _ *fasthttp.RequestCtx, _ media.Viewer, rec media.Recording) (string, error) {
		list, err := h.Services.Chapters.Chapters(ctx, id)
		return chapterTrack(list, rec.Duration).String(), err
	})
}

// cueText escapes a text for a cue.
var cueText = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

func chapterTrack(list []media.Chapter, duration time.Duration) (track webvtt.Track) {
	for i, c := range list {
		end := c.Start + lastChapter
		if duration > c.Start {
			end = duration
		}
		if i+1 < len(list) {
			end = list[i+1].Start
		}
		track.Cues = append(track.Cues, webvtt.Cue{Start: c.Start, End: end, Text: cueText.Replace(c.Title)})
	}
	return track
}

// setChapters is PUT recordings/{id}/chapters/: the teacher's instead of Zoom's, which come
// back with an empty list. It answers with the chapters that count then.
func (x *request) setChapters() (response, error) {
	if role := x.viewer.User.Role; role != media.RoleTeacher && role != media.RoleAdmin {
		return response{}, notTheEditor()
	}
	e, _, err := x.h.Services.Recordings.Entry(x.ctx, x.id, x.viewer.User.ID)
	if media.KindOf(err) == media.NotFound {
		return response{}, textError(http.StatusNotFound, "Запись не найдена")
	}
	if err != nil {
		return response{}, err
	}
	// Before anything is said about the chapters, which have to lie in the recording.
	if err := x.h.Services.Editor.MayEdit(x.ctx, x.viewer.User, x.id); err != nil {
		return response{}, chapterEditError(err)
	}
	chapters, problem := parseChapters(x.c.Request.Body(), e.Recording.Duration)
	if problem != nil {
		return response{}, textError(http.StatusBadRequest, problem.Error())
	}
	if err := x.h.Services.Editor.SetChapters(x.ctx, x.viewer.User, x.id, chapters); err != nil {
		return response{}, chapterEditError(err)
	}
	list, err := x.h.Services.Chapters.Chapters(x.ctx, x.id)
	return response{http.StatusOK, chaptersJSON(list)}, err
}

func chapterEditError(err error) error {
	return editTexts{media.ReasonSubscription: noSubscription, media.ReasonNotOwner: notTheEditor().body}.errorOf(err)
}

// parseChapters reads the body of a PUT. The error is for the teacher, and names the chapter.
// duration is the recording's, 0 when unknown.
func parseChapters(body []byte, duration time.Duration) ([]media.Chapter, error) {
	var in []struct {
		Start *float64 `json:"start"`
		Title *string  `json:"title"`
	}
	d := json.NewDecoder(bytes.NewReader(body))
	if err := d.Decode(&in); err != nil || in == nil {
		return nil, errors.New("Ожидается список глав: [{\"start\": 0, \"title\": \"…\"}]")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("После списка глав что-то есть")
	}
	if len(in) > maxChapters {
		return nil, fmt.Errorf("Глав больше %d", maxChapters)
	}
	out := make([]media.Chapter, 0, len(in))
	for i, c := range in {
		n := i + 1
		if c.Start == nil || c.Title == nil {
			return nil, fmt.Errorf("Глава %d: нужны start и title", n)
		}
		title := strings.TrimSpace(*c.Title)
		start := time.Duration(*c.Start * float64(time.Second)).Round(time.Millisecond)
		switch letters := utf8.RuneCountInString(title); {
		case letters == 0 || letters > maxChapterTitle || strings.ContainsAny(title, "\x00\r\n"):
			return nil, fmt.Errorf("Глава %d: название от 1 до %d символов в одну строку", n, maxChapterTitle)
		case *c.Start < 0 || *c.Start > (48*time.Hour).Seconds() || duration > 0 && start >= duration:
			return nil, fmt.Errorf("Глава %d: начало вне записи", n)
		case i > 0 && start <= out[i-1].Start:
			return nil, fmt.Errorf("Глава %d: начинается не позже предыдущей", n)
		}
		out = append(out, media.Chapter{Start: start, Title: title})
	}
	return out, nil
}
