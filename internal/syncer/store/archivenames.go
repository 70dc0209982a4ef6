package store

import (
	"fmt"
	"strconv"
	"time"

	"github.com/lectiospace/lectern/internal/filename"
)

// KeyHint is what people see in an archive's key where it has readable ones: the lesson's id
// or, of a recording without one, its teacher's.
func KeyHint(lesson, teacher int64) string {
	if lesson == 0 {
		return "teacher-" + strconv.FormatInt(teacher, 10)
	}
	return strconv.FormatInt(lesson, 10)
}

// ArchiveName is what people see of a recording's file in an archive's folder: its beginning
// in UTC, unless that is zero, its title, and a suffix with the extension, all in at most
// filename.MaxBytes.
func ArchiveName(start time.Time, title, suffix string) string {
	if !start.IsZero() {
		title = start.UTC().Format("2006-01-02 1504") + " " + title
	}
	return filename.Of(title, suffix) + suffix
}

// LabelSuffix is the suffix of a file that people know by a label. ext has the dot.
func LabelSuffix(label, ext string) string {
	return " " + filename.Truncate(filename.Of(label, ""), 80) + ext
}

// NameSuffix is the suffix of a file beside a recording.
func (f RecordingFile) NameSuffix() string {
	if f.Kind == KindPart {
		return fmt.Sprintf(" part %d%s", f.Position+1, f.Extension())
	}
	return LabelSuffix(f.Label, f.Extension())
}
