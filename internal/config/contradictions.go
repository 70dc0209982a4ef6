package config

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
)

// checkTogether refuses settings that contradict each other, of both programs. The text
// begins with the name of the setting to change.
func (b *Base) checkTogether() error {
	drive := b.Origin.Drive
	switch {
	case b.Listen == b.AdminListen && !strings.HasSuffix(b.Listen, ":0"):
		return fmt.Errorf("admin-listen: %s is listen's address too; the admin listener needs one of its own", b.AdminListen)
	case drive.Subject != "" && (drive.Credentials == "" || drive.Credentials == "none"):
		return errors.New("origin-drive-subject: needs a service account in origin-drive-credentials to act for somebody")
	case b.Origin.Azure.Credentials != "" && b.Origin.Azure.URL == "":
		return errors.New("origin-azure-credentials: needs origin-azure-url, which names the container")
	}
	return nil
}

// checkTogether is Base's for the gateway.
func (s *Settings) checkTogether() error {
	if err := s.Base.checkTogether(); err != nil {
		return err
	}
	switch {
	case isWithin(s.Origin.Local.Root, s.Cache.Dir):
		return errors.New("cache-dir: holds origin-local-root; a purge of the cache must not meet recordings")
	case isWithin(sqlitePath(s.DatabaseURL), s.Cache.Dir):
		return errors.New("cache-dir: holds the database; a purge of the cache must not meet it")
	case s.Cache.Size > 0 && s.Cache.Size < s.Cache.ChunkSize:
		return fmt.Errorf("cache-size: %v holds not one chunk of cache-chunk-size, %v", s.Cache.Size, s.Cache.ChunkSize)
	}
	if u, err := url.Parse(s.PublicURL); err == nil && (u.RawQuery != "" || u.Fragment != "" || u.User != nil) {
		return errors.New("public-url: is the base of links and can have no query, no fragment and no user")
	}
	return nil
}

// checkTogether is Base's for the syncer.
func (s *SyncerSettings) checkTogether() error {
	if err := s.Base.checkTogether(); err != nil {
		return err
	}
	switch {
	case s.Sync.Lookback < s.Sync.ReconcileEvery:
		return fmt.Errorf("sync-lookback: %s is shorter than sync-reconcile-every, %s: recordings between would never be listed", s.Sync.Lookback, s.Sync.ReconcileEvery)
	case isWithin(s.Origin.Local.Root, s.Sync.WorkDir):
		return errors.New("sync-work-dir: holds origin-local-root; what is left over there is removed, and recordings must not be")
	case s.Sync.Drive.Folder != "" && s.Origin.Drive.Credentials == "":
		return errors.New("sync-drive-folder: needs origin-drive-credentials")
	case s.Sync.Drive.SharedDrive != "" && s.Origin.Drive.Credentials == "":
		return errors.New("sync-drive-shared-drive: needs origin-drive-credentials")
	}
	return nil
}

// isWithin reports whether a path is a directory or below it. "" is nowhere.
func isWithin(path, dir string) bool {
	if path == "" || dir == "" {
		return false
	}
	path, pathErr := filepath.Abs(path)
	dir, dirErr := filepath.Abs(dir)
	if pathErr != nil || dirErr != nil {
		return false // the working directory is gone: relative paths fail where they are used
	}
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// sqlitePath is the file of a SQLite URL, "" for another database.
func sqlitePath(databaseURL string) string {
	path, ok := strings.CutPrefix(databaseURL, "sqlite://")
	if !ok {
		return ""
	}
	return path
}
