package api

import (
	"context"
	"net/http"
	"strconv"

	"github.com/valyala/fasthttp"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/proxy/accesslog"
	"github.com/lectiospace/lectern/internal/proxy/respond"
	"github.com/lectiospace/lectern/internal/proxy/route"
)

// companionJSON is a companion of a recording.
type companionJSON struct {
	ID          int64  `json:"id"`
	Kind        string `json:"kind"`
	Label       string `json:"label"`
	Lang        string `json:"lang"`
	ContentType string `json:"content_type"`
	Size        int64  `json:"size"`
	URL         string `json:"url"`
	// Shared is for those who may change it.
	Shared *bool `json:"shared,omitempty"`
}

// companionRoutes are the routes of companions but for their bytes, which are streamed.
func (h *Handler) companionRoutes(base string) []route.Route {
	one := base + "/recordings/{id}/companions/{cid}/"
	share := h.serve(methods{patch: func(x *request) (response, error) {
		return x.shareCompanion(base, route.SecondID(one, string(x.c.Path())))
	}})
	return []route.Route{
		{Pattern: base + "/recordings/{id}/companions/", OptionalSlash: true, Allow: "GET, HEAD, OPTIONS",
			Serve: func(c *fasthttp.RequestCtx, rec accesslog.Record, id int64) { h.serveCompanionList(c, rec, base, id) }},
		{Pattern: one, OptionalSlash: true, Allow: "PATCH, OPTIONS", Serve: share},
	}
}

// serveCompanionList answers GET {base}/recordings/{id}/companions/ with what the viewer may
// have. The credentials are the stream's, and so are the refusals.
func (h *Handler) serveCompanionList(c *fasthttp.RequestCtx, rec accesslog.Record, base string, id int64) {
	rec.Recording = id
	ctx, cancel := context.WithTimeoutCause(h.Base, timeout, respond.ErrTimeout)
	defer cancel()
	list, err := h.companions(ctx, c, &rec, base, id)
	if err != nil {
		refuse(ctx, c, &rec, err, respond.Catalog)
	} else {
		respond.Headers(&c.Response.Header, "no-store")
		respond.JSON(&c.Response, http.StatusOK, list)
	}
	c.Response.SkipBody = c.IsHead()
	h.Records.WriteAnswered(c, rec)
}

func (h *Handler) companions(ctx context.Context, c *fasthttp.RequestCtx, rec *accesslog.Record, base string, id int64) ([]companionJSON, error) {
	viewer, recording, err := h.viewer(ctx, c, rec, id)
	if err != nil {
		return nil, err
	}
	found, err := h.Services.Companions.Companions(ctx, id)
	if err != nil {
		return nil, err
	}
	place := h.Links.BaseURL(c) + base
	list := []companionJSON{}
	for i, label := range numberedLabels(found) {
		if one := found[i]; one.VisibleTo(viewer, recording) {
			one.Label = label
			list = append(list, describeCompanion(one, place, mayShare(viewer, recording)))
		}
	}
	return list, nil
}

// mayShare reports whether a viewer decides what students see of a recording's companions.
func mayShare(v media.Viewer, rec media.Recording) bool {
	return v.User.Role == media.RoleAdmin || rec.OwnerID != 0 && v.User.ID == rec.OwnerID
}

// describeCompanion is a companion below the absolute URL of a base path.
func describeCompanion(c media.Companion, place string, shared bool) companionJSON {
	out := companionJSON{
		ID: c.ID, Kind: string(c.Kind), Label: c.Label, Lang: c.Lang, ContentType: c.ContentType, Size: c.Size,
		URL: place + "/recordings/" + strconv.FormatInt(c.RecordingID, 10) + "/companions/" + strconv.FormatInt(c.ID, 10) + "/stream/",
	}
	if shared {
		out.Shared = &c.Shared
	}
	return out
}

// numberedLabels are the labels of companions, with numbers where several of a kind would have
// the same one: parts of a lesson have a transcript each.
func numberedLabels(list []media.Companion) []string {
	type name struct {
		kind  media.CompanionKind
		label string
	}
	count, seen := map[name]int{}, map[name]int{}
	for _, c := range list {
		count[name{c.Kind, c.Label}]++
	}
	labels := make([]string, len(list))
	for i, c := range list {
		n := name{c.Kind, c.Label}
		seen[n]++
		labels[i] = c.Label
		if count[n] > 1 {
			labels[i] += " " + strconv.Itoa(seen[n])
		}
	}
	return labels
}

// shareCompanion is PATCH recordings/{id}/companions/{cid}/: whether students see it.
func (x *request) shareCompanion(base string, id int64) (response, error) {
	if role := x.viewer.User.Role; role != media.RoleTeacher && role != media.RoleAdmin {
		return response{}, notTheEditor()
	}
	texts := editTexts{
		media.ReasonSubscription: noSubscription,
		media.ReasonNotOwner:     notTheEditor().body,
	}
	body, err := x.fields()
	if err != nil {
		return response{}, err
	}
	shared, ok := body["shared"].(bool)
	if !ok {
		return response{}, textError(http.StatusBadRequest, "shared должно быть true или false")
	}
	if err := x.h.Services.Editor.ShareCompanion(x.ctx, x.viewer.User, x.id, id, shared); err != nil {
		return response{}, texts.errorOf(err)
	}
	c, err := x.h.Services.Companions.Companion(x.ctx, id)
	if err != nil {
		return response{}, texts.errorOf(err)
	}
	return response{http.StatusOK, describeCompanion(c, x.h.Links.BaseURL(x.c)+base, true)}, nil
}

// notTheEditor refuses those who are neither the recording's owner nor an admin.
func notTheEditor() *platformError {
	return &platformError{http.StatusForbidden, errorJSON{Error: "У вас нет прав на редактирование этой записи", Code: media.CodeNoAccess}}
}
