package store

import (
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/lectiospace/lectern/internal/media"
)

// companionView names the kind of a companion by a word of Zoom's recording_type, whose
// spelling is not stable.
type companionView struct {
	word  string
	kind  media.CompanionKind
	label string
}

// companionViews are looked through in this order: "summary" is a part of other names.
var companionViews = []companionView{
	{"smart_chapter", media.CompanionChapters, "Chapters"},
	{"next_step", media.CompanionSummary, "Next steps"},
	{"summary", media.CompanionSummary, "Summary"},
	{"audio_transcript", media.CompanionTranscript, "Transcript"},
	{"closed_caption", media.CompanionCaptions, "Live captions"},
	{"cc_transcript", media.CompanionCaptions, "Live captions"},
	{"chat", media.CompanionChat, "Chat"},
	{"poll", media.CompanionPoll, "Poll"},
	{"timeline", media.CompanionTimeline, "Timeline"},
	{"thumbnail", media.CompanionPoster, "Poster"},
}

// companionTypes name the kind of a companion by Zoom's file_type, where its recording_type
// names none.
var companionTypes = map[string]companionView{
	"TRANSCRIPT":   {kind: media.CompanionTranscript, label: "Transcript"},
	"CC":           {kind: media.CompanionCaptions, label: "Live captions"},
	"CHAT":         {kind: media.CompanionChat, label: "Chat"},
	"CHAT_MESSAGE": {kind: media.CompanionChat, label: "Chat"},
	"TIMELINE":     {kind: media.CompanionTimeline, label: "Timeline"},
	"SUMMARY":      {kind: media.CompanionSummary, label: "Summary"},
	"CSV":          {kind: media.CompanionPoll, label: "Poll"},
	"THUMBNAIL":    {kind: media.CompanionPoster, label: "Poster"},
}

// CompanionKind is what a file is beside a recording that it is no part of, and what people
// call it. A kind that is not known is "other".
func (f File) CompanionKind() (kind media.CompanionKind, label string) {
	readable := strings.ReplaceAll(f.View, "_", " ")
	switch {
	case f.Picture() && !strings.Contains(f.View, "thumbnail"):
		return media.CompanionView, sentence(readable, "Another view")
	case f.Type == "M4A":
		return media.CompanionAudio, sentence(readable, "Sound")
	}
	for _, v := range companionViews {
		if strings.Contains(f.View, v.word) {
			return v.kind, v.label
		}
	}
	if t, ok := companionTypes[f.Type]; ok {
		return t.kind, t.label
	}
	return media.CompanionOther, sentence(readable, sentence(strings.ToLower(strings.ReplaceAll(f.Type, "_", " ")), "File"))
}

// sentence is a text that begins with a capital letter, or another one for an empty text.
func sentence(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	first, size := utf8.DecodeRuneInString(text)
	return clip(string(unicode.ToUpper(first))+text[size:], 100)
}

// companionExtensions are the extensions of files by Zoom's file_type, where Zoom names none.
var companionExtensions = map[string]string{
	"MP4": "mp4", "M4A": "m4a", "TRANSCRIPT": "vtt", "CC": "vtt", "CHAT": "txt", "CHAT_MESSAGE": "txt", "TIMELINE": "json",
	"SUMMARY": "json", "CSV": "csv", "TXT": "txt", "VTT": "vtt", "JSON": "json", "JPG": "jpg", "JPEG": "jpg", "PNG": "png", "THUMBNAIL": "jpg",
}

// contentTypes are the media types of companions by extension. What is not here is served as
// bytes without a meaning: Zoom's host could name a type that a browser would run.
var contentTypes = map[string]string{
	"mp4": "video/mp4", "m4a": "audio/mp4", "vtt": "text/vtt; charset=utf-8", "txt": "text/plain; charset=utf-8", "csv": "text/csv; charset=utf-8",
	"json": "application/json", "jpg": "image/jpeg", "jpeg": "image/jpeg", "png": "image/png",
}

// FileExtension is the extension of a file's name, without a dot: as Zoom says, else as its
// type has it; "bin" for one that is not known.
func (f File) FileExtension() string {
	if _, known := contentTypes[f.Extension]; known {
		return f.Extension
	}
	if e, known := companionExtensions[f.Type]; known {
		return e
	}
	if f.Extension != "" {
		return f.Extension
	}
	return "bin"
}

// ContentType is the media type that a file is served with.
func (f File) ContentType() string {
	if kind, known := contentTypes[f.FileExtension()]; known {
		return kind
	}
	return "application/octet-stream"
}

// KeyExtension is the extension of an archive's key, with the dot, or another for a key
// without one: those of Drive have none.
func KeyExtension(key, otherwise string) string {
	ext := path.Ext(key)
	if len(ext) < 2 || len(ext) > 9 || strings.ContainsRune(ext, ' ') {
		return otherwise
	}
	return ext
}

// Extension is the extension of a file's name, with the dot.
func (f RecordingFile) Extension() string {
	if f.Kind == KindPart {
		return KeyExtension(f.ArchiveKey, ".mp4")
	}
	for _, ext := range []string{"mp4", "m4a", "vtt", "txt", "csv", "json", "jpg", "png"} {
		if contentTypes[ext] == f.ContentType {
			return "." + ext
		}
	}
	return KeyExtension(f.ArchiveKey, ".bin")
}
