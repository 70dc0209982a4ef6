package secretbox

import (
	"bytes"
	"errors"
	"testing"
)

func TestSealAndOpen(t *testing.T) {
	box, err := New(bytes.Repeat([]byte{7}, KeySize))
	if err != nil {
		t.Fatal(err)
	}
	key, err := DeriveKey("a secret", "tests")
	if err != nil {
		t.Fatal(err)
	}
	other, err := New(key)
	if err != nil {
		t.Fatal(err)
	}
	sealed := box.Seal("text", "purpose")
	if again := box.Seal("text", "purpose"); again == sealed {
		t.Error("two seals of a text are equal: the nonce is not fresh")
	}
	for _, c := range []struct {
		name    string
		box     Box
		sealed  string
		purpose string
		want    string
		err     error
	}{
		{"the same key", box, sealed, "purpose", "text", nil},
		{"another key", other, sealed, "purpose", "", ErrOtherKey},
		{"another purpose", box, sealed, "another", "", ErrOtherKey},
		{"a damaged text", box, sealed[:len(sealed)-4] + "AAAA", "purpose", "", ErrOtherKey},
		{"no base64", box, "%", "purpose", "", ErrOtherKey},
		{"too short", box, "AAAA", "purpose", "", ErrOtherKey},
		{"nothing", box, "", "purpose", "", nil},
	} {
		got, err := c.box.Open(c.sealed, c.purpose)
		if got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s: %q, %v; want %q, %v", c.name, got, err, c.want, c.err)
		}
	}
	if got := box.Seal("", "purpose"); got != "" {
		t.Errorf("an empty text became %q", got)
	}
}
