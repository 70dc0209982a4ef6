package origin

import (
	"context"
	"os"
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
