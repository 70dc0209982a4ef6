// Package lessons holds the demo's lessons: small real MP4s, and the catalog
// that knows them. scripts/make-lessons.sh made them.
package lessons

import (
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

//go:embed media/*.mp4
var media embed.FS

//go:embed demo.yaml
var catalog []byte

// Lesson is one of the demo's recordings.
type Lesson struct {
	Title string
	File  string
}

// All lists the lessons in the order of the catalog: the first has recording id 1.
func All() []Lesson {
	return []Lesson{
		{"Algebra: linear equations", "algebra.mp4"},
		{"Оптика: линзы", "optics.mp4"},
		{"History: a long lecture", "history.mp4"},
	}
}

// Catalog is the demo's catalog as `gateway catalog apply` takes it.
func Catalog() []byte { return catalog }

// WriteTo writes the lessons' files into a folder, which is made when missing.
func WriteTo(dir string) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	for _, lesson := range All() {
		data, err := fs.ReadFile(media, "media/"+lesson.File)
		if err != nil {
			return fmt.Errorf("lesson %q: %w", lesson.Title, err)
		}
		if err := os.WriteFile(filepath.Join(dir, lesson.File), data, 0o640); err != nil {
			return err
		}
	}
	return nil
}
