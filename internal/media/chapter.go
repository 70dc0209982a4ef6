package media

import "time"

// Chapter is a chapter of a recording, which lasts until the next one begins.
type Chapter struct {
	Start time.Duration
	Title string // in one line, not empty
}
