package drive_test

import (
	"context"
	"testing"
	"time"

	driveemu "github.com/lectiospace/lectern/internal/emulator/drive"
	"github.com/lectiospace/lectern/internal/media"
)

// TestSilentDrive: a Drive that accepts requests and never answers is a Timeout when the
// caller's time is over, for every kind of request.
func TestSilentDrive(t *testing.T) {
	s := start(t)
	obj, err := s.stat(t, "lesson")
	if err != nil {
		t.Fatal(err)
	}
	s.emulator.SetDefaults(driveemu.Faults{Silent: true})
	for name, request := range map[string]func(ctx context.Context) error{
		"stat":  func(ctx context.Context) error { _, err := s.origin.Stat(ctx, obj.Location()); return err },
		"open":  func(ctx context.Context) error { _, err := s.origin.Open(ctx, obj, media.Span{Len: 1}); return err },
		"check": func(ctx context.Context) error { _, err := s.origin.CheckAccess(ctx); return err },
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		if err := request(ctx); media.KindOf(err) != media.Timeout {
			t.Errorf("%s: %v", name, err)
		}
		cancel()
	}
}
