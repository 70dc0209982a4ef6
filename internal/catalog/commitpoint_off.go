//go:build !failpoint

package catalog

// hookCommits makes every commit to a SQLite file a failpoint, in builds that have those.
func hookCommits() {}
