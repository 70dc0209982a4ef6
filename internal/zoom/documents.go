package zoom

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/lectiospace/lectern/internal/media"
)

// The documents of a meeting have no published schema, and their shapes change. What is known
// of them is read; the rest is passed over. An error says that nothing of a document could be
// read.

// MaxDocument is the size in bytes up to which a document is read.
const MaxDocument = 8 << 20

// Message is a message of a meeting's chat.
type Message struct {
	At   time.Duration // since the recording began
	From string        // "" when the file names nobody
	Text string        // may have several lines
}

// Turn is a moment of a timeline: who speaks from then on.
type Turn struct {
	At       time.Duration
	Speakers []string
}

// Summary is what Zoom's assistant has made of a meeting.
type Summary struct {
	Overview  string
	Sections  []Section
	NextSteps []string
}

// Section is a part of a summary.
type Section struct{ Title, Text string }

var (
	errTooLarge = fmt.Errorf("the document is larger than %d MiB", MaxDocument>>20)
	errNoChat   = errors.New("the chat has no message with a time")
)

// object is a JSON object that is read leniently.
type object map[string]json.RawMessage

// first is the first of several members that is there and not null.
func (o object) first(names ...string) json.RawMessage {
	for _, name := range names {
		if v, ok := o[name]; ok && !bytes.Equal(bytes.TrimSpace(v), []byte("null")) {
			return v
		}
	}
	return nil
}

// text is the text of the first member that has one.
func (o object) text(names ...string) string {
	for _, name := range names {
		var s text
		if v, ok := o[name]; ok && s.UnmarshalJSON(v) == nil && strings.TrimSpace(string(s)) != "" {
			return strings.TrimSpace(string(s))
		}
	}
	return ""
}

// parseObject reads a document that is a JSON object, or a list, which becomes the member
// "".
func parseObject(data []byte) (object, error) {
	if len(data) > MaxDocument {
		return nil, errTooLarge
	}
	data = bytes.TrimSpace(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")))
	if len(data) > 0 && data[0] == '[' {
		if !json.Valid(data) {
			return nil, errors.New("the document is not JSON")
		}
		return object{"": data}, nil
	}
	var o object
	if err := json.Unmarshal(data, &o); err != nil || o == nil {
		return nil, errors.New("the document is not a JSON object")
	}
	return o, nil
}

// list are the objects of a list; a text in it becomes the member "text".
func list(raw json.RawMessage) (out []object) {
	var items []json.RawMessage
	if json.Unmarshal(raw, &items) != nil {
		return nil
	}
	for _, item := range items {
		var o object
		if json.Unmarshal(item, &o) == nil && o != nil {
			out = append(out, o)
			continue
		}
		var s string
		if json.Unmarshal(item, &s) == nil {
			out = append(out, object{"text": item})
		}
	}
	return out
}

// maxTitle is the length of a chapter's title, in code points.
const maxTitle = 200

// ParseChapters reads smart chapters, in the order of time, one for each moment. Chapters
// without a title or a time are left out.
func ParseChapters(data []byte) ([]media.Chapter, error) {
	doc, err := parseObject(data)
	if err != nil {
		return nil, err
	}
	raw := doc.first("smart_chapters", "chapters", "items", "")
	if raw == nil {
		return nil, errors.New("the document has no smart_chapters")
	}
	var out []media.Chapter
	for _, item := range list(raw) {
		title := oneLine(item.text("title", "name", "label", "text"))
		if letters := []rune(title); len(letters) > maxTitle {
			title = string(letters[:maxTitle])
		}
		at, ok := clock(item.text("start_time", "start", "ts", "time"))
		if title != "" && ok {
			out = append(out, media.Chapter{Start: at, Title: title})
		}
	}
	slices.SortStableFunc(out, func(a, b media.Chapter) int { return int(min(max(a.Start-b.Start, -1), 1)) })
	out = slices.CompactFunc(out, func(a, b media.Chapter) bool { return a.Start == b.Start })
	if len(out) == 0 && len(list(raw)) > 0 {
		return nil, errors.New("no chapter has a title and a time")
	}
	return out, nil
}

// ParseTimeline reads who spoke when.
func ParseTimeline(data []byte) ([]Turn, error) {
	doc, err := parseObject(data)
	if err != nil {
		return nil, err
	}
	raw := doc.first("timeline", "timelines", "")
	if raw == nil {
		return nil, errors.New("the document has no timeline")
	}
	var out []Turn
	for _, item := range list(raw) {
		at, ok := clock(item.text("ts", "time", "start_time"))
		if !ok {
			continue
		}
		turn := Turn{At: at}
		for _, u := range list(item.first("users", "speakers")) {
			if name := oneLine(u.text("username", "name", "text")); name != "" {
				turn.Speakers = append(turn.Speakers, name)
			}
		}
		out = append(out, turn)
	}
	if len(out) == 0 && len(list(raw)) > 0 {
		return nil, errors.New("nothing in the timeline has a time")
	}
	return out, nil
}

// ParseSummary reads a summary, or the next steps, which come as a document of their own.
func ParseSummary(data []byte) (Summary, error) {
	doc, err := parseObject(data)
	if err != nil {
		return Summary{}, err
	}
	for _, name := range []string{"summary", "meeting_summary", "data"} { // wrapped, in some answers
		var inner object
		if v, ok := doc[name]; ok && json.Unmarshal(v, &inner) == nil && inner != nil {
			doc = inner
		}
	}
	out := Summary{Overview: doc.text("overall_summary", "summary_overview", "overview", "summary", "text")}
	for _, item := range list(doc.first("items", "summary_details", "sections", "")) {
		s := Section{oneLine(item.text("label", "title", "heading")), item.text("summary", "text", "content")}
		if s != (Section{}) {
			out.Sections = append(out.Sections, s)
		}
	}
	for _, item := range list(doc.first("next_steps", "action_items")) {
		if step := oneLine(item.text("text", "title", "summary", "content")); step != "" {
			out.NextSteps = append(out.NextSteps, step)
		}
	}
	if out.Overview == "" && len(out.Sections) == 0 && len(out.NextSteps) == 0 {
		return out, errors.New("the document has neither a summary nor next steps")
	}
	return out, nil
}

// ParseChat reads a chat: lines of a time, a tab, a name with a colon, a tab and the message,
// whose further lines have no time; or JSON. An empty chat has no messages.
func ParseChat(data []byte) ([]Message, error) {
	if len(data) > MaxDocument {
		return nil, errTooLarge
	}
	body := bytes.TrimSpace(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")))
	if len(body) > 0 && (body[0] == '{' || body[0] == '[') && json.Valid(body) {
		return parseChatJSON(body)
	}
	var out []Message
	for line := range strings.Lines(strings.ToValidUTF8(string(body), "")) {
		line = strings.TrimRight(line, "\r\n")
		moment, rest, _ := strings.Cut(line, "\t")
		if at, ok := clock(moment); ok && moment != line {
			from, message, named := strings.Cut(rest, "\t")
			if !named {
				from, message = "", rest
			}
			out = append(out, Message{at, oneLine(strings.TrimSuffix(strings.TrimSpace(from), ":")), printableText(message)})
			continue
		}
		if len(out) > 0 {
			out[len(out)-1].Text += "\n" + printableText(line)
		}
	}
	if len(out) == 0 && len(body) > 0 {
		return nil, errNoChat
	}
	return out, nil
}

func parseChatJSON(data []byte) ([]Message, error) {
	doc, err := parseObject(data)
	if err != nil {
		return nil, err
	}
	raw := doc.first("messages", "chat_messages", "chat", "")
	if raw == nil {
		return nil, errors.New("the document has no messages")
	}
	var out []Message
	for _, item := range list(raw) {
		at, ok := clock(item.text("time", "ts", "timestamp", "date_time"))
		if message := item.text("message", "text", "content"); ok && message != "" {
			out = append(out, Message{at, oneLine(item.text("sender", "sender_name", "from", "name")), printableText(message)})
		}
	}
	if len(out) == 0 && len(list(raw)) > 0 {
		return nil, errNoChat
	}
	return out, nil
}

// maxClock is the longest moment that is believed: no meeting lasts longer.
const maxClock = 48 * time.Hour

// clock reads a moment of a recording: "00:12:30.000", "12:30", "12:30,5", or seconds.
func clock(s string) (time.Duration, bool) {
	s = strings.ReplaceAll(strings.TrimSpace(s), ",", ".")
	fields := strings.Split(s, ":")
	if s == "" || len(fields) > 3 {
		return 0, false
	}
	seconds := 0.0
	for i, field := range fields {
		last := i == len(fields)-1
		if field == "" || strings.ContainsFunc(field, func(r rune) bool { return (r < '0' || r > '9') && !(last && r == '.') }) {
			return 0, false
		}
		n, err := strconv.ParseFloat(field, 64)
		if err != nil || i > 0 && n >= 60 {
			return 0, false
		}
		seconds = seconds*60 + n
	}
	if seconds > maxClock.Seconds() {
		return 0, false
	}
	return time.Duration(seconds * float64(time.Second)).Round(time.Millisecond), true
}

// oneLine is a text in one line without invisible characters, of at most 500 code points.
func oneLine(s string) string {
	s = strings.Join(strings.Fields(printableText(s)), " ")
	if runes := []rune(s); len(runes) > 500 {
		s = strings.TrimSpace(string(runes[:500]))
	}
	return s
}

// printableText is a text without control characters and without marks that turn the direction of
// writing.
func printableText(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return r
		case unicode.IsControl(r), r >= 0x202A && r <= 0x202E, r >= 0x2066 && r <= 0x2069, r == 0xFEFF:
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
}
