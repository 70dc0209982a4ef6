package store

import "github.com/lectiospace/lectern/internal/media"

// Reason codes of an ingest that failed: the only list of them. They are stored in
// Ingest.Reason, named in alerts and shown to people.
const (
	ReasonQuota             = media.ReasonQuota       // the teacher's; resumes by itself
	ReasonArchiveFull       = "archive_full"          // the archive's own storage
	ReasonArchiveDenied     = "archive_denied"        // the archive refuses us
	ReasonDownloadInvalid   = "download_invalid"      // what Zoom gives is no recording
	ReasonDownloadHost      = "download_host_refused" // a link that must not be followed
	ReasonGoneAtZoom        = media.ReasonGoneAtZoom  // removed at Zoom before it was archived
	ReasonNoAccess          = "no_access_at_zoom"     // credentials, scopes, permissions
	ReasonZoomUnavailable   = "zoom_unavailable"      // two days of passing faults
	ReasonArchiveAway       = "archive_unavailable"
	ReasonJoinFailed        = "join_failed"
	ReasonPartsNotJoined    = "parts_not_joined" // of an archived recording: its other parts are beside it
	ReasonInternal          = "internal"
	ReasonArchiveLost       = "archive_lost" // it was archived, and is gone from there
	ReasonArchiveUnverified = "archive_unverified"
	ReasonNoFFmpeg          = "ffmpeg_missing"
	ReasonDiskFull          = "disk_full"
	ReasonWorkDirFull       = "work_dir_full"
	ReasonObserved          = "observed" // the syncer observes; the detail is what it would do
)

var advice = map[string]string{
	ReasonQuota:             "raise the teacher's quota or remove recordings; it goes on by itself then",
	ReasonArchiveFull:       "make room in the archive; a service account needs a shared drive (sync-drive-shared-drive) or delegation",
	ReasonArchiveDenied:     "give the Drive principal the right to write into the folder",
	ReasonDownloadInvalid:   "look at the recording at Zoom; it is taken up again by itself while Zoom lists it, and at once by `syncer reconcile`",
	ReasonDownloadHost:      "the link leads to a host outside zoom-download-hosts; add it only if it is Zoom's",
	ReasonGoneAtZoom:        "recover it from Zoom's trash within 30 days; it is archived by itself then",
	ReasonNoAccess:          "check the teacher's Zoom app: activated, scopes cloud_recording:read:list_recording_files:admin and cloud_recording:read:list_user_recordings:admin",
	ReasonZoomUnavailable:   "Zoom did not answer for two days; see its status page",
	ReasonArchiveAway:       "the archive did not answer for two days; see its status page and the credentials",
	ReasonJoinFailed:        "the segments could not be joined; look at them at Zoom, where they stay; they are tried again by themselves",
	ReasonPartsNotJoined:    "the longest part plays, the others are archived beside it; they are joined by themselves when another part comes or ffmpeg is replaced: look at the history for what the join lacked",
	ReasonArchiveLost:       "the file is gone from the archive, and Zoom's copy was trashed; recover that from Zoom's trash within 30 days, and it is archived again by itself",
	ReasonArchiveUnverified: "the archive's checksum does not match; see its status page",
	ReasonNoFFmpeg:          "install ffmpeg",
	ReasonDiskFull:          "make room on the syncer's disk",
	ReasonWorkDirFull:       "raise sync-work-size",
	ReasonObserved:          "set sync-mode to active: the syncer archives then what it has observed",
}

// Advice is what an operator can do about a reason, "" for none.
func Advice(reason string) string { return advice[reason] }
