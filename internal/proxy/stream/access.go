package stream

import (
	"context"

	"github.com/lectiospace/lectern/internal/media"
)

// admit acquires one of all users' slots. HEAD needs none: it has no body.
func (x *exchange) admit() error {
	if x.params.head {
		return nil
	}
	if x.admitted = x.h.streams.acquire(); !x.admitted {
		x.h.metrics.limitedStreams.Inc()
		return media.Refuse(media.CodeOverloaded, "Too many streams are running, please try again.")
	}
	return nil
}

func (x *exchange) authenticate() error {
	if x.repeat != nil {
		x.viewer, x.record.User = x.repeat.viewer, x.repeat.viewer.User.ID
		return nil
	}
	if x.params.noToken != nil {
		return x.params.noToken
	}
	began := x.h.now()
	defer func() { x.record.Auth = x.h.now().Sub(began) }()
	err := x.wait(func(ctx context.Context) (err error) {
		x.viewer, err = x.h.access.Authenticate(ctx, x.record.Client, x.params.tokens, x.params.id)
		return err
	})
	if x.toRemember != nil && len(x.params.tokens) == 1 {
		x.lastingToken = x.params.tokens[0]
	}
	x.params.tokens = nil // no longer needed, and secrets
	x.record.User = x.viewer.User.ID
	return err
}

func (x *exchange) authorize() error {
	if x.repeat != nil {
		x.recording = x.repeat.recording
		return nil
	}
	began := x.h.now()
	defer func() { x.record.Catalog = x.h.now().Sub(began) }()
	err := x.wait(func(ctx context.Context) (err error) {
		x.recording, err = x.h.access.Authorize(ctx, x.viewer, x.params.id)
		return err
	})
	if err == nil && !x.plays() {
		return x.wait(x.authorizeCompanion)
	}
	if err == nil && x.recording.Location.Key == "" {
		return media.Refuse(media.CodeNoMedia, "The recording has no file.")
	}
	if err == nil {
		x.decideLasting()
	}
	return err
}

// acquireUserSlot acquires one of the user's slots, which is held to the end of the
// body. HEAD needs none, nor does a small companion.
func (x *exchange) acquireUserSlot() error {
	if !x.needsUserSlot() {
		return nil
	}
	if x.hasUserSlot = x.h.users.acquire(x.viewer.User.ID); !x.hasUserSlot {
		x.h.metrics.limitedPerUser.Inc()
		return media.Refuse(media.CodeTooManyStreams, "You are watching too many recordings at once.")
	}
	return nil
}

// joinPlayback adds the exchange to a traced playback, and has its requests to the origin
// carry the playback's traceparent. HEAD plays nothing.
func (x *exchange) joinPlayback() {
	if x.h.playbacks != nil && !x.params.head && x.plays() {
		x.ctx, x.leave = x.h.playbacks.Join(x.ctx, x.viewer.User.ID, x.recording, x.params.traceparent, x.params.tracestate)
	}
}

// countStart counts a stream with an access token as a start of playback. HEAD plays
// nothing, and the start of a playback token was counted when it was signed. Where the
// counter has to ask a database, which means a commit to a disk, it does so while the
// origin is asked; counted waits for it and returns its refusal.
func (x *exchange) countStart() (counted func() error, err error) {
	counted = func() error { return nil }
	if x.params.head || x.viewer.Playback != 0 || x.h.starts == nil || !x.plays() {
		return counted, nil
	}
	user, recording := x.viewer.User.ID, x.params.id
	if x.h.starts.Ready(user, recording) {
		return counted, x.wait(func(ctx context.Context) (err error) {
			x.undoStart, err = x.h.starts.Count(ctx, user, recording, true)
			return err
		})
	}
	var undo func()
	var refusal error
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		defer func() {
			if p := recover(); p != nil {
				x.h.records.WritePanic(x.record.ID(), p)
				refusal = errPanic
			}
		}()
		undo, refusal = x.h.starts.Count(x.ctx, user, recording, true)
	}()
	return func() error {
		began := x.h.now()
		defer func() { x.record.Catalog += x.h.now().Sub(began) }()
		err := x.wait(func(context.Context) error {
			<-answered // Count ends with ctx
			return refusal
		})
		x.undoStart = undo
		return err
	}, nil
}
