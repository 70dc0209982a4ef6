package simulation

import (
	"embed"
	"encoding/json"
	"io/fs"
	"math/rand/v2"
	"strings"
	"sync"
	"time"
)

// shapes are recordings that hosts and Zoom have made odd.
//
//go:embed testdata/meetings/*.json
var shapes embed.FS

// shape is a meeting as Zoom lists it.
type shape struct {
	Name  string
	Files []struct {
		ID    string    `json:"id"`
		Type  string    `json:"file_type"`
		View  string    `json:"recording_type"`
		Start time.Time `json:"recording_start"`
		End   time.Time `json:"recording_end"`
		Body  string    `json:"body"`
	} `json:"recording_files"`
}

// shapeStart is when the lesson of each shape begins.
var shapeStart = time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)

// allShapes are the shapes in order of their names.
var allShapes = sync.OnceValue(func() (out []shape) {
	names, err := fs.Glob(shapes, "testdata/meetings/*.json")
	if err != nil {
		panic("BUG: " + err.Error())
	}
	for _, name := range names {
		data, err := shapes.ReadFile(name)
		if err != nil {
			panic("BUG: " + err.Error())
		}
		s := shape{Name: strings.TrimSuffix(name[strings.LastIndex(name, "/")+1:], ".json")}
		if err := json.Unmarshal(data, &s); err != nil {
			panic("BUG: " + name + ": " + err.Error())
		}
		out = append(out, s)
	}
	return out
})

// addShape gives a meeting the files of a shape.
func (m *meeting) addShape(r *rand.Rand, s shape, lesson time.Time) {
	for _, f := range s.Files {
		m.add(r, f.ID, f.Type, f.View, lesson.Add(f.Start.Sub(shapeStart)), lesson.Add(f.End.Sub(shapeStart)))
		added := m.files[len(m.files)-1]
		switch {
		case f.Body == "mp4/empty.mp4":
			added.broken = true
		case f.Body == "(5 s of video)":
			added.millis = 5000
		case s.Name == "paused-then-continued":
			added.millis = min(added.millis, 2000)
		}
		if s.Name == "listed-one-byte-too-long" {
			added.f.SizeOff = 1
		}
	}
}
