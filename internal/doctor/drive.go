package doctor

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/origin/drive"
)

// driveTimeout bounds the requests of a check of Drive. What the check wrote is removed after
// it, within the report's deadline.
const driveTimeout = 8 * time.Second

const (
	fixCredentials = "give the JSON of a service account or an authorised user, or its path"
	fixDrive       = "check origin-drive-credentials (a key may have been deleted or revoked), origin-drive-endpoint and the network"
)

// driveFaults report the reasons of Drive's errors for which the remedy does not depend on what
// was tried. A warning passes by itself.
var driveFaults = map[string]struct {
	status Status
	fix    string
}{
	"accessNotConfigured":    {Fail, "enable the Google Drive API in the project of the account"},
	"SERVICE_DISABLED":       {Fail, "enable the Google Drive API in the project of the account"},
	"domainPolicy":           {Fail, "let the administrator of the Google Workspace domain allow Drive apps"},
	"appNotAuthorizedToFile": {Fail, "let the account grant this app access to the whole Drive: scope https://www.googleapis.com/auth/drive"},
	drive.ReasonNotAPI:       {Fail, "check origin-drive-endpoint and HTTPS_PROXY: a proxy or a captive portal answers in Drive's place"},
	"userRateLimitExceeded":  {Warn, "wait a minute and run this again"},
	"rateLimitExceeded":      {Warn, "wait a minute and run this again"},
	"dailyLimitExceeded":     {Warn, "wait until the quota of the project is renewed, or raise it"},
}

// driveFault reports an error of Drive. fix is what to do when the account has not the right.
func (r *Report) driveFault(check, fix, detail string, err error) {
	known, ok := driveFaults[media.ReasonOf(err)]
	switch {
	case ok && known.status == Warn:
		r.warn(check, known.fix, "%s: %v", detail, err)
	case ok:
		r.fail(check, known.fix, "%s: %v", detail, err)
	case media.KindOf(err) == media.Denied:
		r.fail(check, fix, "%s: %v", detail, err)
	default:
		r.fail(check, fixDrive, "%s: %v", detail, err)
	}
}

// DriveOrigin gets a token and asks Drive which account it belongs to. clockLimit is by how
// much our clock may differ from Drive's.
func (r *Report) DriveOrigin(ctx context.Context, cfg drive.Config, clockLimit time.Duration) {
	if cfg.Credentials == "" {
		r.pass(nameOriginDrive, "not configured")
		return
	}
	remote, err := drive.New(ctx, cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		r.fail(nameOriginDrive, fixCredentials, "%v", err)
		return
	}
	defer remote.Stop()
	account, ok := r.driveAccount(ctx, nameOriginDrive, remote, clockLimit)
	switch {
	case !ok:
	case account.Email == "":
		r.pass(nameOriginDrive, "answers")
	default:
		r.pass(nameOriginDrive, "answers %s", account.Email)
	}
}

// driveAccount asks Drive for the account, and compares our clock with Drive's.
func (r *Report) driveAccount(ctx context.Context, check string, remote *drive.Origin, clockLimit time.Duration) (drive.Account, bool) {
	ctx, cancel := context.WithTimeout(ctx, driveTimeout)
	defer cancel()
	asked := time.Now()
	account, err := remote.CheckAccess(ctx)
	answered := time.Now()
	switch {
	case media.KindOf(err) == media.NotFound:
		r.warn(check, "check origin-drive-endpoint", "it answers, but knows neither about nor files")
		return account, false
	case err != nil:
		r.driveFault(check, "let the account use the Drive API: enable it in the project, share the folder with the account", "Drive cannot be used", err)
		return account, false
	}
	r.Clock("Drive", account.Date, asked, answered, clockLimit)
	return account, true
}

// DriveArchive checks that new recordings can be stored. With a configured place a small file
// is written there and removed again. Without one nothing is written: My Drive is somebody's
// own, and its account and its room are checked instead.
func (r *Report) DriveArchive(ctx context.Context, cfg drive.Config, settings drive.ArchiveConfig, clockLimit time.Duration) {
	remote, err := drive.New(ctx, cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		r.fail(nameArchive, fixCredentials, "%v", err)
		return
	}
	defer remote.Stop()
	if settings.Folder == "" && settings.SharedDrive == "" {
		if account, ok := r.driveAccount(ctx, nameArchive, remote, clockLimit); ok {
			r.myDrive(account)
		}
		return
	}
	ctx, cancel := context.WithTimeout(ctx, driveTimeout)
	defer cancel()
	r.driveFolder(ctx, drive.NewArchive(remote, settings), settings)
}

// myDrive checks the account's own Drive, where recordings of teachers without a folder go.
func (r *Report) myDrive(account drive.Account) {
	const place = "set sync-drive-shared-drive or sync-drive-folder to a place in a shared drive"
	switch {
	case strings.HasSuffix(account.Email, ".gserviceaccount.com"):
		r.warn(nameArchive, place+": a service account has no storage of its own", "no place is configured, and %s is a service account: only the folders of teachers can be written", account.Email)
	case account.Limit > 0 && account.Used >= account.Limit:
		r.fail(nameArchive, "make room, or "+place, "there is no room for new recordings: all %s of %s are used", rough(media.Size(account.Limit)), account.Email)
	default:
		r.pass(nameArchive, "My Drive of %s and the folders of teachers; writing is not tried without a configured place", account.Email)
	}
}

// driveFolder checks the configured place and writes there.
func (r *Report) driveFolder(ctx context.Context, target *drive.Archive, settings drive.ArchiveConfig) {
	setting := "sync-drive-folder"
	if settings.Folder == "" {
		setting = "sync-drive-shared-drive"
	}
	err := target.CheckFolder(ctx)
	switch kind := media.KindOf(err); {
	case err == nil:
	case kind == media.NotFound, kind == media.Invalid:
		r.fail(nameArchive, "set "+setting+" to a folder that is shared with the account", "the folder for new recordings is missing: %v", err)
		return
	default:
		r.driveFault(nameArchive, "share the folder of "+setting+" with the account as editor or content manager", "Drive cannot be used", err)
		return
	}
	switch err = target.CheckWrite(ctx); {
	case err == nil:
		r.pass(nameArchive, "a file can be written and removed")
	case media.KindOf(err) == media.Quota && driveFaults[media.ReasonOf(err)].fix == "":
		r.fail(nameArchive, "make room, or set "+setting+" to a place in a shared drive: a service account can store nowhere else", "there is no room for new recordings: %v", err)
	default:
		r.driveFault(nameArchive, "let the account write there, and enable the Drive API in its project", "Drive cannot be written", err)
	}
}
