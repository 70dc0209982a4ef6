package e2e

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/lectiospace/lectern/internal/failpoint/points"
)

// TestNoFailpoints: the programs have no failpoint, neither its name nor the variable that
// would configure it. A program built with the tag has all of both: see test/crash.
func TestNoFailpoints(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"gateway", "syncer"} {
		data, err := os.ReadFile(filepath.Join(bin, program))
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range points.Texts() {
			if bytes.Contains(data, []byte(text)) {
				t.Errorf("%s has the text %q", program, text)
			}
		}
	}
}
