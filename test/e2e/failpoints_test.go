package e2e

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lectiospace/lectern/internal/failpoint/points"
)

// TestNoFailpoints: the programs have no failpoint, neither its name nor the variable that
// would configure it. A program built with the tag has all of both: see test/crash. Points whose
// name the name of a function may begin with, as cache.lock, say nothing.
func TestNoFailpoints(t *testing.T) {
	t.Parallel()
	looked := 0
	for _, program := range []string{"gateway", "syncer"} {
		data, err := os.ReadFile(filepath.Join(bin, program))
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range points.Texts() {
			if !strings.ContainsAny(text, "-_") {
				continue
			}
			looked++
			if bytes.Contains(data, []byte(text)) {
				t.Errorf("%s has the text %q", program, text)
			}
		}
	}
	if looked < 40 {
		t.Errorf("only %d texts were looked for", looked)
	}
}
