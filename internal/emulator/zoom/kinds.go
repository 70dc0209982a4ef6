package zoom

import (
	"time"

	"github.com/lectiospace/lectern/internal/emulator"
)

// EveryKind are files of a meeting beside its recording, one of each kind that Zoom lists,
// and two of kinds that nobody knows. video and sound are what the other views and the
// soundtrack hold.
func EveryKind(start, end time.Time, video, sound emulator.Content) []File {
	file := func(id, kind, view, extension, contentType, content string) File {
		return File{ID: id, Type: kind, View: view, Extension: extension, ContentType: contentType, Start: start, End: end, Content: emulator.Bytes([]byte(content))}
	}
	const json, text = "application/json;charset=UTF-8", "text/plain"
	files := []File{
		file("transcript", "TRANSCRIPT", "audio_transcript", "VTT", "text/vtt", "WEBVTT\n\n1\n00:00:00.500 --> 00:00:01.500\nAnna: Good morning\n"),
		file("cc", "CC", "closed_caption", "VTT", "text/vtt", "WEBVTT\n\n00:00:00.500 --> 00:00:01.500\ngood morning\n"),
		file("chat", "CHAT", "chat_file", "TXT", text, "00:00:01\tAnna:\tGood morning\n00:00:02\tBoris:\tHello\r\n\tis this recorded?\n"),
		file("messages", "CHAT_MESSAGE", "chat_message", "JSON", json, `{"messages": [{"time": "00:00:01", "sender": "Anna", "message": "Good morning"}]}`),
		file("timeline", "TIMELINE", "timeline", "JSON", json, `{"timeline": [{"ts": "00:00:00.500", "users": [{"username": "Anna", "multiple_people": false}]}]}`),
		file("summary", "SUMMARY", "summary", "JSON", json, `{"overall_summary": "Two terms were multiplied.", "items": [{"label": "Products", "summary": "Of two terms."}]}`),
		file("steps", "SUMMARY", "summary_next_steps", "JSON", json, `{"next_steps": ["Exercise 7"]}`),
		file("chapters", "SUMMARY", "summary_smart_chapters", "JSON", json, `{"smart_chapters": [{"title": "Greeting", "start_time": "00:00:00.000"}, {"title": "Products", "start_time": "00:00:01.000"}]}`),
		file("poll", "CSV", "poll", "CSV", "text/csv", "#,User Name,Answer\n1,Boris,7\n"),
		file("thumbnail", "THUMBNAIL", "thumbnail", "JPG", "image/jpeg", "\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00\xff\xd9"),
		file("assistant", "AIC_CONVERSATION", "aic_conversation", "JSON", json, `{"conversation": []}`),
		file("unheard-of", "WHITEBOARD_EXPORT", "whiteboard_export", "WBD", "application/octet-stream", "\x00\x01\x02 a kind of the future"),
	}
	for _, view := range []string{"gallery_view", "active_speaker", "shared_screen"} {
		files = append(files, File{ID: view, Type: "MP4", View: view, Start: start, End: end, Content: video})
	}
	return append(files,
		File{ID: "sound", Type: "M4A", View: "audio_only", Start: start, End: end, Content: sound, ContentType: "audio/mp4"},
		File{ID: "each", Type: "M4A", View: "audio_only_each_participant", Start: start, End: end, Content: sound, ContentType: "audio/mp4"},
	)
}
