package accesslog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

// TestFloodOfRefusals: a flood of refused requests has few lines and exact counts, of each
// kind; what is served or fails has a line each, during the flood as well.
func TestFloodOfRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		l := New(PerRequest, slog.New(slog.NewJSONHandler(&out, nil)), time.Now)
		kinds := []refusalKind{{400, "bad_request"}, {401, media.CodeTokenNotValid}, {403, media.CodeNoAccess}, {404, media.CodeNotFound}, {429, media.CodeThrottled}}
		const flood = 1000
		for range flood {
			for _, k := range kinds {
				l.Write(&Record{Status: k.status, Code: k.code, Outcome: outcomeRefused})
			}
			l.Write(&Record{Status: 206, Outcome: "complete"})
			l.Write(&Record{Status: 502, Outcome: outcomeRefused, Err: errors.New("the origin")})
		}
		time.Sleep(refusalInterval)
		synctest.Wait()
		lines, omitted := count(t, &out)
		for _, k := range kinds {
			if key := k.key(); lines[key] != refusalsLogged || omitted[key] != flood-refusalsLogged {
				t.Errorf("%s: %d lines, %d omitted", key, lines[key], omitted[key])
			}
		}
		if lines["206 "] != flood || lines["502 "] != flood {
			t.Errorf("served: %d lines, failed: %d", lines["206 "], lines["502 "])
		}

		// The next interval begins with lines again, and a stop does not lose its count.
		for range refusalsLogged + 3 {
			l.Write(&Record{Status: 401, Outcome: outcomeRefused})
		}
		l.Flush()
		if lines, omitted := count(t, &out); lines["401 "] != refusalsLogged || omitted["401 "] != 3 {
			t.Errorf("after a stop: %v, omitted %v", lines, omitted)
		}
		// The kinds are bounded too.
		for i := range 10 * maxRefusalKinds {
			l.Write(&Record{Status: 400, Code: media.Code(fmt.Sprint(i)), Outcome: outcomeRefused})
		}
		if n := len(l.refusals.counts); n > maxRefusalKinds+1 {
			t.Errorf("%d kinds", n)
		}
		l.Flush()
	})
}

func (k refusalKind) key() string { return fmt.Sprintf("%d %s", k.status, k.code) }

// count empties out. It returns the lines and the omitted requests of each kind.
func count(t *testing.T, out *bytes.Buffer) (lines, omitted map[string]int) {
	t.Helper()
	lines, omitted = map[string]int{}, map[string]int{}
	for d := json.NewDecoder(out); d.More(); {
		var line struct {
			Msg     string
			Status  int
			Code    media.Code
			Omitted int
		}
		if err := d.Decode(&line); err != nil {
			t.Fatal(err)
		}
		key := refusalKind{line.Status, line.Code}.key()
		if line.Msg == "exchange" {
			lines[key]++
		} else {
			omitted[key] += line.Omitted
		}
	}
	return lines, omitted
}
