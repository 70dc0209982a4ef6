package document

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
)

// document is a catalog as people write it and Export prints it. What a file
// does not mention stays as it is; pointers tell "not mentioned" from "empty".
//
// People are found by e-mail, groups by name (and teacher), lessons by group,
// title and start, recordings by lesson or teacher, title and key; an id, where
// given, goes before all that and is also the id a new row gets.
type document struct {
	People     []personDoc    `yaml:"people,omitempty"`
	Groups     []groupDoc     `yaml:"groups,omitempty"`
	Lessons    []lessonDoc    `yaml:"lessons,omitempty"`
	Recordings []recordingDoc `yaml:"recordings,omitempty"`
}

type personDoc struct {
	ID               int64   `yaml:"id,omitempty"`
	Email            *string `yaml:"email,omitempty"`
	Role             *string `yaml:"role,omitempty"`
	Active           *bool   `yaml:"active,omitempty"`
	FirstName        *string `yaml:"first_name,omitempty"`
	LastName         *string `yaml:"last_name,omitempty"`
	MiddleName       *string `yaml:"middle_name,omitempty"`
	ZoomAccountID    *string `yaml:"zoom_account_id,omitempty"`
	ZoomClientID     *string `yaml:"zoom_client_id,omitempty"`
	ZoomClientSecret *string `yaml:"zoom_client_secret,omitempty"`
	ZoomUserID       *string `yaml:"zoom_user_id,omitempty"`
	DriveFolder      *string `yaml:"gdrive_folder_id,omitempty"`
}

type groupDoc struct {
	ID          int64   `yaml:"id,omitempty"`
	Name        *string `yaml:"name,omitempty"`
	Teacher     *ref    `yaml:"teacher,omitempty"`
	Description *string `yaml:"description,omitempty"`
	Students    *[]ref  `yaml:"students,omitempty"`
}

type lessonDoc struct {
	ID            int64   `yaml:"id,omitempty"`
	Title         *string `yaml:"title,omitempty"`
	Group         *ref    `yaml:"group,omitempty"`
	Teacher       *ref    `yaml:"teacher,omitempty"` // of a new lesson: the group's, unless given
	Start         *moment `yaml:"start,omitempty"`
	End           *moment `yaml:"end,omitempty"`
	Ended         *moment `yaml:"ended,omitempty"`
	ZoomMeetingID *text   `yaml:"zoom_meeting_id,omitempty"`
	Record        *bool   `yaml:"record,omitempty"`
	AvailableDays *int64  `yaml:"available_days,omitempty"` // 0: for ever
	Quick         *bool   `yaml:"quick,omitempty"`
	Notes         *string `yaml:"notes,omitempty"`
}

type recordingDoc struct {
	ID              int64      `yaml:"id,omitempty"`
	Lesson          *ref       `yaml:"lesson,omitempty"`
	Teacher         *ref       `yaml:"teacher,omitempty"` // owner of a recording without lesson
	Title           *string    `yaml:"title,omitempty"`
	Status          *string    `yaml:"status,omitempty"`
	Visibility      *string    `yaml:"visibility,omitempty"`
	Provider        *string    `yaml:"provider,omitempty"`
	Key             *text      `yaml:"key,omitempty"` // path, object key or Drive file id
	DriveFolder     *string    `yaml:"gdrive_folder_id,omitempty"`
	Size            *byteCount `yaml:"size,omitempty"`
	Duration        *seconds   `yaml:"duration,omitempty"`
	Start           *moment    `yaml:"start,omitempty"`
	End             *moment    `yaml:"end,omitempty"`
	AvailableUntil  *moment    `yaml:"available_until,omitempty"` // never: for ever
	AllowedGroups   *[]ref     `yaml:"allowed_groups,omitempty"`
	AllowedStudents *[]ref     `yaml:"allowed_students,omitempty"`
	Type            *string    `yaml:"type,omitempty"`
	ZoomRecordingID *text      `yaml:"zoom_recording_id,omitempty"`
	PlayURL         *string    `yaml:"play_url,omitempty"`
	DownloadURL     *string    `yaml:"download_url,omitempty"`
	ThumbnailURL    *string    `yaml:"thumbnail_url,omitempty"`
	ArchiveURL      *string    `yaml:"archive_url,omitempty"`
	Views           *int64     `yaml:"views,omitempty"`
	Deleted         *bool      `yaml:"deleted,omitempty"`
	DeletedAt       *moment    `yaml:"deleted_at,omitempty"`
	DeletedBy       *ref       `yaml:"deleted_by,omitempty"`
	DeletionReason  *string    `yaml:"deletion_reason,omitempty"`
	Created         *moment    `yaml:"created,omitempty"`
}

// ref names another row: a number is its id, text is its e-mail, name or title.
type ref struct {
	ID   int64
	Name string
}

func (r ref) String() string {
	if r.ID != 0 {
		return strconv.FormatInt(r.ID, 10)
	}
	return strconv.Quote(r.Name)
}

// UnmarshalYAML reads a number or a text.
func (r *ref) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.ScalarNode || n.Value == "" {
		return lineError(n, "an id, or an e-mail, name or title, belongs here")
	}
	if n.Tag == "!!int" {
		id, err := strconv.ParseInt(n.Value, 10, 64)
		if err != nil || id <= 0 {
			return lineError(n, "%s is not an id", n.Value)
		}
		r.ID = id
		return nil
	}
	r.Name = n.Value
	return nil
}

// MarshalYAML writes the name where there is one.
func (r ref) MarshalYAML() (any, error) {
	if r.Name != "" {
		return r.Name, nil
	}
	return r.ID, nil
}

// text is text that often looks like a number, as Zoom's ids do: it is taken as
// it is written, quoted or not.
type text string

// UnmarshalYAML takes the scalar as written.
func (t *text) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.ScalarNode {
		return lineError(n, "a text belongs here")
	}
	*t = text(n.Value)
	return nil
}

// moment is a time in a document; "never" is none.
type moment catalog.DBTime

// UnmarshalYAML reads what catalog.ParseDBTime reads, and never.
func (m *moment) UnmarshalYAML(n *yaml.Node) error {
	if n.Value == "never" {
		*m = moment{}
		return nil
	}
	s, err := catalog.ParseDBTime(n.Value)
	if err != nil || n.Kind != yaml.ScalarNode {
		return lineError(n, "%q is not a time: write it as 2026-11-20T10:00:00Z", n.Value)
	}
	*m = moment(s)
	return nil
}

// MarshalYAML writes RFC 3339 without quotes.
func (m moment) MarshalYAML() (any, error) {
	if m.IsZero() {
		return "never", nil
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!timestamp", Value: catalog.DBTime(m).String()}, nil
}

// byteCount is a number of bytes, also written as 64MiB.
type byteCount int64

// UnmarshalYAML reads bytes with or without a unit.
func (b *byteCount) UnmarshalYAML(n *yaml.Node) error {
	var size media.Size
	if err := size.UnmarshalText([]byte(n.Value)); err != nil || n.Kind != yaml.ScalarNode {
		return lineError(n, "%q is not a size: give bytes or a unit, as 64MiB", n.Value)
	}
	*b = byteCount(size)
	return nil
}

// seconds is a length in whole seconds, also written as 1h30m.
type seconds int64

// maxSeconds is what the platform's integer column holds.
const maxSeconds = 1<<31 - 1

// UnmarshalYAML reads a number of seconds or a Go duration.
func (s *seconds) UnmarshalYAML(n *yaml.Node) error {
	d, err := time.ParseDuration(n.Value)
	if number, numberErr := strconv.ParseInt(n.Value, 10, 64); numberErr == nil {
		*s, err = seconds(number), nil
	} else if err == nil {
		*s = seconds(d / time.Second)
	}
	if err != nil || n.Kind != yaml.ScalarNode || *s < 0 || *s > maxSeconds {
		return lineError(n, "%q is not a length: give seconds, or as 1h30m", n.Value)
	}
	return nil
}

// MarshalYAML writes a duration.
func (s seconds) MarshalYAML() (any, error) {
	return (time.Duration(s) * time.Second).String(), nil
}

func lineError(n *yaml.Node, format string, args ...any) error {
	return fmt.Errorf("line %d: "+format, append([]any{n.Line}, args...)...)
}

// unknownField is how yaml words a key that the struct has not.
var unknownField = regexp.MustCompile(`field (\S+) not found in type document\.(\w+?)(Doc|ument)`)

// readDocument reads one YAML document. Unknown keys are errors. All errors are
// of Kind Invalid and name the line.
func readDocument(r io.Reader) (document, error) {
	const op = "document: read"
	var doc document
	dec := yaml.NewDecoder(r)
	dec.KnownFields(true)
	err := dec.Decode(&doc)
	var wrong *yaml.TypeError
	switch {
	case errors.Is(err, io.EOF): // an empty file asks for nothing
		return document{}, nil
	case errors.As(err, &wrong):
		lines := strings.Join(wrong.Errors, "; ")
		lines = unknownField.ReplaceAllStringFunc(lines, func(in string) string {
			m := unknownField.FindStringSubmatch(in)
			if m[3] == "ument" {
				return fmt.Sprintf("unknown key %q (the document has people, groups, lessons, recordings)", m[1])
			}
			return fmt.Sprintf("a %s has no key %q", m[2], m[1])
		})
		return document{}, media.Faultf(media.Invalid, op, "%s", lines)
	case err != nil:
		return document{}, media.Fault(media.Invalid, op, err)
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return document{}, media.Faultf(media.Invalid, op, "there is a second document in the file")
	}
	return doc, nil
}
