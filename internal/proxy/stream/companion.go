package stream

import (
	"context"
	"strings"

	"github.com/valyala/fasthttp"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/proxy/accesslog"
	"github.com/lectiospace/lectern/internal/proxy/route"
)

// Companions finds the files that accompany recordings. NotFound: there is none of that id, or
// the syncer has made none of that name of the recording.
type Companions interface {
	Companion(ctx context.Context, id int64) (media.Companion, error)
	DerivedFile(ctx context.Context, recording int64, name string) (media.Companion, error)
}

// smallCompanion is the size in bytes below which a companion needs none of its user's slots:
// a player loads several texts and pictures beside the video.
const smallCompanion = 1 << 20

// ServeCompanion answers GET and HEAD of a companion's bytes, whose id pattern has as {cid}. It
// is an exchange like a recording's, by the same access rule and through the same cache.
func (h *Handler) ServeCompanion(pattern string) func(c *fasthttp.RequestCtx, rec accesslog.Record, id int64) {
	return func(c *fasthttp.RequestCtx, rec accesslog.Record, id int64) {
		h.serve(c, rec, id, accompanying{companion: route.SecondID(pattern, string(c.Path()))})
	}
}

// accompanying names a file that is served instead of the recording's own; the zero value
// is none.
type accompanying struct {
	companion int64  // its id, known of a derived file once that is found
	derived   string // the name of a derived file
}

// ServeDerived answers GET and HEAD of a file that the syncer has made of a recording, whose
// name ends the path. Pages show posters of recordings that are not played: beside the stream's
// credentials, the session's cookie counts.
func (h *Handler) ServeDerived(c *fasthttp.RequestCtx, rec accesslog.Record, id int64) {
	path := string(c.Path())
	h.serve(c, rec, id, accompanying{derived: path[strings.LastIndexByte(path, '/')+1:]})
}

// authorizeCompanion makes the exchange one of the recording's companion, which the viewer
// may have.
func (x *exchange) authorizeCompanion(ctx context.Context) error {
	if x.params.derived != "" {
		made, err := x.h.derived(ctx, x.recording.ID, x.params.derived)
		if err != nil {
			return err
		}
		x.params.companion = made.ID
	}
	c, err := x.h.companion(ctx, x.viewer, x.recording, x.params.companion)
	if err != nil {
		return err
	}
	x.companion = c
	// All that follows serves the companion as it serves a recording.
	x.recording.Location, x.recording.Copy, x.recording.Digest = c.Location, c.Copy, c.Digest
	x.recording.Size, x.recording.Duration = c.Size, c.Duration
	if c.Label != "" {
		x.recording.Title += " " + c.Label
	}
	return nil
}

// companion is a companion of a recording that a viewer may watch, or a refusal.
func (h *Handler) companion(ctx context.Context, v media.Viewer, rec media.Recording, id int64) (media.Companion, error) {
	c, err := h.companions.Companion(ctx, id)
	switch {
	case media.KindOf(err) == media.NotFound, err == nil && c.RecordingID != rec.ID:
		return c, media.Refuse(media.CodeNotFound, "There is no such companion.")
	case err != nil:
		return c, err
	case !c.VisibleTo(v, rec):
		return c, media.Refuse(media.CodeNoAccess, "The teacher has not shared this file.")
	}
	return c, nil
}

// derived is the file of a name that was made of a recording, or a refusal.
func (h *Handler) derived(ctx context.Context, recording int64, name string) (media.Companion, error) {
	none := media.Refuse(media.CodeNotFound, "There is no such file of the recording, or not yet.")
	if !derivedName(name) {
		return media.Companion{}, none
	}
	c, err := h.companions.DerivedFile(ctx, recording, name)
	if media.KindOf(err) == media.NotFound {
		return c, none
	}
	return c, err
}

// derivedName reports whether a file that the syncer makes could have a name.
func derivedName(name string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789-."
	return len(name) <= 40 && strings.Trim(name, letters) == ""
}

// plays reports whether the exchange is one of a playback, and not of a file that accompanies it.
func (x *exchange) plays() bool { return x.params.accompanying == accompanying{} }

// needsUserSlot reports whether the exchange takes one of the user's slots.
func (x *exchange) needsUserSlot() bool {
	return !x.params.head && (x.plays() || x.companion.Size >= smallCompanion)
}
