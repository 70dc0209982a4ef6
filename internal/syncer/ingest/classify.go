package ingest

import (
	"errors"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/zoom"
)

// stage is where a run was when it failed.
type stage string

const (
	atZoom    stage = "zoom"
	atDisk    stage = "disk"
	atJoin    stage = "join"
	atArchive stage = "archive"
)

// stageError is a fault with where it happened.
type stageError struct {
	at  stage
	err error
}

func (e *stageError) Error() string { return e.err.Error() }
func (e *stageError) Unwrap() error { return e.err }

func failedAt(at stage, err error) error {
	if err == nil {
		return nil
	}
	var known *stageError
	if errors.As(err, &known) {
		return err
	}
	return &stageError{at, err}
}

// corruptTries is how often something that is not what it should be is tried again
// before the ingest fails with it.
const corruptTries = 3

// ReasonOfZoomError is the reason code of an error of Zoom's API.
func ReasonOfZoomError(err error) string {
	reason, _ := classifyError(failedAt(atZoom, err), corruptTries)
	return reason
}

// classifyError is the reason code of an error, and whether another attempt is in
// vain. attempts is how many of them have failed in a row. It is pure.
func classifyError(err error, attempts int64) (reason string, permanent bool) {
	var at stage
	var where *stageError
	if errors.As(err, &where) {
		at = where.at
	}
	kind := media.KindOf(err)
	var part *partFault
	switch detail := zoom.ReasonOf(err); {
	case errors.Is(err, errUnlisted):
		return store.ReasonGoneAtZoom, false
	case errors.As(err, &part):
		return part.reason, part.givenUp()
	case detail == store.ReasonQuota:
		return store.ReasonQuota, true
	case detail == zoom.ReasonHost:
		return store.ReasonDownloadHost, true
	case detail == store.ReasonGoneAtZoom:
		return store.ReasonGoneAtZoom, true
	case at == atZoom && detail == zoom.ReasonNoRecording:
		return store.ReasonGoneAtZoom, false
	case detail == zoom.ReasonScope, detail == zoom.ReasonCredentials, detail == zoom.ReasonNoUser, detail == zoom.ReasonPermission:
		return store.ReasonNoAccess, true
	case detail == zoom.ReasonExpiredToken:
		return store.ReasonNoAccess, attempts >= corruptTries
	case detail == store.ReasonNoFFmpeg, detail == store.ReasonDiskFull && at != atArchive, detail == store.ReasonWorkDirFull:
		return detail, false
	case at == atArchive && kind == media.Quota && detail != "downloadQuotaExceeded" && detail != "dailyLimitExceeded" && detail != "quotaExceeded":
		return store.ReasonArchiveFull, true
	case at == atArchive && (kind == media.Denied || kind == media.Invalid || kind == media.NotFound):
		return store.ReasonArchiveDenied, attempts >= corruptTries
	case at == atArchive && kind == media.Corrupt:
		return store.ReasonArchiveUnverified, false
	case at == atArchive:
		return store.ReasonArchiveAway, false
	case at == atJoin && kind == media.Corrupt:
		return store.ReasonJoinFailed, attempts >= corruptTries
	case at == atZoom && (kind == media.Corrupt || kind == media.NotFound || kind == media.Invalid):
		return store.ReasonDownloadInvalid, attempts >= corruptTries
	case at == atZoom && kind == media.Denied:
		return store.ReasonNoAccess, attempts >= corruptTries
	case at == atZoom:
		return store.ReasonZoomUnavailable, false
	default:
		return store.ReasonInternal, false
	}
}
