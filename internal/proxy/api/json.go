package api

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/lectiospace/lectern/internal/library"
	"github.com/lectiospace/lectern/internal/media"
)

// instant is a time as the platform writes it: UTC, six decimals unless they are
// all 0; null for none.
type instant time.Time

// MarshalJSON implements json.Marshaler.
func (i instant) MarshalJSON() ([]byte, error) {
	t := time.Time(i).UTC()
	switch {
	case t.IsZero():
		return []byte("null"), nil
	case t.Nanosecond()/1000 == 0:
		return []byte(t.Format(`"2006-01-02T15:04:05Z"`)), nil
	default:
		return []byte(t.Format(`"2006-01-02T15:04:05.000000Z"`)), nil
	}
}

// decimal is a number with a point, as Python writes a float: 50.0, 1.5.
type decimal float64

// MarshalJSON implements json.Marshaler.
func (d decimal) MarshalJSON() ([]byte, error) {
	text := strconv.FormatFloat(float64(d), 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return []byte(text), nil
}

// rounded keeps some decimals, rounding as Python does: by the exact value.
func rounded(v float64, decimals int) decimal {
	f, err := strconv.ParseFloat(strconv.FormatFloat(v, 'f', decimals, 64), 64)
	if err != nil {
		panic("BUG: a formatted number cannot be read: " + err.Error())
	}
	return decimal(f)
}

// recordingJSON is a recording as the API shows it, in the platform's order. The
// pointers that may be left out are those that a student's list lacks.
type recordingJSON struct {
	ID                int64           `json:"id"`
	Lesson            *int64          `json:"lesson"`
	LessonInfo        *lessonJSON     `json:"lesson_info"`
	Title             string          `json:"title"`
	ZoomRecordingID   *string         `json:"zoom_recording_id,omitempty"`
	FileSize          *int64          `json:"file_size"`
	FileSizeMB        *decimal        `json:"file_size_mb"`
	DurationDisplay   *int64          `json:"duration_display"`
	PlayURL           string          `json:"play_url"`
	DownloadURL       string          `json:"download_url"`
	ThumbnailURL      string          `json:"thumbnail_url"`
	StreamingURL      *string         `json:"streaming_url"`
	UseDirectStream   *bool           `json:"use_direct_stream,omitempty"`
	StorageProvider   string          `json:"storage_provider"`
	GDriveFileID      string          `json:"gdrive_file_id"`
	Status            string          `json:"status"`
	ViewsCount        int64           `json:"views_count"`
	Visibility        string          `json:"visibility"`
	AccessGroups      []library.Named `json:"access_groups"`
	AccessStudents    *[]personJSON   `json:"access_students,omitempty"`
	AvailableUntil    instant         `json:"available_until"`
	AvailableDaysLeft *int64          `json:"available_days_left"`
	CreatedAt         instant         `json:"created_at"`
	UpdatedAt         instant         `json:"updated_at"`
}

type lessonJSON struct {
	ID        int64         `json:"id"`
	Title     string        `json:"title"`
	Subject   string        `json:"subject"`
	Group     string        `json:"group"`
	GroupName string        `json:"group_name"`
	GroupID   int64         `json:"group_id"`
	Teacher   library.Named `json:"teacher"`
	StartTime instant       `json:"start_time"`
	EndTime   instant       `json:"end_time"`
	Date      string        `json:"date"`
}

type personJSON struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Email string `json:"email"`
}

// recording is an entry as the viewer may see it: without other students' names, and
// without links that are not for students.
func (x *request) recording(e library.Entry) recordingJSON {
	now, student := x.h.Now(), x.viewer.User.Role == media.RoleStudent
	url, direct := x.streaming(e)
	out := recordingJSON{
		ID: e.ID, Title: e.OwnTitle, ZoomRecordingID: &e.ZoomID,
		FileSize: e.FileSize, DurationDisplay: minutesOf(e),
		PlayURL: e.PlayURL, DownloadURL: e.DownloadURL, ThumbnailURL: x.thumbnail(e),
		StreamingURL: url, UseDirectStream: &direct,
		StorageProvider: e.Location.Provider, GDriveFileID: e.DriveFile, Status: string(e.Status),
		ViewsCount: e.Views, Visibility: string(e.Visibility), AccessGroups: e.Groups,
		AvailableUntil: instant(e.AvailableUntil), CreatedAt: instant(e.CreatedAt), UpdatedAt: instant(e.UpdatedAt),
	}
	if out.AccessGroups == nil {
		out.AccessGroups = []library.Named{}
	}
	if e.FileSize != nil && *e.FileSize > 0 {
		mb := rounded(float64(*e.FileSize)/(1<<20), 2)
		out.FileSizeMB = &mb
	}
	if !e.AvailableUntil.IsZero() {
		left := int64(max(0, e.AvailableUntil.Sub(now)) / (24 * time.Hour))
		out.AvailableDaysLeft = &left
	}
	if l := e.Lesson; l != nil {
		out.Lesson = &l.ID
		out.LessonInfo = &lessonJSON{
			ID: l.ID, Title: e.Title, Subject: e.Title, Group: l.Group.Name, GroupName: l.Group.Name, GroupID: l.Group.ID,
			Teacher:   library.Named{ID: l.Teacher.ID, Name: l.Teacher.ShortName()},
			StartTime: instant(l.Start), EndTime: instant(l.End), Date: l.Start.UTC().Format(time.DateOnly),
		}
	}
	people := []personJSON{}
	for _, p := range e.Students {
		if !student || p.ID == x.viewer.User.ID {
			people = append(people, personJSON{p.ID, p.FullName(), p.Email})
		}
	}
	out.AccessStudents = &people
	if student {
		out.PlayURL, out.DownloadURL = archiveLink(e, e.PlayURL), archiveLink(e, e.DownloadURL)
	}
	return out
}

// forStudentList leaves out what a student's list lacks.
func (r recordingJSON) forStudentList() recordingJSON {
	r.ZoomRecordingID, r.UseDirectStream, r.AccessStudents = nil, nil, nil
	return r
}

// streaming is the link for a player, nil when there is nothing to play, and whether it
// is the gateway's own stream. Small files on Drive are played from there, as the
// platform does.
func (x *request) streaming(e library.Entry) (url *string, direct bool) {
	if e.Status != media.StatusReady && e.Status != media.StatusArchived {
		return nil, false
	}
	onDrive := e.Location.Provider == media.ProviderDrive && e.DriveFile != ""
	atZoom := e.Location.Provider == media.ProviderZoom && e.DownloadURL != ""
	if e.Location.Key == "" && !atZoom {
		return nil, false
	}
	threshold := x.h.cfg.DirectStreamThreshold
	if onDrive && threshold > 0 && e.Size <= threshold {
		link := media.DriveDownloadURL(e.DriveFile)
		return &link, false
	}
	link := x.h.Links.BaseURL(x.c) + x.h.cfg.StreamBase + "/recordings/" + strconv.FormatInt(e.ID, 10) + "/stream/"
	return &link, true
}

// thumbnail is the platform's link to a picture of the recording, else that to its poster, ""
// where there is none.
func (x *request) thumbnail(e library.Entry) string {
	if e.ThumbnailURL != "" || !e.HasPoster {
		return e.ThumbnailURL
	}
	return x.h.Links.BaseURL(x.c) + x.h.cfg.StreamBase + "/recordings/" + strconv.FormatInt(e.ID, 10) + "/" + media.PosterName
}

// archiveLink is a stored link when it leads into the archive, else "": Zoom's own
// pages, with their passcodes, and files that anybody may read are not for students.
func archiveLink(e library.Entry, link string) string {
	switch {
	case link == "":
		return ""
	case link == e.ArchiveURL:
		return link
	case e.Location.Provider == media.ProviderDrive && e.DriveFile != "" && media.IsDriveURL(link) && strings.Contains(link, e.DriveFile):
		return link
	default:
		return ""
	}
}

// minutesOf is how long a recording is, in minutes begun; where it is not known, how
// long its lesson was planned, in whole ones.
func minutesOf(e library.Entry) *int64 {
	up := func(seconds int64) *int64 { m := (seconds + 59) / 60; return &m }
	if seconds := int64(e.Duration / time.Second); seconds > 0 {
		return up(seconds)
	}
	if !e.Start.IsZero() && !e.End.IsZero() {
		if seconds := int64(e.End.Sub(e.Start) / time.Second); seconds > 0 {
			return up(seconds)
		}
	}
	if e.Lesson != nil {
		m := int64(e.Lesson.End.Sub(e.Lesson.Start) / time.Minute)
		return &m
	}
	return nil
}

// gigabytes is a size with two decimals.
func gigabytes(bytes int64) decimal { return rounded(float64(bytes)/(1<<30), 2) }

// percent is a share with one decimal. Of nothing, all is used.
func percent(used, total int64) decimal {
	if total <= 0 {
		return 100
	}
	return rounded(math.Max(0, float64(used)/float64(total)*100), 1)
}
