package origin

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

type statFunc func(context.Context, media.Location) (media.Object, error)

func (f statFunc) Stat(ctx context.Context, loc media.Location) (media.Object, error) {
	return f(ctx, loc)
}

// TestNobodyWaitsForTheJournal: an answer is there although the journal's disk takes
// nothing. A pipe that nobody reads stands for the disk.
func TestNobodyWaitsForTheJournal(t *testing.T) {
	disk, file, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	want := media.Object{Provider: "test", ID: "lesson", Version: "1", Size: 1}
	cache := NewStatCache(statFunc(func(context.Context, media.Location) (media.Object, error) { return want, nil }), time.Minute, time.Now)
	cache.journal = &journal{file: file}
	_ = file.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
	for err == nil { // until the pipe is full
		_, err = file.Write(make([]byte, 4096))
	}
	_ = file.SetWriteDeadline(time.Time{})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if got, err := cache.Stat(ctx, want.Location()); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	disk.Close() // the write fails, which is logged
	if err := cache.Close(); err != nil {
		t.Error(err)
	}
}

// FuzzJournal: whatever a crash has left of the journal, every line that is whole counts, and
// what is written of them reads the same.
func FuzzJournal(f *testing.F) {
	const one = `{"provider":"gdrive","key":"a","object":{"Provider":"gdrive","ID":"a","Version":"1","Size":5,"ModTime":"2026-11-20T10:00:00Z"}}`
	for _, seed := range []string{
		one + "\n", one + "\n" + `{"provider":"gdrive","key":"a"}`, one + "\n" + `{"provider":"gdrive","key":"a"}` + "\n" + one, one[:40] + "\n" + one, "\n\n[]\nnull\n7\n" + one, `{"provider":"x","key":"y","object":{"Version":"","Size":-1}}`,
		`{"object":{"Version":"1","ModTime":"2026-11-20T10:00:00+23:59"}}`,
	} {
		f.Add([]byte(seed), 0)
	}
	f.Add([]byte("\x00"+"\n"+one), maxJournalLine+1)
	path := filepath.Join(f.TempDir(), "journal")
	f.Fuzz(func(t *testing.T, data []byte, zeros int) {
		data = append(make([]byte, min(max(0, zeros), 2*maxJournalLine)), data...) // as a file system may leave after a crash
		want := map[media.Location]media.Object{}
		for line := range bytes.SplitSeq(data, []byte("\n")) {
			var l journalLine
			if len(line) > maxJournalLine || json.Unmarshal(line, &l) != nil {
				continue
			}
			loc := media.Location{Provider: l.Provider, Key: l.Key}
			if l.Object == nil {
				delete(want, loc)
			} else if l.Object.Version != "" && l.Object.Size >= 0 {
				want[loc] = *l.Object
			}
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		for range 2 { // as it was left, and as it was written again
			j, got, err := openJournal(path)
			if err != nil {
				t.Fatal(err)
			}
			if !maps.EqualFunc(got, want, sameObject) {
				t.Fatalf("%+v, want %+v", got, want)
			}
			if err := j.close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func sameObject(a, b media.Object) bool {
	same := a.ModTime.Equal(b.ModTime)
	a.ModTime, b.ModTime = time.Time{}, time.Time{}
	return same && a == b
}
