package zoom

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
)

// Names of the events that change something here.
const (
	EventValidation          = "endpoint.url_validation"
	EventCompleted           = "recording.completed"
	EventTranscriptCompleted = "recording.transcript_completed"
	EventTrashed             = "recording.trashed"
	EventDeleted             = "recording.deleted"
	EventRecovered           = "recording.recovered"
	EventBatchTrashed        = "recording.batch_trashed"
	EventBatchDeleted        = "recording.batch_deleted"
	EventBatchRecovered      = "recording.batch_recovered"
	EventMeetingEnded        = "meeting.ended"
)

var handled = []string{
	EventCompleted, EventTranscriptCompleted, EventTrashed, EventDeleted, EventRecovered,
	EventBatchTrashed, EventBatchDeleted, EventBatchRecovered, EventMeetingEnded,
}

// HandledEvents are the names of the events that change something here.
func HandledEvents() []string { return slices.Clone(handled) }

// Handled reports whether an event of that name changes something here.
func Handled(name string) bool { return slices.Contains(handled, name) }

// Event is a webhook's body.
type Event struct {
	Name      string
	Time      int64 // event_ts, milliseconds since 1970; 0 when missing
	AccountID string
	// Meeting is the object of recording and meeting events.
	Meeting Meeting
	// UUIDs are the meetings a batch names.
	UUIDs []string
	// PlainToken is a URL validation's; "" when it is missing or no string.
	PlainToken string
}

// ErrNotObject says that a body is no JSON object.
var ErrNotObject = errors.New("the body is not a JSON object")

type eventJSON struct {
	Name    text            `json:"event"`
	Time    count           `json:"event_ts"`
	Token   text            `json:"download_token"`
	Payload json.RawMessage `json:"payload"`
}

type payloadJSON struct {
	AccountID  text            `json:"account_id"`
	PlainToken json.RawMessage `json:"plainToken"`
	Object     json.RawMessage `json:"object"`
}

type batchJSON struct {
	UUIDs    []text `json:"meeting_uuids"`
	Meetings []struct {
		UUID text `json:"meeting_uuid"`
	} `json:"meetings"`
}

// ParseEvent reads a body whose signature has been checked. Only a body that is
// no JSON object is an error; whatever is missing or odd inside stays empty.
func ParseEvent(body []byte) (Event, error) {
	var in eventJSON
	if trimmed := bytes.TrimSpace(body); len(trimmed) == 0 || trimmed[0] != '{' || json.Unmarshal(body, &in) != nil {
		return Event{}, ErrNotObject
	}
	e := Event{Name: string(in.Name), Time: int64(in.Time)}
	var payload payloadJSON
	if json.Unmarshal(in.Payload, &payload) != nil {
		return e, nil
	}
	e.AccountID = string(payload.AccountID)
	// Other fields are read leniently. Of this one a signature is made: a number or null
	// is no token, and nothing is taken out of a string.
	if json.Unmarshal(payload.PlainToken, &e.PlainToken) != nil {
		e.PlainToken = ""
	}
	if json.Unmarshal(payload.Object, &e.Meeting) != nil {
		e.Meeting = Meeting{}
	}
	if e.Meeting.AccountID == "" {
		e.Meeting.AccountID = e.AccountID
	}
	e.Meeting.DownloadToken = string(in.Token)
	var batch batchJSON
	if json.Unmarshal(payload.Object, &batch) == nil {
		for _, u := range batch.UUIDs {
			e.UUIDs = append(e.UUIDs, string(u))
		}
		for _, m := range batch.Meetings {
			e.UUIDs = append(e.UUIDs, string(m.UUID))
		}
	}
	return e, nil
}

// Identity is the same for two deliveries of one event, whatever their times, links and
// tokens. It is made of name, account, meetings and files, or of the event's own time where
// it names no files.
func (e Event) Identity() string {
	uuids := slices.Clone(e.UUIDs)
	if e.Meeting.UUID != "" {
		uuids = append(uuids, e.Meeting.UUID)
	}
	var files []string
	for _, f := range e.Meeting.Files {
		if f.ID != "" {
			files = append(files, f.ID)
		}
	}
	slices.Sort(uuids)
	slices.Sort(files)
	files = slices.Compact(files)
	parts := append([]string{e.Name, e.AccountID, strconv.Itoa(len(uuids))}, uuids...)
	if len(files) > 0 {
		parts = append(parts, files...)
	} else {
		parts = append(parts, "at", strconv.FormatInt(e.Time, 10))
	}
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:])
}

// secretKeys are members that are never stored, at any depth.
var secretKeys = []string{"download_token", "download_access_token", "password", "recording_play_passcode", "access_token"}

// Scrub is a body without its tokens and passcodes, for storing.
func Scrub(body []byte) []byte {
	var v any
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return []byte("{}")
	}
	out, err := json.Marshal(scrubbed(v))
	if err != nil {
		return []byte("{}")
	}
	return out
}

func scrubbed(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			if slices.Contains(secretKeys, strings.ToLower(key)) {
				delete(v, key)
				continue
			}
			if s, ok := value.(string); ok && strings.HasSuffix(strings.ToLower(key), "_url") {
				v[key] = withoutSecrets(s)
				continue
			}
			v[key] = scrubbed(value)
		}
		return v
	case []any:
		for i := range v {
			v[i] = scrubbed(v[i])
		}
		return v
	default:
		return v
	}
}
