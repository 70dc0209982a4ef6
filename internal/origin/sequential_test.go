package origin_test

import (
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/origin"
	"github.com/lectiospace/lectern/internal/origin/origintest"
)

// TestWholeReadEndsAStall: what reads an object as a whole is watched by nobody else, and
// would wait for ever.
func TestWholeReadEndsAStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := origintest.New(files)
		fake.Script(origintest.Fault{}, origintest.Fault{After: 100, Stall: true})
		obj, err := fake.Stat(t.Context(), media.Location{Provider: origintest.Provider, Key: "lesson"})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		body := origin.ReadWhole(t.Context(), fake, obj, 1000)
		defer body.Close()
		got, err := io.ReadAll(body)
		if len(got) != 1100 || media.KindOf(err) != media.Timeout || time.Since(began) != time.Minute {
			t.Errorf("%d bytes, %v after %v", len(got), err, time.Since(began))
		}
	})
}
