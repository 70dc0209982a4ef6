package main

import (
	"slices"
	"testing"
)

// TestSample runs the whole command over a package of which it is known what its tests
// notice: what survives is what they do not look at, and nothing else.
func TestSample(t *testing.T) {
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(root)
	const dir = "internal/mutate/testdata/sample"
	c := campaign{target: target{name: "sample", dir: dir, tests: []string{dir}}, root: root, tmp: t.TempDir()}
	if err := c.build(); err != nil {
		t.Fatal(err)
	}
	if err := c.survey(); err != nil {
		t.Fatal(err)
	}
	var survived []string
	c.tryAll(nil, 2, func(r result) {
		if !r.killed {
			survived = append(survived, r.key())
		}
	})
	want := []string{
		"sample.go: Untested: n > 3 → false",
		"sample.go: Untested: n > 3 → n >= 3",
		"sample.go: Untested: n > 3 → true",
		"sample.go: Untested: without break",
		"sample.go: Untested: a → true",
		"sample.go: Untested: b → true",
	}
	slices.Sort(survived)
	slices.Sort(want)
	if !slices.Equal(survived, want) {
		t.Errorf("survived: %q, want %q", survived, want)
	}
}
