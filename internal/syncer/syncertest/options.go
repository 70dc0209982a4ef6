package syncertest

import (
	"github.com/lectiospace/lectern/internal/archive"
	driveemu "github.com/lectiospace/lectern/internal/emulator/drive"
	s3emu "github.com/lectiospace/lectern/internal/emulator/s3"
	"github.com/lectiospace/lectern/internal/syncer"
)

// Option changes how a Server is set up.
type Option func(*Server)

// OnPostgres puts the catalog into PostgreSQL.
func OnPostgres(s *Server) { s.url = filledPostgres.Start(s.t) }

// Through puts something between the syncer and its database: through gets the database's
// URL and returns the one to use.
func Through(through func(url string) string) Option {
	return func(s *Server) { s.url = through(s.url) }
}

// OnDrive archives into an emulated Drive.
func OnDrive(s *Server) { s.Drive = driveemu.New() }

// OnDriveAndLocal archives into an emulated Drive, and has the local archive beside it.
func OnDriveAndLocal(s *Server) { OnDrive(s); s.alsoLocal = true }

// OnS3 archives into an emulated bucket, in parts of 16 KiB: the clip of the tests is small.
func OnS3(s *Server) { s.S3 = s3emu.New(s3emu.Config{Bucket: "lessons"}) }

// Configured changes the syncer's Config.
func Configured(f func(*syncer.Config)) Option { return func(s *Server) { f(&s.Config) } }

// WithArchive wraps the archive that new recordings go to.
func WithArchive(wrap func(archive.Archive) archive.Archive) Option {
	return func(s *Server) { s.wrap = wrap }
}
