package syncer

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/kinds"
	"github.com/lectiospace/lectern/internal/syncer/queue"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/transcribe"
)

// Config of the jobs.
type Config struct {
	Mode           string        `name:"mode" default:"active" placeholder:"active|observe" help:"active, or observe: take webhooks, list, match and plan, and only log what would be done; no recording, no archive and nothing at Zoom changes (default: ${default})."`
	ReconcileEvery time.Duration `name:"reconcile-every" default:"30m" help:"Interval of reconciliation with what Zoom lists (duration, at least 1s)."`
	Lookback       time.Duration `name:"lookback" default:"72h" help:"How far back reconciliation lists recordings at Zoom; at least sync-reconcile-every (duration, at least 1h)."`
	UsageEvery     time.Duration `name:"usage-every" default:"6h" help:"How often the used storage of teachers is recomputed (duration, at least 1s)."`
	CleanupAt      string        `name:"cleanup-at" default:"03:00" placeholder:"HH:MM" help:"Time of day, UTC, at which expired recordings are removed (default: ${default})."`
	TrashGrace     time.Duration `name:"trash-grace" default:"168h" help:"How long after its removal a recording's bytes are deleted; until then it can be restored (duration)."`
	Settle         time.Duration `name:"settle" default:"5m" help:"How long after the last segment of a meeting its parts are joined; a host who comes back later makes a new join (duration)."`
	MatchEarly     time.Duration `name:"match-early" default:"30m" help:"How long before a lesson's start its recording may begin, where no lesson's time holds that moment (duration)."`
	MatchLate      time.Duration `name:"match-late" default:"30m" help:"How long after a lesson's end a recording may begin and still belong to it (duration)."`
	Unmatched      string        `name:"unmatched" default:"archive" placeholder:"archive|wait" help:"What matches no lesson for 24 h: archive it as the teacher's own, seen by the teacher and admins only, or wait (default: ${default})."`
	DeleteFromZoom bool          `name:"delete-from-zoom" default:"true" negatable:"" help:"Trash recordings at Zoom once their archive is verified."`
	ZoomTrashAfter time.Duration `name:"zoom-trash-after" default:"24h" help:"How long after its archive is verified a recording is trashed at Zoom (duration)."`
	Companions     []string      `name:"companions" default:"all" placeholder:"KIND" help:"Kinds of the other files of a meeting that are archived beside the recording, comma separated: transcript, captions, chat, timeline, audio, view, summary, chapters, poll, poster, other; or all, or none (default: ${default})."`
	Derived        []string      `name:"derived" default:"all" placeholder:"KIND" help:"Kinds of the files that are made of each recording and archived beside it, comma separated: poster, storyboard, sound; or all, or none (default: ${default})."`
	DerivedRate    media.Size    `name:"derived-rate" default:"8MiB" help:"How fast recordings are read from the archive to make files of them, which happens once to each that was archived before; 0 = unbounded (size per second)."`
	Rendition      string        `name:"rendition" default:"off" placeholder:"off|low" help:"low: make a rendition of at most 200 kbit/s of each recording, for thin lines. It takes at most a quarter of the recording's time on one core, at idle priority (default: ${default})."`
	Transcribe     string        `name:"transcribe-command" placeholder:"COMMAND" help:"Program for speech recognition that is run for recordings without captions, with the path of the sound as its last argument; it prints WebVTT. No shell runs it; quotes keep blanks together (default: none)."`
	TranscribeWait time.Duration `name:"transcribe-wait" default:"0s" help:"How long Zoom's own captions of an archived recording are awaited before sync-transcribe-command is run for it; Zoom may list a transcript hours after the recording (duration)."`
	TranscribeMem  media.Size    `name:"transcribe-memory" default:"8GiB" help:"Bound of the address space of each process of sync-transcribe-command; 0 = unbounded (size)."`
	Provider       string        `name:"provider" placeholder:"NAME" help:"Where new recordings are archived: local, gdrive, s3 or azure. Recordings that exist play from where they are (default: gdrive if Drive is configured, else local)."`
	Workers        int           `name:"workers" default:"2" help:"Recordings that are archived at the same time; each may run an ffmpeg of up to 1 GiB (number, 1 to 100)."`
	Reencode       bool          `name:"reencode" default:"false" help:"Encode recordings anew, at most 1280 wide or 720 high, where that makes them smaller."`
	WorkDir        string        `name:"work-dir" placeholder:"DIR" help:"Directory of the temporary files of ingests, of moves, and of files that are made of recordings (default: <data-dir>/sync)."`
	WorkSize       media.Size    `name:"work-size" default:"50GiB" help:"Bound of the temporary files of the syncer together; what does not fit waits (size)."`
	WorkMinFree    media.Size    `name:"work-min-free" default:"1GiB" help:"Free disk space that the temporary files leave alone (size)."`

	// ShutdownGrace is how long Stop waits for the jobs that it has cancelled.
	ShutdownGrace time.Duration `kong:"-"`
	// UnmatchedAfter is when a meeting without a lesson is alerted, and archived as its teacher's own; 0 = 24 h.
	UnmatchedAfter time.Duration `kong:"-"`
	// GiveUpAfter is when passing faults become a failure; 0 = 48 h.
	GiveUpAfter time.Duration `kong:"-"`
	// RetryDelays are the waits after failed attempts; none = queue.DefaultRetryDelays.
	RetryDelays []time.Duration `kong:"-"`
	// BusyPoll is how often a queue with work is asked; 0 = queue.DefaultBusyPoll.
	BusyPoll time.Duration `kong:"-"`
	// IdlePoll is how often a queue without work is asked; 0 = queue.DefaultIdlePoll.
	IdlePoll time.Duration `kong:"-"`
	// SupervisorEvery is the pause between the supervisor's rounds; 0 = 5 s.
	SupervisorEvery time.Duration `kong:"-"`
}

// What no setting changes.
const (
	defaultUnmatchedAfter  = 24 * time.Hour
	defaultGiveUpAfter     = 48 * time.Hour
	defaultSupervisorEvery = 5 * time.Second
)

// The modes.
const (
	ModeActive  = "active"
	ModeObserve = "observe"
)

// What sync-rendition can be.
const (
	RenditionOff = "off"
	RenditionLow = "low"
)

// TranscribeProgram is the program for speech recognition, which may be none.
func (c Config) TranscribeProgram() (transcribe.Program, error) {
	program, err := transcribe.ParseProgram(c.Transcribe, uint64(max(0, c.TranscribeMem)))
	if err != nil {
		return program, fmt.Errorf("sync-transcribe-command: %w", err)
	}
	return program, nil
}

// Observes reports whether the syncer watches and does not act.
func (c Config) Observes() bool { return c.Mode == ModeObserve }

// What happens to a recording that matches no lesson.
const (
	UnmatchedArchive = "archive"
	UnmatchedWait    = "wait"
)

// matchRule is the rule that the settings make.
func (c Config) matchRule() store.MatchRule {
	return store.MatchRule{Early: c.MatchEarly, Late: c.MatchLate}
}

// moveRetryDelays are the waits before a recording that could not be moved is tried again.
func (c Config) moveRetryDelays() []time.Duration {
	if len(c.RetryDelays) > 0 {
		return c.RetryDelays
	}
	return queue.DefaultRetryDelays[:len(queue.DefaultRetryDelays)-1] // somebody waits for the end
}

// withDefaults fills in what no setting changes.
func (c Config) withDefaults() Config {
	c.UnmatchedAfter = cmp.Or(c.UnmatchedAfter, defaultUnmatchedAfter)
	c.GiveUpAfter = cmp.Or(c.GiveUpAfter, defaultGiveUpAfter)
	c.SupervisorEvery = cmp.Or(c.SupervisorEvery, defaultSupervisorEvery)
	return c
}

// Check refuses what cannot work. The text begins with the setting's name.
func (c *Config) Check() error {
	for _, d := range []struct {
		name  string
		value time.Duration
		least time.Duration
	}{
		{"sync-reconcile-every", c.ReconcileEvery, time.Second}, {"sync-lookback", c.Lookback, time.Hour}, {"sync-usage-every", c.UsageEvery, time.Second},
		{"sync-trash-grace", c.TrashGrace, 0}, {"sync-settle", c.Settle, 0}, {"sync-zoom-trash-after", c.ZoomTrashAfter, 0},
		{"sync-match-early", c.MatchEarly, 0}, {"sync-match-late", c.MatchLate, 0}, {"sync-transcribe-wait", c.TranscribeWait, 0},
	} {
		if d.value < d.least {
			return fmt.Errorf("%s: %s is too short, give at least %s", d.name, d.value, d.least)
		}
	}
	if _, err := time.Parse("15:04", c.CleanupAt); err != nil {
		return fmt.Errorf("sync-cleanup-at: %q is not a time of day: give HH:MM, as 03:00", c.CleanupAt)
	}
	switch c.Mode {
	case "", ModeActive, ModeObserve:
	default:
		return fmt.Errorf("sync-mode: %q is not one of active, observe", c.Mode)
	}
	switch c.Unmatched {
	case "", UnmatchedArchive, UnmatchedWait:
	default:
		return fmt.Errorf("sync-unmatched: %q is not one of archive, wait", c.Unmatched)
	}
	if _, err := kinds.ParseFilter(c.Companions, media.CompanionKinds()); err != nil {
		return fmt.Errorf("sync-companions: %w", err)
	}
	if _, err := kinds.ParseFilter(c.Derived, derivedKinds()); err != nil {
		return fmt.Errorf("sync-derived: %w", err)
	}
	switch c.Rendition {
	case "", RenditionOff, RenditionLow:
	default:
		return fmt.Errorf("sync-rendition: %q is not one of off, low", c.Rendition)
	}
	if _, err := c.TranscribeProgram(); err != nil {
		return err
	}
	switch c.Provider {
	case "", media.ProviderLocal, media.ProviderDrive, media.ProviderS3, media.ProviderAzure:
	default:
		return fmt.Errorf("sync-provider: %q is not one of local, gdrive, s3, azure", c.Provider)
	}
	if c.Workers < 1 || c.Workers > 100 {
		return fmt.Errorf("sync-workers: %d is not between 1 and 100", c.Workers)
	}
	return nil
}

// ParseSecretsKey reads SECRETS_KEY: 32 bytes in base64, nil when it is "".
func ParseSecretsKey(text string) ([]byte, error) {
	if text == "" {
		return nil, nil
	}
	for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		if key, err := encoding.DecodeString(text); err == nil && len(key) == 32 {
			return key, nil
		}
	}
	return nil, fmt.Errorf("secrets-key: is not 32 bytes in base64: make one with `openssl rand -base64 32`")
}
