// Package contenttype decides as which media type a recording is served.
package contenttype

import (
	"mime"
	"strings"

	"github.com/lectiospace/lectern/internal/media"
)

// fallback is the type of a recording whose origin gives none that is usable.
const fallback = "video/mp4"

// Of is the Content-Type of an object. Only video and audio types are passed on:
// generic types keep players from playing, and a browser would run anything else,
// text/html above all, under the gateway's name.
func Of(obj media.Object) string {
	if obj.ContentType == fallback {
		return fallback
	}
	kind, params, err := mime.ParseMediaType(obj.ContentType)
	if err != nil || !strings.HasPrefix(kind, "video/") && !strings.HasPrefix(kind, "audio/") {
		return fallback
	}
	if t := mime.FormatMediaType(kind, params); t != "" {
		return t
	}
	return fallback
}

// Extension is the file extension by which players and file managers know a type,
// with its dot.
func Extension(contentType string) string {
	kind, _, _ := strings.Cut(contentType, ";")
	switch kind {
	case "video/webm", "audio/webm":
		return ".webm"
	case "video/quicktime":
		return ".mov"
	case "video/x-matroska":
		return ".mkv"
	case "audio/mp4", "audio/x-m4a":
		return ".m4a"
	case "audio/mpeg":
		return ".mp3"
	case "audio/ogg", "video/ogg":
		return ".ogg"
	case "text/vtt":
		return ".vtt"
	case "text/plain":
		return ".txt"
	case "text/csv":
		return ".csv"
	case "application/json":
		return ".json"
	case "image/jpeg":
		return ".jpg"
	case "image/png":
		return ".png"
	case "application/octet-stream":
		return ".bin"
	default:
		return ".mp4"
	}
}
