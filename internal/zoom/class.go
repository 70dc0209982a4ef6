package zoom

import "github.com/lectiospace/lectern/internal/media"

// Class says what a caller can do about an error of this package. Nothing that Zoom answers
// is final by itself: files appear late, are recovered from the trash, and get new links.
type Class string

// The classes.
const (
	// ClassPassing: the same request may succeed later.
	ClassPassing Class = "passing"
	// ClassNewLink: the link has expired, or the file host does not know it yet or any more.
	// The caller reads the meeting's recordings again, uses the link and the token that it
	// finds there, and repeats the old one only if there is no other.
	ClassNewLink Class = "new_link"
	// ClassNewToken: the token was refused; another may be accepted.
	ClassNewToken Class = "new_token"
	// ClassAbsent: Zoom says that there is no such recording (3301). It says so of recordings
	// that it lists seconds later, too, and of those in the trash.
	ClassAbsent Class = "absent"
	// ClassRefused: somebody has to change the app, its scopes or a setting.
	ClassRefused Class = "refused"
	// ClassInvalid: the request itself is wrong, or the error is not of this package.
	ClassInvalid Class = "invalid"
)

// reasonClasses classifies every reason. ClassOf falls back on the Kind for errors without
// one.
var reasonClasses = map[string]Class{
	ReasonCredentials:  ClassRefused,
	ReasonScope:        ClassRefused,
	ReasonPermission:   ClassRefused,
	ReasonNoUser:       ClassRefused,
	ReasonHost:         ClassRefused,
	ReasonNoRecording:  ClassAbsent,
	ReasonBadPage:      ClassInvalid,
	ReasonNoList:       ClassPassing,
	ReasonNotAPI:       ClassPassing,
	ReasonRateLimited:  ClassPassing,
	ReasonDailyLimit:   ClassPassing,
	ReasonRange:        ClassPassing,
	ReasonExpiredToken: ClassNewToken,
	ReasonLinkExpired:  ClassNewLink,
	ReasonForbidden:    ClassNewLink,
	ReasonNotReady:     ClassNewLink,
	ReasonPage:         ClassNewLink,
}

// ClassOf is the class of an error.
func ClassOf(err error) Class {
	if class, ok := reasonClasses[ReasonOf(err)]; ok {
		return class
	}
	switch kind := media.KindOf(err); {
	case kind.Passing(), kind == media.Quota, kind == media.NotFound, kind == media.Canceled:
		return ClassPassing
	case kind == media.Denied:
		return ClassRefused
	}
	return ClassInvalid
}
