// Package lessons holds the demo's lessons: small real MP4s, and the catalog
// that knows them. scripts/make-lessons.sh made them.
package lessons

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/template"
	"time"
)

//go:embed media
var media embed.FS

//go:embed demo.yaml
var catalog string

// Lesson is one of the demo's recordings.
type Lesson struct {
	Title string
	File  string
}

// All lists the lessons that have a file of their own, in the order of the
// catalog: the first has recording id 1. Further recordings show the same files.
func All() []Lesson {
	return []Lesson{
		{"Algebra: linear equations", "algebra.mp4"},
		{"Оптика: линзы", "optics.mp4"},
		{"History: a long lecture", "history.mp4"},
		{"Geometry: the Pythagorean theorem", "geometry.mp4"},
		{"Законы Ньютона", "newton.mp4"},
	}
}

// Person is somebody of the demo's catalog.
type Person struct{ Email, Role, FirstName, LastName string }

// People lists the people in the order of the catalog: the first has user id 1. The stranger is
// in no group.
func People() []Person {
	return []Person{
		{"student@demo.lectern", "student", "Sam", "Student"},
		{"teacher@demo.lectern", "teacher", "Tamara", "Teacher"},
		{"stranger@demo.lectern", "student", "Stefan", "Stranger"},
		{"sokolova@demo.lectern", "teacher", "Мария", "Соколова"},
	}
}

// Spoken is the recording, by its id, that has captions, chapters and all companions, and Broken the lesson and
// recording that could not be prepared.
const (
	Spoken       = 4
	BrokenLesson = 9
	Broken       = 9
)

// poster is the file with the lesson's poster.
func (l Lesson) poster() string { return strings.TrimSuffix(l.File, ".mp4") + ".jpg" }

// Files are the names of all files in Media that the catalog and the companions name.
func Files() []string {
	var out []string
	for _, lesson := range All() {
		out = append(out, lesson.File)
	}
	for _, companion := range Companions() {
		out = append(out, companion.File)
	}
	return out
}

// Catalog is the demo's catalog as `gateway catalog apply` takes it. Its lessons lie
// around now, so that the newest are of these days and some end soon. Their files are at a
// provider, under their names.
func Catalog(now time.Time, provider string) ([]byte, error) {
	at := func(days, hour int) string {
		day := now.UTC().AddDate(0, 0, days)
		return time.Date(day.Year(), day.Month(), day.Day(), hour, 0, 0, 0, time.UTC).Format(time.RFC3339)
	}
	text, err := template.New("demo.yaml").Funcs(template.FuncMap{"at": at, "provider": func() string { return provider }, "people": People}).Parse(catalog)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = text.Execute(&out, nil)
	return out.Bytes(), err
}

// Media are the lessons' files, by name.
func Media() fs.FS {
	files, err := fs.Sub(media, "media")
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return files
}

// WriteTo writes the lessons' files and their companions into a folder, which is made when missing.
func WriteTo(dir string) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	for _, name := range Files() {
		data, err := fs.ReadFile(media, "media/"+name)
		if err != nil {
			return fmt.Errorf("the demo's file %s: %w", name, err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o640); err != nil {
			return err
		}
	}
	return nil
}
