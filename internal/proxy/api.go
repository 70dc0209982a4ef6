package proxy

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lectiospace/lectern/internal/library"
	"github.com/lectiospace/lectern/internal/media"
)

// API is what the recordings API needs of the house. Errors have a Kind; NotFound
// is what is certainly not there.
type API struct {
	Viewability ViewabilityChecker
	Recordings  RecordingsReader
	Editor      RecordingsEditor
	Quotas      QuotaEditor
	Views       ViewCounter
	Captions    CaptionReader
}

// Peruser applies the access rule to facts that are at hand. The error is a
// *media.Refusal.
type ViewabilityChecker interface {
	CheckViewable(v media.Viewer, rec media.Recording, m media.Membership) error
}

// Library answers for lists of recordings and for one with all that is shown of it.
type RecordingsReader interface {
	StudentPage(ctx context.Context, user int64, f library.Filter) (library.Listing, error)
	TeacherPage(ctx context.Context, user int64, f library.Filter) (library.Listing, error)
	// Entry gives a removed recording too, with Deleted.
	Entry(ctx context.Context, id, user int64) (library.Entry, media.Membership, error)
	// LessonEntries are those of a lesson, newest first; member: the user teaches it,
	// or is in its group.
	LessonEntries(ctx context.Context, lesson, user int64) (list []library.EntryMembership, member bool, err error)
	Progress(ctx context.Context, user int64) ([]library.Progress, error)
	Quotas(ctx context.Context, f library.QuotaFilter) (library.QuotaListing, error)
	Quota(ctx context.Context, id int64) (library.Account, error)
	Storage(ctx context.Context, top int64) (library.Storage, error)
}

// Keeper makes the changes that a teacher asks for. Besides NotFound an error may be
// Denied, with one of the reasons subscription, not_owner, purged, quota_exceeded,
// no_meeting, no_account and gone_at_zoom.
type RecordingsEditor interface {
	// May tells whether Rename would be refused.
	May(ctx context.Context, teacher, recordingID int64) error
	Rename(ctx context.Context, teacher, recordingID int64, title string) error
	Remove(ctx context.Context, teacher, recordingID int64, reason string) error
	Restore(ctx context.Context, teacher, recordingID int64) error
	Resync(ctx context.Context, teacher, recordingID int64) (library.Resync, error)
}

// Quotas makes changes of quotas.
type QuotaEditor interface {
	RaiseQuota(ctx context.Context, id, bytes, wholeGB int64) error
	// OwnQuota finds, or makes, a teacher's.
	OwnQuota(ctx context.Context, teacher int64) (id int64, err error)
}

// Views counts that somebody opened a recording, once in a while per user and
// recording. pending is how many views the catalog's number does not have yet, this
// one among them.
type ViewCounter interface {
	Count(ctx context.Context, userID, recordingID int64) (pending int64, err error)
}

// CaptionTexts gives captions as WebVTT.
type CaptionReader interface {
	CaptionText(ctx context.Context, recordingID int64, lang string) (string, error)
}

// apiTimeout bounds a request to the API; each of its queries has a bound of its own.
const apiTimeout = 10 * time.Second

// call is one request to the API.
type request struct {
	s      *Server
	c      *fasthttp.RequestCtx
	ctx    context.Context
	base   string // of the path, as "/schedule/api"
	id     int64  // in the path, or 0
	viewer media.Viewer
}

// reply is what a call came to: a status and what is written as JSON.
type response struct {
	status int
	body   any
}

// complaint is an answer in the platform's own words and shape.
type complaint struct {
	status int
	Error  string     `json:"error,omitempty"`
	Detail string     `json:"detail,omitempty"`
	Code   media.Code `json:"code,omitempty"`
}

func complain(status int, text string) error {
	return &complaintError{complaint{status: status, Error: text}}
}

// complaintError carries a complaint up.
type complaintError struct{ complaint }

// Error implements error.
func (e *complaintError) Error() string { return e.complaint.Error + e.Detail }

// answers says what each method of a route does. HEAD is GET without its body.
type methods struct {
	get, post, patch, remove func(*request) (response, error)
}

func (a methods) allow() string {
	var methods []string
	for _, m := range []struct {
		name string
		does func(*request) (response, error)
	}{{"GET, HEAD", a.get}, {"POST", a.post}, {"PATCH", a.patch}, {"DELETE", a.remove}} {
		if m.does != nil {
			methods = append(methods, m.name)
		}
	}
	return strings.Join(append(methods, "OPTIONS"), ", ")
}

func (a methods) of(method string) func(*request) (response, error) {
	switch method {
	case fasthttp.MethodPost:
		return a.post
	case fasthttp.MethodPatch:
		return a.patch
	case fasthttp.MethodDelete:
		return a.remove
	default:
		return a.get
	}
}

// apiRoutes is the recordings API under one base.
func (s *Server) apiRoutes(base string) []route {
	var out []route
	for _, r := range []struct {
		path string
		methods
	}{
		{"/recordings/", methods{get: (*request).studentList}},
		{"/recordings/teacher/", methods{get: (*request).teacherList}},
		{"/recordings/progress/", methods{get: (*request).progress}},
		{"/recordings/{id}/", methods{get: (*request).detail, patch: (*request).rename, remove: (*request).remove}},
		{"/recordings/{id}/delete/", methods{remove: (*request).remove}},
		{"/recordings/{id}/restore/", methods{post: (*request).restore}},
		{"/recordings/{id}/view/", methods{post: (*request).view}},
		{"/recordings/{id}/resync/", methods{post: (*request).resync}},
		{"/lessons/{id}/recording/", methods{get: (*request).lessonRecording}},
		{"/storage/quota/", methods{get: (*request).ownQuota}},
		{"/storage/quotas/", methods{get: (*request).quotaList}},
		{"/storage/quotas/{id}/", methods{get: (*request).quotaDetail}},
		{"/storage/quotas/{id}/increase/", methods{post: (*request).raiseQuota}},
		{"/storage/statistics/", methods{get: (*request).statistics}},
	} {
		out = append(out, route{pattern: base + r.path, slash: true, allow: r.allow(), serve: s.apiServe(base, r.methods)})
	}
	return append(out, route{pattern: base + "/recordings/{id}/captions/{lang}.vtt", allow: "GET, HEAD, OPTIONS", serve: s.serveCaptions})
}

// apiServe answers a route of the API.
func (s *Server) apiServe(base string, a methods) func(*fasthttp.RequestCtx, Record, int64) {
	return func(c *fasthttp.RequestCtx, n Record, id int64) {
		ctx, cancel := context.WithTimeoutCause(s.base, apiTimeout, errSlow)
		defer cancel()
		x := &request{s: s, c: c, ctx: ctx, base: base, id: id}
		if strings.Contains(n.Route, "/recordings/{id}/") {
			n.Recording = id
		}
		h := &c.Response.Header
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		began := s.now()
		err := x.authenticate(n.Client)
		n.Auth, n.User = s.now().Sub(began), x.viewer.User.ID
		var out response
		if err == nil {
			began = s.now()
			out, err = a.of(string(c.Method()))(x)
			n.Catalog = s.now().Sub(began)
		}
		if err != nil {
			x.refuse(&n, err)
		} else {
			writeJSON(&c.Response, out.status, out.body)
		}
		c.Response.SkipBody = c.IsHead()
		s.recordAnswered(c, n)
	}
}

// authenticate takes a platform's token from the header and nothing else. What it
// refuses, it refuses in the platform's words.
func (x *request) authenticate(client netip.Addr) error {
	words := strings.Fields(string(x.c.Request.Header.Peek("Authorization")))
	switch {
	case len(words) == 0 || words[0] != "Bearer":
		return &complaintError{complaint{status: statusUnauthorized, Detail: "Authentication credentials were not provided."}}
	case len(words) != 2:
		return &complaintError{complaint{status: statusUnauthorized, Detail: "Authorization header must contain two space-delimited values", Code: "bad_authorization_header"}}
	}
	v, err := x.s.authenticate(x.ctx, client, media.Token{Value: words[1], From: media.FromHeader})
	if err != nil {
		return err
	}
	if v.Playback != 0 {
		r := media.Refuse(media.CodeTokenNotValid, "Given token not valid for any token type")
		r.Messages = []media.TokenMessage{{Class: "AccessToken", Type: "access", Message: "Token has wrong type"}}
		return r
	}
	x.viewer = v
	return nil
}

// refuse answers with what went wrong.
func (x *request) refuse(n *Record, err error) {
	resp := &x.c.Response
	if e, ok := err.(*complaintError); ok {
		if e.status == statusUnauthorized {
			resp.Header.SetCanonical([]byte("WWW-Authenticate"), []byte(`Bearer realm="api"`))
		}
		n.Code = e.Code
		writeJSON(resp, e.status, e.complaint)
		return
	}
	r := media.RefusalOf(err)
	if r == nil {
		if cause := context.Cause(x.ctx); cause != nil {
			err = cause
		}
		n.Err = err
	}
	if r != nil && x.id != 0 {
		if c := complaintOf(r); c.status != 0 {
			n.Code = r.Code
			writeJSON(resp, c.status, c)
			return
		}
	}
	p := problemFor(err, stepAccess)
	n.Code = p.Code
	writeProblem(resp, p)
}

// complaintOf says what the access rule refuses in the platform's words; the zero
// complaint for anything else.
func complaintOf(r *media.Refusal) complaint {
	switch r.Code {
	case media.CodeNotFound:
		return complaint{status: statusNotFound, Error: "Запись не найдена"}
	case media.CodeNoAccess:
		return complaint{status: statusForbidden, Error: "У вас нет доступа к этой записи"}
	case media.CodeExpired:
		return complaint{status: statusGone, Error: "Срок доступа к записи истёк", Code: r.Code}
	default:
		return complaint{}
	}
}

// entry is the recording of the path as the viewer may see it, or a refusal.
func (x *request) entry() (library.Entry, error) {
	e, m, err := x.s.api.Recordings.Entry(x.ctx, x.id, x.viewer.User.ID)
	if media.KindOf(err) == media.NotFound {
		return e, media.Refuse(media.CodeNotFound, "There is no such recording.")
	}
	if err != nil {
		return e, err
	}
	return e, x.s.api.Viewability.CheckViewable(x.viewer, e.Recording, m)
}

// only lets one role pass and refuses the others in the platform's words.
func (x *request) requireRole(role media.Role, otherwise string) error {
	if x.viewer.User.Role != role {
		return complain(statusForbidden, otherwise)
	}
	return nil
}

// query is a parameter of the URL's query, whole and valid UTF-8.
func (x *request) query(name string) (string, error) {
	text := string(x.c.QueryArgs().Peek(name))
	if strings.ToValidUTF8(text, "") != text || strings.ContainsRune(text, 0) {
		return "", complain(statusBadRequest, fmt.Sprintf("Параметр %s не является текстом", name))
	}
	return text, nil
}
