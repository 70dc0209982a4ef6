package azure

import "testing"

// FuzzBlockID: an id that is taken for ours is the one spelling of what it says.
func FuzzBlockID(f *testing.F) {
	f.Add(blockID{index: 7}.String())
	f.Add("bGVjdGVybjEtMDAwMDctMDAtMQ==")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		b, ok := parseBlockID(text)
		if !ok {
			return
		}
		if again, ok := parseBlockID(b.String()); !ok || again != b || b.String() != text || b.index < 0 {
			t.Fatalf("%q: %+v, then %+v, %v", text, b, again, ok)
		}
	})
}
