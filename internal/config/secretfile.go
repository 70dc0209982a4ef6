package config

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"unicode"
)

// errUTF16 is the error of a secret file that is not UTF-8.
var errUTF16 = errors.New("is UTF-16: save the file as UTF-8")

// readSecretFile reads a secret. Editors and pasting leave bytes in such files that
// are invisible and make every token invalid: byte order marks and zero-width
// characters are removed wherever they stand, white space at both ends. cleaned
// reports whether more than the usual line end was removed.
func readSecretFile(path string) (secret string, cleaned bool, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", false, err
	}
	if bytes.HasPrefix(data, []byte{0xff, 0xfe}) || bytes.HasPrefix(data, []byte{0xfe, 0xff}) {
		return "", false, errUTF16
	}
	text := strings.TrimRight(string(data), "\r\n")
	secret = strings.TrimSpace(strings.Map(func(r rune) rune {
		if isInvisible(r) {
			return -1
		}
		return r
	}, text))
	return secret, secret != text, nil
}

// isInvisible reports characters of no width: U+FEFF (byte order mark), joiners,
// direction marks and the like (Unicode category Cf).
func isInvisible(r rune) bool { return unicode.Is(unicode.Cf, r) }
