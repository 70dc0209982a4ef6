package watchstate

import "time"

// State is how far a viewer is in a recording. The zero value is of one who never watched it.
type State struct {
	// Position is where they were last.
	Position time.Duration
	// At is when Position arrived, by the clock of the gateway that received it.
	At     time.Time
	Played Played
}

// Merge adds another state of the same viewer and recording. The position is that of the
// later arrival; of two at once it is other's.
func (s *State) Merge(other State) {
	if !other.At.Before(s.At) {
		s.Position, s.At = other.Position, other.At
	}
	s.Played.Merge(other.Played)
}
