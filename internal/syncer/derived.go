package syncer

import (
	"fmt"
	"time"

	"github.com/lectiospace/lectern/internal/ffmpeg"
	"github.com/lectiospace/lectern/internal/syncer/derive"
	"github.com/lectiospace/lectern/internal/syncer/derive/pictures"
	"github.com/lectiospace/lectern/internal/syncer/workdir"
)

// makers are all kinds of files that are made of recordings, in the order in which they are
// made of one.
func makers(tool ffmpeg.Tool) []derive.Maker {
	return []derive.Maker{
		pictures.Poster{Tool: tool},
	}
}

// derivedKinds are the kinds of makers.
func derivedKinds() (out []string) {
	for _, m := range makers(ffmpeg.Tool{}) {
		out = append(out, m.Kind())
	}
	return out
}

// idlePause is how long what has to be read waits while recordings are archived.
const idlePause = 15 * time.Second

func (s *Syncer) newDeriver() (*derive.Deriver, error) {
	wants, err := derive.ParseFilter(s.cfg.Derived, derivedKinds())
	if err != nil {
		return nil, fmt.Errorf("sync-derived: %w", err)
	}
	cfg := derive.Config{Wants: wants, Rate: int64(s.cfg.DerivedRate), IdlePause: idlePause, KeepSize: int64(s.cfg.WorkSize) / 4}
	return derive.New(cfg, makers(s.deps.Tool), derive.Deps{
		Store: s.deps.Store, Queue: s.queue, Archives: s.deps.Archives, Tool: s.deps.Tool,
		Work: workdir.New(s.cfg.WorkDir, int64(s.cfg.WorkSize), int64(s.cfg.WorkMinFree)),
		Log:  s.deps.Log, Metrics: s.deps.Metrics, Now: s.deps.Now, Observer: s.observer,
	}), nil
}
