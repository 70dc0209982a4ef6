package catalog

import "testing"

// Homes are the places a catalog can live in, for tests of what stands upon it.
var Homes = homes

// DemoNow is the moment of the demo's rows.
var DemoNow = demoNow

// Name tells one home from another.
func (h home) Name() string { return h.name }

// Open makes a migrated store with the demo data, and closes it when the test ends.
func (h home) Open(t *testing.T) *Store { return h.open(t) }

// Run executes a statement as PostgreSQL spells it.
var Run = run

// Count is a query's one number.
var Count = count
