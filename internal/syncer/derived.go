package syncer

import (
	"fmt"
	"slices"
	"time"

	"github.com/lectiospace/lectern/internal/ffmpeg"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/derive"
	"github.com/lectiospace/lectern/internal/syncer/derive/pictures"
	"github.com/lectiospace/lectern/internal/syncer/derive/renditions"
	"github.com/lectiospace/lectern/internal/syncer/derive/speech"
	"github.com/lectiospace/lectern/internal/syncer/kinds"
	"github.com/lectiospace/lectern/internal/syncer/workdir"
)

// makers are all kinds of files that sync-derived can name, in the order in which they are
// made of a recording.
func makers(tool ffmpeg.Tool, soundFromZoom bool, now func() time.Time) []derive.Maker {
	return []derive.Maker{
		pictures.Poster{Tool: tool},
		pictures.Storyboard{Tool: tool},
		renditions.Sound{Tool: tool, FromZoom: soundFromZoom, Now: now},
	}
}

// slowMakers are those that settings of their own turn on. What takes longest comes last.
func (s *Syncer) slowMakers(tool ffmpeg.Tool) (out []derive.Maker, err error) {
	if s.cfg.Rendition == RenditionLow {
		out = append(out, renditions.Low{Tool: tool})
	}
	program, err := s.cfg.TranscribeProgram()
	if err != nil || program.IsNone() {
		return out, err
	}
	return append(out, speech.Captions{Tool: tool, Program: program, Await: s.cfg.TranscribeWait, Now: s.now}), nil
}

// derivedKinds are the kinds of makers.
func derivedKinds() (out []string) {
	for _, m := range makers(ffmpeg.Tool{}, false, nil) {
		out = append(out, m.Kind())
	}
	return out
}

// idlePause is how long what has to be read waits while recordings are archived.
const idlePause = 15 * time.Second

// newDeriver makes what makes files of recordings; companions are the kinds that come from
// Zoom.
func (s *Syncer) newDeriver(companions kinds.Filter[media.CompanionKind]) (*derive.Deriver, error) {
	wants, err := kinds.ParseFilter(s.cfg.Derived, derivedKinds())
	if err != nil {
		return nil, fmt.Errorf("sync-derived: %w", err)
	}
	tool := s.deps.Tool
	tool.Idle = true // nobody waits for what is made
	all := slices.DeleteFunc(makers(tool, companions.Wants(media.CompanionAudio), s.now), func(m derive.Maker) bool { return !wants.Wants(m.Kind()) })
	slow, err := s.slowMakers(tool)
	if err != nil {
		return nil, err
	}
	cfg := derive.Config{Rate: int64(s.cfg.DerivedRate), IdlePause: idlePause, KeepSize: int64(s.cfg.WorkSize) / 4}
	return derive.New(cfg, append(all, slow...), derive.Deps{
		Store: s.deps.Store, Queue: s.queue, Archives: s.deps.Archives, Tool: tool,
		Work: workdir.New(s.cfg.WorkDir, int64(s.cfg.WorkSize), int64(s.cfg.WorkMinFree)),
		Log:  s.deps.Log, Metrics: s.deps.Metrics, Now: s.deps.Now, Observer: s.observer,
	}), nil
}
