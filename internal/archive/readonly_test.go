package archive

import (
	"testing"

	"github.com/lectiospace/lectern/internal/media"
)

// TestReadOnly: what would change the archive is refused before it gets there: there is
// none here, and a call would panic.
func TestReadOnly(t *testing.T) {
	a, err := Set{"local": nil}.ReadOnly().Get("local")
	if err != nil {
		t.Fatal(err)
	}
	_, keyErr := a.NewKey(t.Context(), "hint")
	_, putErr := a.Put(t.Context(), Item{})
	for what, err := range map[string]error{"new key": keyErr, "put": putErr, "remove": a.Remove(t.Context(), "key")} {
		if media.KindOf(err) != media.Denied {
			t.Errorf("%s: %v", what, err)
		}
	}
}
