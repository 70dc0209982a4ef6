package store

import (
	"slices"
	"testing"
)

// TestTransition lists every pair of a state and an event; "" as the result means
// that the pair is impossible.
func TestTransition(t *testing.T) {
	states := []State{"", Waiting, Working, Done, Failed, Removed}
	table := []struct {
		event IngestEvent
		want  []State // after each of states
	}{
		{Request, []State{Waiting, Waiting, Working, Done, Waiting, ""}},
		{Begin, []State{"", Working, Working, Done, Working, ""}},
		{Pause, []State{"", Waiting, Waiting, Done, Failed, Removed}},
		{Archive, []State{"", "", Done, Done, "", ""}},
		{Fail, []State{"", "", Failed, Failed, "", ""}},
		{Remove, []State{"", "", Removed, Removed, "", ""}},
		{Lose, []State{"", Failed, "", Failed, Failed, ""}},
		{Refetch, []State{"", Waiting, "", Waiting, Waiting, ""}},
		{RestoreArchived, []State{"", "", "", "", "", Done}},
		{RestoreFailed, []State{"", "", "", "", "", Failed}},
	}
	var tested []IngestEvent
	for _, row := range table {
		tested = append(tested, row.event)
		for i, from := range states {
			got, err := Transition(from, row.event)
			switch want := row.want[i]; {
			case want == "" && (err == nil || got != from):
				t.Errorf("%q, %s: %q, %v; want an error and no change", from, row.event, got, err)
			case want != "" && (err != nil || got != want):
				t.Errorf("%q, %s: %q, %v; want %q", from, row.event, got, err, want)
			}
		}
	}
	for from, events := range transitions {
		for event := range events {
			if !slices.Contains(tested, event) {
				t.Errorf("%q, %s is not in the table", from, event)
			}
		}
	}
}
