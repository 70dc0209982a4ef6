package media

import "time"

// Grant is a playback grant: a credential for one recording and one user for a limited
// time, for a <video> element, which can neither send a header nor renew a token.
type Grant struct {
	// Token is a secret: it must not reach a log, a metric or an error text.
	Token   string
	Expires time.Time
}

// Caption names a track of captions kept beside a recording.
type Caption struct {
	Lang  string // a language tag as WebVTT's srclang takes it; "und" when unknown
	Label string // for people
}

// Start is the result of counting a start of playback.
type Start struct {
	ID   int64         // the row that counts it; 0 when no new start was counted
	At   time.Time     // when it was counted, or the earlier one that it is part of
	Wait time.Duration // > 0: the limit is reached, for this long
}
