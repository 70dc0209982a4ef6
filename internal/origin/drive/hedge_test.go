package drive_test

import (
	"bytes"
	"testing"
	"time"

	driveemu "github.com/lectiospace/lectern/internal/emulator/drive"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/origin"
	"github.com/lectiospace/lectern/internal/origin/origintest"
)

// TestHedgedDrive: a connection on which nothing comes, or nothing more, is replaced by
// another one. No other deadline would end the read.
func TestHedgedDrive(t *testing.T) {
	for name, fault := range map[string]driveemu.Faults{
		"no answer":          {Silent: true, OnlyRequests: 1},
		"a body that stalls": {StallAfter: 1000, OnlyRequests: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			obj, err := s.stat(t, "lesson")
			if err != nil {
				t.Fatal(err)
			}
			s.emulator.SetDefaults(fault)
			hardened := origin.Harden(s.origin, origin.Options{Provider: media.ProviderDrive, Hedge: 2, Stall: time.Hour})
			got, err := origintest.Read(t.Context(), hardened, obj, obj.Span())
			if err != nil || !bytes.Equal(got, lesson) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		})
	}
}
