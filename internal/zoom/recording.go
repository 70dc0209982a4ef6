package zoom

import (
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

// Meeting is one instance of a meeting with what was recorded of it. ID is used
// again by every instance of a recurring meeting; UUID names this one.
type Meeting struct {
	ID        string // decimal digits
	UUID      string // base64, may hold "/", "+", "="
	HostID    string
	HostEmail string
	AccountID string
	Topic     string
	Start     time.Time // zero when unknown
	End       time.Time // of meeting.ended; else zero
	Duration  time.Duration
	Files     []File // empty for meetings too short to be recorded
	// DownloadToken opens the files; a secret. "" when the answer held none.
	DownloadToken string
}

// check refuses an answer that names no meeting.
func (m *Meeting) check(op string) error {
	if m.UUID == "" && m.ID == "" {
		return &media.Error{Kind: media.Corrupt, Op: op, Reason: ReasonNoList, Err: errors.New("the answer holds no meeting")}
	}
	return nil
}

// Began is when the recording of it began: the earliest segment's start, else the
// meeting's own.
func (m *Meeting) Began() time.Time {
	began := m.Start
	for _, f := range m.Files {
		if !f.Start.IsZero() && (began.IsZero() || f.Start.Before(began)) && f.Media() {
			began = f.Start
		}
	}
	return began
}

// File is one file of a recording.
type File struct {
	ID          string // "" for some kinds (CC, TIMELINE)
	Type        string // upper case: MP4, M4A, TRANSCRIPT, …
	Extension   string // of the file's name, lower case without a dot; "" when unknown
	View        string // recording_type, lower case, without a "(CC)" behind it
	Status      string // completed, processing; "" counts as completed
	Start, End  time.Time
	Size        int64 // bytes, 0 when unknown
	DownloadURL string
}

// Video reports whether the file is moving pictures.
func (f File) Video() bool { return f.Type == "MP4" }

// Audio reports whether it is the sound of the meeting alone.
func (f File) Audio() bool { return f.Type == "M4A" && f.View != "audio_only_each_participant" }

// Media reports whether it can become a lesson.
func (f File) Media() bool { return f.Video() || f.Audio() }

// Transcript reports whether it is captions in WebVTT.
func (f File) Transcript() bool { return f.Type == "TRANSCRIPT" || f.Type == "CC" }

// Ready reports whether Zoom has finished the file.
func (f File) Ready() bool { return f.Status == "" || f.Status == "completed" }

type meetingJSON struct {
	ID            text            `json:"id"`
	UUID          text            `json:"uuid"`
	HostID        text            `json:"host_id"`
	HostEmail     text            `json:"host_email"`
	AccountID     text            `json:"account_id"`
	Topic         text            `json:"topic"`
	Start         moment          `json:"start_time"`
	End           moment          `json:"end_time"`
	Minutes       count           `json:"duration"`
	Files         json.RawMessage `json:"recording_files"`
	DownloadToken text            `json:"download_access_token"`
}

type fileJSON struct {
	ID          text   `json:"id"`
	Type        text   `json:"file_type"`
	Extension   text   `json:"file_extension"`
	View        text   `json:"recording_type"`
	Status      text   `json:"status"`
	Start       moment `json:"recording_start"`
	End         moment `json:"recording_end"`
	Size        count  `json:"file_size"`
	DownloadURL text   `json:"download_url"`
}

// UnmarshalJSON reads a meeting as webhooks and the API write it. Files that
// cannot be read are left out rather than losing the others.
func (m *Meeting) UnmarshalJSON(data []byte) error {
	var in meetingJSON
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	*m = Meeting{
		ID: strings.ReplaceAll(string(in.ID), " ", ""), UUID: string(in.UUID), HostID: string(in.HostID), HostEmail: string(in.HostEmail),
		AccountID: string(in.AccountID), Topic: string(in.Topic), Start: in.Start.Time, End: in.End.Time,
		Duration: in.Minutes.minutes(), DownloadToken: string(in.DownloadToken),
	}
	var files []json.RawMessage
	if json.Unmarshal(in.Files, &files) != nil {
		return nil
	}
	for _, raw := range files {
		var f fileJSON
		if json.Unmarshal(raw, &f) == nil {
			m.Files = append(m.Files, f.file())
		}
	}
	return nil
}

func (f fileJSON) file() File {
	kind := strings.ToUpper(string(f.Type))
	if kind == "" {
		kind = strings.ToUpper(string(f.Extension))
	}
	return File{
		ID: string(f.ID), Type: kind, Extension: extension(string(f.Extension)), View: viewName(string(f.View)), Status: strings.ToLower(string(f.Status)),
		Start: f.Start.Time, End: f.End.Time, Size: int64(f.Size), DownloadURL: withoutSecrets(string(f.DownloadURL)),
	}
}

// extension is a file_extension that can stand in a file's name, else "".
func extension(s string) string {
	s = strings.ToLower(strings.TrimPrefix(strings.TrimSpace(s), "."))
	if len(s) > 8 || strings.ContainsFunc(s, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') }) {
		return ""
	}
	return s
}

// viewName gives a recording_type its one spelling.
func viewName(s string) string {
	s = strings.ToLower(strings.TrimSpace(s))
	s = strings.TrimSuffix(s, "(cc)")
	return strings.TrimSpace(s)
}

// withoutSecrets takes tokens and passcodes out of a link, which is kept.
func withoutSecrets(link string) string {
	u, err := url.Parse(link)
	if err != nil {
		return withoutQuery(link)
	}
	q := u.Query()
	for name := range q {
		switch strings.ToLower(name) {
		case "access_token", "token", "pwd":
			q.Del(name)
		}
	}
	u.RawQuery = q.Encode()
	u.Fragment, u.RawFragment = "", ""
	u.User = nil
	return u.String()
}

// withoutQuery cuts off a link that cannot be parsed what may hold a secret: query, fragment,
// and everything before an @.
func withoutQuery(link string) string {
	if i := strings.IndexAny(link, "?#"); i >= 0 {
		link = link[:i]
	}
	return link[strings.LastIndexByte(link, '@')+1:]
}
