package webvtt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"unicode/utf16"
)

// ErrNotWebVTT says that a file has no WebVTT header.
var ErrNotWebVTT = errors.New("the file is not WebVTT")

const byteOrderMark = "\uFEFF"

// decode returns a file's text with line feeds as the only line ends.
func decode(data []byte) string {
	var text string
	switch {
	case bytes.HasPrefix(data, []byte{0xFF, 0xFE}):
		text = decodeUTF16(data, binary.LittleEndian)
	case bytes.HasPrefix(data, []byte{0xFE, 0xFF}):
		text = decodeUTF16(data, binary.BigEndian)
	default:
		text = strings.ToValidUTF8(string(data), "\uFFFD")
	}
	for strings.HasPrefix(text, byteOrderMark) {
		text = text[len(byteOrderMark):]
	}
	return strings.NewReplacer("\r\n", "\n", "\r", "\n", "\x00", "\uFFFD").Replace(text)
}

func decodeUTF16(data []byte, order binary.ByteOrder) string {
	units := make([]uint16, 0, len(data)/2)
	for ; len(data) >= 2; data = data[2:] {
		units = append(units, order.Uint16(data))
	}
	return string(utf16.Decode(units))
}
