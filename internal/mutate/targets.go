package main

// target is code to mutate, and the packages whose tests are to notice.
type target struct {
	name  string
	dir   string
	files []string // none = all
	tests []string
	// subtests is a regular expression of the subtests that are run; "" = all.
	subtests string
}

// notPostgres leaves out the databases that take seconds to start. What they differ in is
// SQL, which is not mutated.
const notPostgres = "^[^p]"

// targets are what decides who may watch, what is sent, what is kept, and which state
// comes next.
var targets = []target{
	{name: "auth", dir: "internal/auth", files: []string{
		"authorizer.go", "claims.go", "compact.go", "config.go", "keyset.go", "lasting.go", "minter.go",
		"playback_limit.go", "rule.go", "signing_keys.go", "token_cache.go", "verifier.go", "viewable.go",
	}, tests: []string{"internal/auth"}},
	{name: "jwks", dir: "internal/auth", files: []string{"jwks.go"}, tests: []string{"internal/auth"}},
	{name: "session", dir: "internal/auth", files: []string{"session.go", "signin.go"}, tests: []string{"internal/auth"}},
	{name: "credentials", dir: "internal/proxy/credentials", tests: []string{"internal/proxy/credentials"}},
	{name: "ranges", dir: "internal/proxy/stream", files: []string{"ranges.go", "multipart.go"}, tests: []string{"internal/proxy/stream"}},
	{name: "precondition", dir: "internal/proxy/precondition", tests: []string{"internal/proxy/precondition", "internal/proxy/stream"}},
	{name: "readahead", dir: "internal/cache/readahead", tests: []string{"internal/cache/readahead"}},
	{name: "health", dir: "internal/cache", files: []string{"health.go"}, tests: []string{"internal/cache"}},
	{name: "cache", dir: "internal/cache", files: []string{"budget.go", "chunk_table.go", "fetch_plan.go", "fetch_readers.go"}, tests: []string{"internal/cache"}},
	{name: "quota", dir: "internal/syncer/store", files: []string{"quota.go"}, tests: []string{"internal/syncer/store"}, subtests: notPostgres},
	{name: "match", dir: "internal/syncer/store", files: []string{"match.go"}, tests: []string{"internal/syncer/store"}, subtests: notPostgres},
	{name: "parts", dir: "internal/syncer/parts", tests: []string{"internal/syncer/parts"}},
	{name: "transitions", dir: "internal/syncer/store", files: []string{"ingeststate.go"}, tests: []string{"internal/syncer/store"}, subtests: notPostgres},
}
