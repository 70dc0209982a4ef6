package config

import (
	"fmt"
	"path/filepath"

	"github.com/alecthomas/kong"

	"github.com/lectiospace/lectern/internal/alert"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/origin/drive"
	"github.com/lectiospace/lectern/internal/syncer"
	"github.com/lectiospace/lectern/internal/zoom"
)

// SyncerSettings are all settings of the syncer. Embed it in a kong command line.
type SyncerSettings struct {
	Base `embed:""`

	SecretsKey string `name:"secrets-key" secret:"" needed:"by the syncer where teachers have Zoom apps of their own" placeholder:"KEY" help:"Encrypts the webhook secrets of teachers' own Zoom apps in the database: 32 bytes in base64. Without it those secrets cannot be read."`
	// AccessRule is the gateway's: under "platform" the lesson's group may always watch.
	AccessRule string `name:"auth-access-rule" enum:"strict,platform" default:"strict" help:"The gateway's access rule, strict or platform: it decides who is listed for a new recording."`

	Zoom zoom.Config `embed:"" prefix:"zoom-"`
	Sync struct {
		syncer.Config
		Drive drive.ArchiveConfig `embed:"" prefix:"drive-"`
	} `embed:"" prefix:"sync-"`
	Alert alert.Config `embed:"" prefix:"alert-"`
}

func (s *SyncerSettings) setDerived() {
	s.Base.setDerived()
	s.Sync.ShutdownGrace = s.ShutdownGrace
	if s.Sync.WorkDir == "" {
		s.Sync.WorkDir = filepath.Join(s.DataDir, "sync")
	}
	if s.Sync.Provider == "" {
		s.Sync.Provider = media.ProviderLocal
		if s.Origin.Drive.Credentials != "" {
			s.Sync.Provider = media.ProviderDrive
		}
	}
}

func (s *SyncerSettings) check() (setting, problem string) {
	if setting, problem = s.Base.check(); setting != "" {
		return setting, problem
	}
	if needed, value := s.Origin.needs(s.Sync.Provider); needed != "" && value == "" {
		return "sync-provider", fmt.Sprintf("is %s and %s is not set", s.Sync.Provider, needed)
	}
	return "", ""
}

// ValidateServe returns the first setting that a working syncer lacks or cannot use, as
// an *Error.
func (s *SyncerSettings) ValidateServe() error {
	return s.firstProblem(s.Zoom.Check, s.Sync.Check, s.Origin.Drive.Check, s.Origin.S3.Check, s.Origin.Azure.Check, s.Sync.Drive.Check, s.Alert.Check, func() error {
		_, err := syncer.ParseSecretsKey(s.SecretsKey)
		return err
	}, s.checkTogether)
}

// SyncerDefaults are the default settings of the syncer.
func SyncerDefaults() SyncerSettings {
	var cli struct {
		SyncerSettings `embed:""`
	}
	parser, err := kong.New(&cli, kong.Exit(func(int) {}), varsOf("syncer"))
	if err != nil {
		panic("BUG: " + err.Error())
	}
	if _, err := parser.Parse(nil); err != nil {
		panic("BUG: " + err.Error())
	}
	cli.Sync.ShutdownGrace = cli.ShutdownGrace
	return cli.SyncerSettings
}
