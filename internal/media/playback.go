package media

import "time"

// Grant is a credential that opens one recording to one user for a while: what a
// <video>, which can send no header and renew nothing, plays with.
type Grant struct {
	// Token is a secret: it must not reach a log, a metric or an error text.
	Token   string
	Expires time.Time
}

// Caption names a track of captions kept beside a recording.
type Caption struct {
	Lang  string // a language tag as WebVTT's srclang takes it; "und" when nobody said
	Label string // for people
}

// Start is what the catalog says of a start of playback that was to be counted.
type Start struct {
	ID   int64         // the row that counts it; 0 when nothing new was counted
	At   time.Time     // when it, or the earlier one it goes with, was counted
	Wait time.Duration // > 0: the limit is reached, for this long
}
