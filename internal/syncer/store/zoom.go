package store

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/lectiospace/lectern/internal/zoom"
)

// StatusCompleted is the status of a file that Zoom has finished.
const StatusCompleted = "completed"

// videoExtras are videos that are no view of the lesson, soundExtras sound that is
// not the lesson's.
var (
	videoExtras = []string{"sign_interpretation", "host_video", "thumbnail"}
	soundExtras = []string{"audio_only_each_participant", "audio_interpretation"}
)

// Picture reports whether a file is a video of any view.
func (f File) Picture() bool { return f.Type == "MP4" }

// Media reports whether a file is video or sound of any kind.
func (f File) Media() bool { return f.Picture() || f.Type == "M4A" }

// LessonVideo reports whether a file is a view of the lesson.
func (f File) LessonVideo() bool { return f.Picture() && !slices.Contains(videoExtras, f.View) }

// LessonSound reports whether a file is the sound of the whole lesson.
func (f File) LessonSound() bool {
	return f.Type == "M4A" && !slices.Contains(soundExtras, f.View)
}

// MixedSound reports whether a file is the one soundtrack that Zoom mixes of a
// meeting.
func (f File) MixedSound() bool { return f.Type == "M4A" && f.View == "audio_only" }

// Transcript reports whether a file is what was said, as text.
func (f File) Transcript() bool { return f.Type == "TRANSCRIPT" }

// LiveCaptions reports whether a file is what was written along during the meeting.
func (f File) LiveCaptions() bool { return f.Type == "CC" }

// Completed reports whether Zoom has finished a file.
func (f File) Completed() bool { return f.Status == "" || f.Status == StatusCompleted }

// Name is how an ingest names a file among its parts: meeting uuid, "/", file id.
func (f File) Name() string { return f.MeetingUUID + "/" + f.ID }

// LeftZoom reports whether Zoom no longer has the file: it was trashed by us, or by
// others, or is not listed.
func (f File) LeftZoom() bool {
	return !f.TrashedAt.IsZero() || !f.GoneAt.IsZero() || !f.UnlistedAt.IsZero()
}

// Changed reports whether Zoom lists another version of an archived file than the one that
// was archived, by its size.
func (f File) Changed() bool {
	return !f.ArchivedAt.IsZero() && !f.LeftZoom() && f.Size != 0 && f.ArchivedSize != 0 && f.Size != f.ArchivedSize
}

// LostUnarchived reports whether an event said that others removed the file at Zoom
// before it was part of the verified archive.
func (f File) LostUnarchived() bool { return f.ArchivedAt.IsZero() && !f.GoneAt.IsZero() }

// HasMedia reports whether something of a meeting can be archived.
func (m Meeting) HasMedia() bool { return slices.ContainsFunc(m.Files, File.Media) }

// Archived reports whether something of a meeting was part of a verified archive.
func (m Meeting) Archived() bool {
	return slices.ContainsFunc(m.Files, func(f File) bool { return !f.ArchivedAt.IsZero() })
}

// Began is when a meeting's recording began: the earliest start of its media files. The
// meeting's own start, which may be long before somebody pressed record, counts where
// no file has one; zero when nobody says.
func (m Meeting) Began() time.Time {
	var at time.Time
	for _, f := range m.Files {
		if !f.Start.IsZero() && f.Media() && (at.IsZero() || f.Start.Before(at)) {
			at = f.Start
		}
	}
	if at.IsZero() {
		return m.Start
	}
	return at
}

// Title is the meeting's topic in one line, without invisible characters; without a
// topic it says when the recording began.
func (m Meeting) Title() string {
	topic := strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r), r >= 0x202A && r <= 0x202E, r >= 0x2066 && r <= 0x2069, r == 0xFEFF, r == unicode.ReplacementChar:
			return -1
		default:
			return r
		}
	}, m.Topic)
	if topic = clip(strings.Join(strings.Fields(topic), " "), 255); topic != "" {
		return topic
	}
	return "Zoom " + m.Began().UTC().Format("2006-01-02 15:04 UTC")
}

// MeetingFromZoom is what Zoom says of a meeting, as the store keeps it. teacher is
// through whose credentials it is reached, 0 when that is not known.
func MeetingFromZoom(m zoom.Meeting, teacher int64, sealedToken string) Meeting {
	out := Meeting{
		UUID: m.UUID, AccountID: m.AccountID, MeetingID: m.ID, HostID: m.HostID, TeacherID: teacher,
		Topic: m.Topic, Start: m.Start, Duration: m.Duration, SealedToken: sealedToken,
	}
	ids := fileIDs(m.Files)
	for i, f := range m.Files {
		status := f.Status
		if status == "" {
			status = StatusCompleted
		}
		out.Files = append(out.Files, File{MeetingUUID: m.UUID, ID: ids[i], Type: f.Type, View: f.View, Extension: f.Extension, Status: status, Start: f.Start, End: f.End, Size: f.Size, DownloadURL: f.DownloadURL})
	}
	return out
}

// madeIDMark stands between the type and the start in an id that Zoom did not give. No id
// of Zoom's holds one.
const madeIDMark = "@"

// fileIDs are the ids of a meeting's files. Zoom gives none to captions and timelines; theirs
// are made of type and start. Where several have the same, those that differ in view,
// extension or end are told apart by these, and have the same id in whatever order Zoom lists
// them; the others by their order alone. Addresses of downloads differ between events and
// lists, and tell nothing apart.
func fileIDs(files []zoom.File) []string {
	traits := map[string]map[string]bool{} // of the files that have the same made id
	for _, f := range files {
		if f.ID == "" {
			id := madeID(f)
			if traits[id] == nil {
				traits[id] = map[string]bool{}
			}
			traits[id][traitsOf(f)] = true
		}
	}
	out := make([]string, len(files))
	times := map[string]int{}
	for i, f := range files {
		id := f.ID
		if id == "" {
			id = madeID(f)
			if len(traits[id]) > 1 {
				id += madeIDMark + traitsOf(f)
			}
			if times[id]++; times[id] > 1 {
				id += madeIDMark + strconv.Itoa(times[id])
			}
		}
		out[i] = id
	}
	return out
}

func madeID(f zoom.File) string { return f.Type + madeIDMark + second(f.Start) }

// second is a time as ids have it, "" for none.
func second(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format(time.RFC3339)
}

// traitsOf is a short digest of what Zoom says the same of a file in each of its lists.
func traitsOf(f zoom.File) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{f.View, f.Extension, second(f.End)}, "\n")))
	return hex.EncodeToString(sum[:4])
}

// HasMadeID reports whether Zoom does not know the file by its ID.
func (f File) HasMadeID() bool { return strings.Contains(f.ID, madeIDMark) }

// ZoomAccount is the teacher's own Zoom app.
func (t Teacher) ZoomAccount() zoom.Account {
	return zoom.Account{ID: t.AccountID, ClientID: t.ClientID, ClientSecret: t.ClientSecret, UserID: t.ZoomUserID}.Trimmed()
}
