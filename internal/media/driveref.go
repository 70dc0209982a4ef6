package media

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// DriveRef names a file or folder of Google Drive.
type DriveRef struct {
	ID string
	// ResourceKey belongs to items shared by link before September 2021: without it they
	// are not found. "" when there is none.
	// https://developers.google.com/workspace/drive/api/guides/resource-keys
	ResourceKey string
}

// String is the reference as one string, which ParseDriveRef reads again.
func (r DriveRef) String() string {
	if r.ResourceKey == "" {
		return r.ID
	}
	return r.ID + resourceKeyParam + r.ResourceKey
}

const resourceKeyParam = "?resourcekey="

// driveToken is the form of ids and resource keys. Nothing else may reach the path or the
// header of a request.
var driveToken = regexp.MustCompile(`^[A-Za-z0-9_-]{1,200}$`)

// driveHosts serve links to files and folders.
var driveHosts = []string{"drive.google.com", "docs.google.com", "drive.usercontent.google.com", "www.googleapis.com", "content.googleapis.com"}

// ParseDriveRef reads what people paste where an id is wanted: an id, or a link of any form
// that Drive shows (/file/d/ID/view, /open?id=ID, /uc?export=download&id=ID,
// /drive/folders/ID, /drive/u/0/folders/ID), with or without resourcekey, with blanks,
// quotes or invisible characters around it. The error has Kind Invalid and does not quote
// the text, since anybody with the link may read the file.
func ParseDriveRef(text string) (DriveRef, error) {
	text = trimPasted(text)
	if id, key, _ := strings.Cut(text, resourceKeyParam); driveToken.MatchString(id) {
		return driveRef(id, key)
	}
	link, err := driveLink(text)
	if err != nil {
		return DriveRef{}, err
	}
	query := link.Query()
	id := query.Get("id")
	if id == "" {
		id = idInPath(link.EscapedPath()) // escaped: an encoded slash parts nothing
	}
	if id == "" {
		id = idInPath(link.Fragment) // /drive/#folders/ID, as Drive wrote it for years
	}
	return driveRef(id, query.Get("resourcekey"))
}

func driveRef(id, key string) (DriveRef, error) {
	switch {
	case !driveToken.MatchString(id):
		return DriveRef{}, Faultf(Invalid, "drive: id", "the link holds no id of a file or folder of Google Drive")
	case key != "" && !driveToken.MatchString(key):
		return DriveRef{}, Faultf(Invalid, "drive: id", "the resource key has characters that no resource key has")
	}
	return DriveRef{ID: id, ResourceKey: key}, nil
}

// trimPasted removes blanks, quotes and angle brackets around a text, and invisible
// characters anywhere: zero-width ones come along when a link is copied from a page.
func trimPasted(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Cf, r) || unicode.IsControl(r) && !unicode.IsSpace(r) {
			return -1
		}
		return r
	}, text)
	text = strings.TrimFunc(text, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(`"'<>`+"`", r) })
	return strings.ReplaceAll(text, "&amp;", "&")
}

// driveLink parses a link to a host of Drive, also without its scheme, or wrapped in
// Google's redirect as mails have it.
func driveLink(text string) (*url.URL, error) {
	invalid := Faultf(Invalid, "drive: id", "neither an id nor a link of Google Drive")
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	link, err := url.Parse(text)
	if err != nil || link.Scheme != "https" && link.Scheme != "http" {
		return nil, invalid
	}
	host := strings.ToLower(link.Hostname())
	if (host == "www.google.com" || host == "google.com") && link.Path == "/url" {
		inner := link.Query().Get("q")
		if inner == "" {
			inner = link.Query().Get("url")
		}
		if link, err = url.Parse(inner); err != nil {
			return nil, invalid
		}
		host = strings.ToLower(link.Hostname())
	}
	if !slices.Contains(driveHosts, host) {
		return nil, invalid
	}
	return link, nil
}

// idInPath is the element behind d, folders or files, or "". /d/e/ID is a published
// document, whose ID is not a file's.
func idInPath(path string) string {
	elements := strings.Split(strings.Trim(path, "/"), "/")
	for i, element := range elements[:len(elements)-1] {
		next := elements[i+1]
		if (element == "d" || element == "folders" || element == "files") && !(element == "d" && next == "e" && i+2 < len(elements)) {
			return next
		}
	}
	return ""
}
