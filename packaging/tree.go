package main

import (
	"bytes"
	"compress/gzip"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// file is a file of a package. All files belong to root and have the commit's time.
type file struct {
	path    string // absolute, without a first slash
	mode    fs.FileMode
	content []byte
	config  bool // the administrator may change it
}

// tree collects files, and the first error.
type tree struct {
	source string
	files  []file
	err    error
}

func (t *tree) add(path string, mode fs.FileMode, content []byte) {
	t.files = append(t.files, file{path: path, mode: mode, content: content})
}

// addGzip adds a file as gzip -9n writes it: without its name and time.
func (t *tree) addGzip(path string, content []byte) {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	t.fail(err)
	_, err = w.Write(content)
	t.fail(err)
	t.fail(w.Close())
	t.add(path+".gz", 0o644, out.Bytes())
}

// read returns a file of the source.
func (t *tree) read(name string) []byte {
	content, err := os.ReadFile(filepath.Join(t.source, name))
	t.fail(err)
	return content
}

// copyAll adds the files below a folder of the source, without Go's.
func (t *tree) copyAll(from, to string) {
	root := filepath.Join(t.source, from)
	t.fail(filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) == ".go" {
			return err
		}
		below, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		t.add(to+"/"+below, 0o644, t.read(from+"/"+below))
		return nil
	}))
}

func (t *tree) fail(err error) {
	if t.err == nil {
		t.err = err
	}
}

// sorted returns the files in the order of their paths, so that the order in which they
// were added changes nothing.
func (t *tree) sorted() ([]file, error) {
	slices.SortFunc(t.files, func(a, b file) int { return strings.Compare(a.path, b.path) })
	return t.files, t.err
}

// installed makes a file of configs, which is written for /usr/local, one of a package.
func installed(content []byte) []byte {
	return bytes.ReplaceAll(content, []byte("/usr/local/bin/"), []byte("/usr/bin/"))
}
