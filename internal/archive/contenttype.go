package archive

import (
	"path"
	"strings"
)

// contentTypes are those of what a syncer archives; the system's own table differs by machine.
var contentTypes = map[string]string{
	".mp4": "video/mp4", ".m4a": "audio/mp4", ".vtt": "text/vtt", ".txt": "text/plain; charset=utf-8", ".json": "application/json",
	".csv": "text/csv; charset=utf-8", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png",
}

// ContentType is the media type of an item by its name for people, else by its key.
func (i Item) ContentType() string {
	for _, name := range []string{i.Name, i.Key} {
		if kind, ok := contentTypes[strings.ToLower(path.Ext(name))]; ok {
			return kind
		}
	}
	return "application/octet-stream"
}
