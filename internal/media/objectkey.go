package media

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxObjectKey is the longest key of an object in bytes, prefix included: S3 and Azure
// take 1024.
const MaxObjectKey = 1024

// CheckObjectKey refuses a key that must not be appended to a bucket's or a container's
// prefix: an empty or a too long one, one that is no UTF-8, one with control characters,
// and one with a ".." segment, which a proxy or a server that normalizes paths (RFC 3986
// section 5.2.4) would resolve to an object outside the prefix. A backslash counts as a
// separator, as it does to Azure. The error has Kind Invalid and does not quote the key.
func CheckObjectKey(key string) error {
	const op = "object key"
	var problem string
	switch {
	case key == "":
		problem = "the key is empty"
	case len(key) > MaxObjectKey:
		problem = "the key is longer than 1024 bytes"
	case !utf8.ValidString(key):
		problem = "the key is not UTF-8"
	case strings.ContainsFunc(key, unicode.IsControl):
		problem = "the key has control characters"
	case hasParentSegment(key):
		problem = `the key has a ".." segment`
	default:
		return nil
	}
	return Fault(Invalid, op, errors.New(problem))
}

// hasParentSegment reports whether one of a path's segments is "..".
func hasParentSegment(path string) bool {
	for segment := range strings.FieldsFuncSeq(path, func(r rune) bool { return r == '/' || r == '\\' }) {
		if segment == ".." {
			return true
		}
	}
	return false
}
