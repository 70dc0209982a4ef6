package crash

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/lectiospace/lectern/internal/failpoint/points"
)

// TestTexts: the texts by which test/e2e finds no failpoint in the programs are in those that
// have failpoints.
func TestTexts(t *testing.T) {
	if *iterations == 0 {
		t.Skip("the programs are built for the campaign only")
	}
	dir, err := build()
	if err != nil {
		t.Fatal(err)
	}
	var data []byte
	for _, program := range []string{"gateway", "syncer"} {
		one, err := os.ReadFile(filepath.Join(dir, program))
		if err != nil {
			t.Fatal(err)
		}
		data = append(data, one...)
	}
	for _, text := range points.Texts() {
		if !bytes.Contains(data, []byte(text)) {
			t.Errorf("neither program has the text %q", text)
		}
	}
}
