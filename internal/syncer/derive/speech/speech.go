// Package speech makes captions of recordings without any, by a program for speech
// recognition.
package speech

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/ffmpeg"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/derive"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/transcribe"
)

// awaitCaptions is how long captions are awaited that Zoom lists and that are not stored yet.
const awaitCaptions = 10 * time.Minute

// Captions has a program write the captions of a recording. They are stored with it, and no
// file is made.
type Captions struct {
	Tool    ffmpeg.Tool
	Program transcribe.Program
	Store   *catalog.Store
	Now     func() time.Time
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
	listed, err := store.ZoomListsCaptions(ctx, x, rec.ID)
	if err != nil || !listed {
		return derive.Choice{}, err
	}
	return derive.Choice{At: c.Now().Add(awaitCaptions), Why: "captions that Zoom lists are not stored yet"}, nil
}

// Make implements derive.Maker.
func (c Captions) Make(ctx context.Context, src derive.Source, dir string) ([]derive.File, error) {
	sound, err := filepath.Abs(filepath.Join(dir, "sound.m4a"))
	if err != nil {
		return nil, media.Fault(media.Other, "speech: sound", err)
	}
	made, err := c.Tool.Sound(ctx, src.Path, src.Info, sound)
	if errors.Is(err, ffmpeg.ErrNothingToMake) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	track, err := c.Program.Transcribe(ctx, sound, made.Info.Duration)
	if err != nil || len(track.Cues) == 0 {
		return nil, err
	}
	return nil, c.Store.Update(ctx, "speech: store captions", func(x store.Session) error {
		kept, err := store.PutAutomaticCaption(ctx, x, src.Recording.ID, track.String(), c.Now())
		if err != nil || !kept {
			return err
		}
		return store.AppendHistory(ctx, x, store.HistoryEntry{
			At: c.Now(), RecordingID: src.Recording.ID, What: "captions kept", Detail: fmt.Sprintf("%d cues, written by the program for speech recognition", len(track.Cues)),
		})
	})
}
