package main

import (
	"archive/tar"
	"bytes"
	"path/filepath"
	"time"
)

// archive writes a tar file that depends on nothing but its content: sorted by the
// caller, with the commit's time, numbers for owners, and each directory once.
type archive struct {
	out  bytes.Buffer
	w    *tar.Writer
	time time.Time
	made map[string]bool
	err  error
}

func newArchive(t time.Time) *archive {
	a := &archive{time: t, made: map[string]bool{".": true}}
	a.w = tar.NewWriter(&a.out)
	return a
}

// directory adds a directory, and before it those that it lies in.
func (a *archive) directory(path string, mode int64, owner int) {
	if a.made[path] {
		return
	}
	a.directory(filepath.Dir(path), 0o755, 0)
	a.made[path] = true
	a.write(&tar.Header{Typeflag: tar.TypeDir, Name: path + "/", Mode: mode, Uid: owner, Gid: owner}, nil)
}

func (a *archive) file(f file) {
	a.directory(filepath.Dir(f.path), 0o755, 0)
	a.write(&tar.Header{Typeflag: tar.TypeReg, Name: f.path, Mode: int64(f.mode), Size: int64(len(f.content))}, f.content)
}

func (a *archive) write(header *tar.Header, content []byte) {
	if a.err != nil {
		return
	}
	header.ModTime, header.Format = a.time, tar.FormatPAX
	if a.err = a.w.WriteHeader(header); a.err == nil {
		_, a.err = a.w.Write(content)
	}
}

func (a *archive) close() ([]byte, error) {
	if a.err == nil {
		a.err = a.w.Close()
	}
	return a.out.Bytes(), a.err
}
