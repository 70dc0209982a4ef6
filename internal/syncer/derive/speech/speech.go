// Package speech makes captions of recordings without any, by a program for speech
// recognition.
package speech

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/ffmpeg"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/derive"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/transcribe"
)

// missingPause is how long a recording waits while there is no program, before it is looked
// for again.
const missingPause = 10 * time.Minute

// Captions has a program write the captions of a recording. They are stored with it, and no
// file is made.
type Captions struct {
	Tool    ffmpeg.Tool
	Program transcribe.Program
	// Await is how long after a recording of Zoom's was archived its captions may still come
	// from there. Zoom lists no transcript before it is complete.
	Await time.Duration
	Now   func() time.Time
}

// Kind implements derive.Maker.
func (Captions) Kind() string { return "captions" }

// Revision implements derive.Maker.
func (Captions) Revision() int64 { return 1 }

// Choose implements derive.Chooser: what Zoom or a person gives is never replaced.
func (c Captions) Choose(ctx context.Context, x store.Session, rec store.Recording) (derive.Choice, error) {
	given, err := store.CaptionsGiven(ctx, x, rec.ID)
	if err != nil || given {
		return derive.Choice{Never: given, Why: "it has captions, or a person has removed them"}, err
	}
	if err := c.Program.Check(); err != nil {
		return derive.Choice{At: c.Now().Add(missingPause), Why: err.Error()}, nil
	}
	i, err := store.IngestOfRecording(ctx, x, rec.ID)
	if err != nil {
		return derive.Choice{}, catalog.IgnoreNotFound(err)
	}
	if until := i.VerifiedAt.Add(c.Await); until.After(c.Now()) {
		return derive.Choice{At: until, Why: "Zoom's captions may still come"}, nil
	}
	return derive.Choice{}, nil
}

// Make implements derive.Maker.
func (c Captions) Make(ctx context.Context, src derive.Source, dir string) (derive.Made, error) {
	sound, err := filepath.Abs(filepath.Join(dir, "sound.m4a"))
	if err != nil {
		return derive.Made{}, media.Fault(media.Other, "speech: sound", err)
	}
	made, err := c.Tool.Sound(ctx, src.Path, src.Info, sound)
	if errors.Is(err, ffmpeg.ErrNothingToMake) {
		return derive.Made{}, nil
	}
	if err != nil {
		return derive.Made{}, err
	}
	track, err := c.Program.Transcribe(ctx, sound, made.Info.Duration)
	return derive.Made{Captions: track}, err
}
