package media

// CachedFacts are what a decision about a user and a recording depends on, as a cache in
// front of the catalog has them.
type CachedFacts struct {
	User       User
	Recording  Recording
	Membership Membership // zero unless it was wanted
	// Fresh reports, whenever it is called, whether the cache would still answer this without
	// asking: nothing was invalidated, nothing has become too old, and the catalog is not
	// known to be unavailable. Safe for concurrent use.
	Fresh func() bool
}
