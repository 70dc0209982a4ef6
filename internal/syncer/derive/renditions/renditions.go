// Package renditions makes smaller files of recordings for thin lines: the sound alone, and a
// low rendition of picture and sound.
package renditions

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/lectiospace/lectern/internal/ffmpeg"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/derive"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// Players know the two files by their kinds and these labels. No label of a file of Zoom's
// begins with a small letter.
const (
	soundLabel = "sound"
	lowLabel   = "low"
)

// awaitSound is how long a sound is awaited that Zoom lists and that is not archived yet,
// before its state is looked at again. One that fails, or for which there is no room, is not
// listed as one that can be downloaded after a few attempts.
const awaitSound = 10 * time.Minute

// Sound makes the sound of a recording, unless Zoom gives that of all of it.
type Sound struct {
	Tool ffmpeg.Tool
	// FromZoom says that Zoom's sound is archived where Zoom lists one.
	FromZoom bool
	Now      func() time.Time
}

// Kind implements derive.Maker.
func (Sound) Kind() string { return store.DerivationSound }

// Revision implements derive.Maker.
func (Sound) Revision() int64 { return 1 }

// Choose implements derive.Chooser.
func (s Sound) Choose(ctx context.Context, x store.Session, rec store.Recording) (derive.Choice, error) {
	archived, listed, err := store.ZoomGivesSound(ctx, x, rec.ID)
	switch {
	case err != nil:
		return derive.Choice{}, err
	case archived:
		return derive.Choice{Never: true, Why: "Zoom gives the sound"}, nil
	case s.FromZoom && listed:
		return derive.Choice{At: s.Now().Add(awaitSound), Why: "the sound that Zoom lists is not archived yet"}, nil
	}
	return derive.Choice{}, nil
}

// Make implements derive.Maker.
func (s Sound) Make(ctx context.Context, src derive.Source, dir string) (derive.Made, error) {
	out := filepath.Join(dir, "sound.m4a")
	made, err := s.Tool.Sound(ctx, src.Path, src.Info, out)
	return oneFile(derive.File{Path: out, Name: "sound.m4a", Kind: media.CompanionAudio, Label: soundLabel, ContentType: "audio/mp4", Duration: made.Info.Duration}, err)
}

// Low makes the low rendition of a recording.
type Low struct{ Tool ffmpeg.Tool }

// Kind implements derive.Maker.
func (Low) Kind() string { return "low" }

// Revision implements derive.Maker.
func (Low) Revision() int64 { return 1 }

// Make implements derive.Maker.
func (l Low) Make(ctx context.Context, src derive.Source, dir string) (derive.Made, error) {
	out := filepath.Join(dir, "low.mp4")
	made, err := l.Tool.Low(ctx, src.Path, src.Info, out)
	return oneFile(derive.File{Path: out, Name: "low.mp4", Kind: media.CompanionView, Label: lowLabel, ContentType: "video/mp4", Duration: made.Info.Duration}, err)
}

// oneFile is what Make returns: none is made where that is not worth it.
func oneFile(f derive.File, err error) (derive.Made, error) {
	switch {
	case errors.Is(err, ffmpeg.ErrNothingToMake):
		return derive.Made{}, nil
	case err != nil:
		return derive.Made{}, err
	}
	return derive.Made{Files: []derive.File{f}}, nil
}
