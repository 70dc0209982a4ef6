package syncer

import (
	"errors"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/zoom"
)

// Reason codes of an ingest that failed.
const (
	reasonQuota        = "quota_exceeded"        // the teacher's; resumes by itself
	reasonArchiveFull  = "archive_full"          // the archive's own storage
	reasonArchiveDeny  = "archive_denied"        // the archive refuses us
	reasonInvalid      = "download_invalid"      // what Zoom gives is no recording
	reasonHost         = "download_host_refused" // a link that must not be followed
	reasonGone         = "gone_at_zoom"          // taken away before it was archived
	reasonNoAccess     = "no_access_at_zoom"     // credentials, scopes, permissions
	reasonZoomAway     = "zoom_unavailable"      // two days of passing faults
	reasonArchiveAway  = "archive_unavailable"
	reasonNotJoined    = "join_failed"
	reasonInterrupted  = "internal"
	reasonArchiveLost  = "archive_lost" // it was archived, and is gone from there
	reasonUnverifiable = "archive_unverified"
)

// mendable are reasons that pass, or that somebody mends without telling us:
// reconciliation takes such ingests up again.
var mendable = map[string]bool{
	reasonArchiveFull: true, reasonArchiveDeny: true, reasonNoAccess: true, reasonZoomAway: true, reasonArchiveAway: true,
	reasonInterrupted: true, reasonUnverifiable: true, "ffmpeg_missing": true, "disk_full": true, "work_dir_full": true,
}

// advice is what an operator can do about a reason.
var advice = map[string]string{
	reasonQuota:        "raise the teacher's quota or remove recordings; it goes on by itself then",
	reasonArchiveFull:  "make room in the archive; a service account needs a shared drive (sync-drive-shared-drive) or delegation",
	reasonArchiveDeny:  "give the Drive principal the right to write into the folder",
	reasonInvalid:      "look at the recording at Zoom; then `syncer retry JOB`",
	reasonHost:         "the link leads to a host outside zoom-download-hosts; add it only if it is Zoom's",
	reasonGone:         "recover it from Zoom's trash within 30 days; it is taken up by itself then",
	reasonNoAccess:     "check the teacher's Zoom app: activated, scopes cloud_recording:read:list_recording_files:admin and cloud_recording:read:list_user_recordings:admin",
	reasonZoomAway:     "Zoom did not answer for two days; see its status page",
	reasonArchiveAway:  "the archive did not answer for two days; see its status page and the credentials",
	reasonNotJoined:    "the segments could not be joined; look at them at Zoom, then `syncer retry JOB`",
	reasonArchiveLost:  "the file is gone from the archive, and from Zoom; look into the archive's trash",
	reasonUnverifiable: "the archive's checksum does not match; see its status page",
	"ffmpeg_missing":   "install ffmpeg",
	"disk_full":        "make room on the syncer's disk",
	"work_dir_full":    "raise sync-work-size",
}

// stage is where an ingest was when it failed.
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

// corruptTries is how often something that is not what it should be is fetched again
// before that is believed.
const corruptTries = 3

// verdict says what a fault means: its reason code, and whether trying again helps.
// tries is how often in a row it has been tried. It is pure.
func verdict(err error, tries int64) (reason string, permanent bool) {
	var at stage
	var where *stageError
	if errors.As(err, &where) {
		at = where.at
	}
	kind := media.KindOf(err)
	switch detail := zoom.ReasonOf(err); {
	case detail == reasonQuota:
		return reasonQuota, true
	case detail == zoom.ReasonHost:
		return reasonHost, true
	case detail == reasonGone, at == atZoom && detail == zoom.ReasonNoRecording:
		return reasonGone, true
	case detail == zoom.ReasonScope, detail == zoom.ReasonCredentials, detail == zoom.ReasonNoUser, detail == zoom.ReasonPermission:
		return reasonNoAccess, true
	case detail == zoom.ReasonExpiredToken:
		return reasonNoAccess, tries >= corruptTries
	case detail == "ffmpeg_missing", detail == "disk_full" && at != atArchive, detail == "work_dir_full":
		return detail, false
	case at == atArchive && kind == media.Quota && detail != "downloadQuotaExceeded" && detail != "dailyLimitExceeded" && detail != "quotaExceeded":
		return reasonArchiveFull, true
	case at == atArchive && (kind == media.Denied || kind == media.Invalid || kind == media.NotFound):
		return reasonArchiveDeny, tries >= corruptTries
	case at == atArchive && kind == media.Corrupt:
		return reasonUnverifiable, false
	case at == atArchive:
		return reasonArchiveAway, false
	case at == atJoin && kind == media.Corrupt:
		return reasonNotJoined, tries >= corruptTries
	case at == atZoom && (kind == media.Corrupt || kind == media.NotFound || kind == media.Invalid):
		return reasonInvalid, tries >= corruptTries
	case at == atZoom && kind == media.Denied:
		return reasonNoAccess, tries >= corruptTries
	case at == atZoom:
		return reasonZoomAway, false
	default:
		return reasonInterrupted, false
	}
}
