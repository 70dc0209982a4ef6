package origin

import (
	"fmt"
	"time"
)

// Config common to all origins.
type Config struct {
	// Recheck is how old a cached version and size may be.
	Recheck time.Duration `name:"recheck" default:"60s" help:"How old an object's known version and size may be before the origin is asked again: the longest that a replaced file is played as it was (duration)."`
	// Hedge is how many second requests may be made beside late ones, in percent of all.
	Hedge int `name:"hedge" default:"2" help:"Second requests beside those for which an origin takes unusually long, in percent of all requests (number, 0 to 10); 0 = none, and a stuck connection costs 15 s."`
}

// Check names the setting that is wrong.
func (c Config) Check() error {
	if c.Hedge < 0 || c.Hedge > 10 {
		return fmt.Errorf("origin-hedge: %d is outside 0 to 10", c.Hedge)
	}
	return nil
}
