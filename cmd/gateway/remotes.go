package main

import (
	"context"
	"log/slog"

	"github.com/lectiospace/lectern/internal/config"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/origin"
	"github.com/lectiospace/lectern/internal/origin/azure"
	"github.com/lectiospace/lectern/internal/origin/drive"
	"github.com/lectiospace/lectern/internal/origin/s3"
)

// remote is a configured origin that is reached over a network.
type remote struct {
	provider string // its name in the catalog
	origin   origin.Origin
	start    func(context.Context) // or nil
	stop     func()
	// credentials is the setting that names or holds the credentials, which setCredentials
	// takes from settings that were read again.
	credentials    string
	setCredentials func(config.Origins) error
}

// remotes open the remote origins, one provider each; nil when it is not configured. An
// error begins with the name of a setting.
var remotes = []func(context.Context, config.Origins, *slog.Logger) (*remote, error){openDrive, openS3, openAzure}

func openDrive(ctx context.Context, cfg config.Origins, log *slog.Logger) (*remote, error) {
	if cfg.Drive.Credentials == "" {
		return nil, nil
	}
	o, err := drive.New(ctx, cfg.Drive, log)
	if err != nil {
		return nil, err
	}
	return &remote{
		provider: media.ProviderDrive, origin: o, start: o.Start, stop: o.Stop,
		credentials:    "origin-drive-credentials",
		setCredentials: func(next config.Origins) error { return o.SetCredentials(next.Drive) },
	}, nil
}

func openS3(ctx context.Context, cfg config.Origins, _ *slog.Logger) (*remote, error) {
	if cfg.S3.URL == "" {
		return nil, nil
	}
	o, err := s3.New(ctx, cfg.S3)
	if err != nil {
		return nil, err
	}
	return &remote{
		provider: media.ProviderS3, origin: o, stop: o.Stop,
		credentials:    "origin-s3-credentials",
		setCredentials: func(next config.Origins) error { return o.SetCredentials(context.WithoutCancel(ctx), next.S3) },
	}, nil
}

func openAzure(_ context.Context, cfg config.Origins, _ *slog.Logger) (*remote, error) {
	if cfg.Azure.URL == "" {
		return nil, nil
	}
	o, err := azure.New(cfg.Azure)
	if err != nil {
		return nil, err
	}
	return &remote{
		provider: media.ProviderAzure, origin: o, stop: o.Stop,
		credentials:    "origin-azure-credentials",
		setCredentials: func(next config.Origins) error { return o.SetCredentials(next.Azure) },
	}, nil
}

// openRemotes opens the configured remote origins, starts them, and adds each behind its
// decorators to routes.
func (s *service) openRemotes(ctx context.Context, routes map[string]origin.Origin, observer *origin.Observer) error {
	for _, open := range remotes {
		r, err := open(ctx, s.settings.Origin, s.log)
		if err != nil {
			return s.settings.WithSource(err)
		}
		if r == nil {
			continue
		}
		s.remotes = append(s.remotes, r)
		s.onClose(func() error { r.stop(); return nil })
		if r.start != nil {
			r.start(context.WithoutCancel(ctx)) // ends with stop: draining streams still need it
		}
		hardened := origin.Harden(r.origin, origin.Options{
			Provider: r.provider, Observer: observer, Hedge: s.settings.Objects.Hedge,
		})
		peeker, ok := r.origin.(origin.Peeker)
		if ok {
			peeker = observer.ObservePeeks(r.provider, peeker)
		}
		routes[r.provider] = origin.NewSpeculativeReader(hardened, peeker)
	}
	return nil
}
