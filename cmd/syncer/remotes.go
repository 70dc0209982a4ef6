package main

import (
	"context"
	"log/slog"

	"github.com/lectiospace/lectern/internal/archive"
	"github.com/lectiospace/lectern/internal/config"
	"github.com/lectiospace/lectern/internal/origin/azure"
	"github.com/lectiospace/lectern/internal/origin/drive"
	"github.com/lectiospace/lectern/internal/origin/s3"
)

// remote is a configured archive that is reached over a network.
type remote struct {
	archive archive.Archive
	start   func(context.Context) // or nil
	stop    func()
	// credentials is the setting that names or holds the credentials, which setCredentials
	// takes from settings that were read again.
	credentials    string
	setCredentials func(config.Origins) error
}

// remotes open the remote archives, one provider each; nil when it is not configured. An
// error begins with the name of a setting.
var remotes = []func(context.Context, *config.SyncerSettings, *slog.Logger) (*remote, error){openDrive, openS3, openAzure}

func openDrive(ctx context.Context, settings *config.SyncerSettings, log *slog.Logger) (*remote, error) {
	if settings.Origin.Drive.Credentials == "" {
		return nil, nil
	}
	o, err := drive.New(ctx, settings.Origin.Drive, log)
	if err != nil {
		return nil, err
	}
	return &remote{
		archive: drive.NewArchive(o, settings.Sync.Drive), start: o.Start, stop: o.Stop,
		credentials:    "origin-drive-credentials",
		setCredentials: func(next config.Origins) error { return o.SetCredentials(next.Drive) },
	}, nil
}

func openS3(ctx context.Context, settings *config.SyncerSettings, _ *slog.Logger) (*remote, error) {
	if settings.Origin.S3.URL == "" {
		return nil, nil
	}
	o, err := s3.New(ctx, settings.Origin.S3)
	if err != nil {
		return nil, err
	}
	return &remote{
		archive: s3.NewArchive(o), stop: o.Stop,
		credentials:    "origin-s3-credentials",
		setCredentials: func(next config.Origins) error { return o.SetCredentials(context.WithoutCancel(ctx), next.S3) },
	}, nil
}

func openAzure(_ context.Context, settings *config.SyncerSettings, _ *slog.Logger) (*remote, error) {
	if settings.Origin.Azure.URL == "" {
		return nil, nil
	}
	o, err := azure.New(settings.Origin.Azure)
	if err != nil {
		return nil, err
	}
	return &remote{
		archive: azure.NewArchive(o), stop: o.Stop,
		credentials:    "origin-azure-credentials",
		setCredentials: func(next config.Origins) error { return o.SetCredentials(next.Azure) },
	}, nil
}

// openRemotes opens the configured remote archives, starts them, and adds them to archives.
func (s *service) openRemotes(ctx context.Context, settings *config.SyncerSettings, archives archive.Set) error {
	for _, open := range remotes {
		r, err := open(ctx, settings, s.log)
		if err != nil {
			return settings.WithSource(err)
		}
		if r == nil {
			continue
		}
		s.remotes = append(s.remotes, r)
		s.onClose(func() error { r.stop(); return nil })
		if r.start != nil {
			r.start(context.WithoutCancel(ctx)) // ends with stop: draining jobs still need it
		}
		archives[r.archive.Provider()] = r.archive
	}
	return nil
}
