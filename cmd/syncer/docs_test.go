package main

import (
	"errors"
	"io"
	"testing"

	"github.com/lectiospace/lectern/docs/commands"
	"github.com/lectiospace/lectern/internal/config"
)

// TestDocumentedCommands: the syncer's own parser accepts every command line of the
// documentation; in a sentence, arguments may be left out.
func TestDocumentedCommands(t *testing.T) {
	all, err := commands.Of("../..", "syncer")
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 25 {
		t.Errorf("only %d commands were found", len(all))
	}
	for _, c := range all {
		_, err := config.Parse("syncer", "", &CLI{}, c.Args, nil, io.Discard, io.Discard)
		if !errors.Is(err, config.ErrDone) && !c.Accepts(err) {
			t.Errorf("%v: %v", c, err)
		}
	}
}
