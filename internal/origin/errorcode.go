package origin

// maxErrorCode is the longest error code of an API, in bytes.
const maxErrorCode = 100

// IsErrorCode reports whether a text is an API's error code and not prose, which may quote
// what must not be logged.
func IsErrorCode(s string) bool {
	if s == "" || len(s) > maxErrorCode {
		return false
	}
	for _, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '-', c == '.':
		default:
			return false
		}
	}
	return true
}
