package stream

import (
	"context"

	"github.com/valyala/fasthttp"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/proxy/accesslog"
	"github.com/lectiospace/lectern/internal/proxy/route"
)

// Companions finds the files that accompany recordings. NotFound: there is none of that id.
type Companions interface {
	Companion(ctx context.Context, id int64) (media.Companion, error)
}

// smallCompanion is the size in bytes below which a companion needs none of its user's slots:
// a player loads several texts and pictures beside the video.
const smallCompanion = 1 << 20

// ServeCompanion answers GET and HEAD of a companion's bytes, whose id pattern has as {cid}. It
// is an exchange like a recording's, by the same access rule and through the same cache.
func (h *Handler) ServeCompanion(pattern string) func(c *fasthttp.RequestCtx, rec accesslog.Record, id int64) {
	return func(c *fasthttp.RequestCtx, rec accesslog.Record, id int64) {
		h.serve(c, rec, id, route.SecondID(pattern, string(c.Path())))
	}
}

// authorizeCompanion makes the exchange one of the recording's companion, which the viewer
// may have.
func (x *exchange) authorizeCompanion(ctx context.Context) error {
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

// plays reports whether the exchange is one of a playback, and not of a file beside it.
func (x *exchange) plays() bool { return x.params.companion == 0 }

// needsUserSlot reports whether the exchange takes one of the user's slots.
func (x *exchange) needsUserSlot() bool {
	return !x.params.head && (x.plays() || x.companion.Size >= smallCompanion)
}
