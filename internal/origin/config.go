package origin

import "time"

// Config common to all origins.
type Config struct {
	// Recheck is how old a cached version and size may be.
	Recheck time.Duration `name:"recheck" default:"60s" help:"How old an object's known version and size may be before the origin is asked again: the longest that a replaced file is played as it was (duration)."`
}
