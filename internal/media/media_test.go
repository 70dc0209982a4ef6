package media

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

func FuzzSpan(f *testing.F) {
	f.Add(int64(0), int64(10), int64(5), int64(3))
	f.Fuzz(func(t *testing.T, off, length, size, chunk int64) {
		if off < 0 || length < 0 || size < 0 || chunk < 1 || off > 1<<40 || length > 1<<40 || size > 1<<40 || chunk > 1<<40 {
			return
		}
		clipped := Span{off, length}.Clip(size)
		if clipped.Len < 0 || clipped.End() > size && clipped.Len > 0 || clipped.Off > size {
			t.Fatalf("%d+%d clipped to %d is %+v", off, length, size, clipped)
		}
		for _, at := range []int64{off, off + length/2, off + length - 1} {
			if want := length > 0 && at < size && at >= off && at < off+length; clipped.Contains(at) != want {
				t.Fatalf("%d+%d clipped to %d: contains %d is %v", off, length, size, at, !want)
			}
		}
		first, end := clipped.Chunks(chunk)
		if clipped.Empty() != (first == end) || !clipped.Empty() && (first*chunk > clipped.Off || (first+1)*chunk <= clipped.Off || end*chunk < clipped.End() || (end-1)*chunk >= clipped.End()) {
			t.Fatalf("%+v in chunks of %d: [%d, %d)", clipped, chunk, first, end)
		}
	})
}

func TestSize(t *testing.T) {
	for _, c := range []struct {
		text string
		want Size
		bad  bool
	}{
		{"0", 0, false}, {"1048576", 1 << 20, false}, {"64MiB", 64 << 20, false}, {"10GB", 1e10, false}, {"1.5 GiB", 3 << 29, false}, {"5b", 5, false}, {" 2kib ", 2048, false},
		{"", 0, true}, {"-1", 0, true}, {"-1MiB", 0, true}, {"lots", 0, true}, {"1PB", 0, true}, {"NaNMiB", 0, true}, {"99999999999TiB", 0, true}, {"MiB", 0, true},
	} {
		var s Size
		err := s.UnmarshalText([]byte(c.text))
		if (err != nil) != c.bad || err == nil && s != c.want {
			t.Errorf("%q: %d, %v", c.text, s, err)
		}
		var again Size
		if err == nil && (again.UnmarshalText([]byte(s.String())) != nil || again != s) {
			t.Errorf("%q printed as %q is %d", c.text, s, again)
		}
	}
}

func TestKindOf(t *testing.T) {
	for _, c := range []struct {
		err  error
		want Kind
	}{
		{nil, Other}, {errors.New("x"), Other}, {context.Canceled, Canceled}, {fmt.Errorf("x: %w", context.DeadlineExceeded), Timeout},
		{fmt.Errorf("x: %w", Fault(Quota, "op", context.Canceled)), Quota}, {Refuse(CodeNoAccess, "no"), Other},
	} {
		if got := KindOf(c.err); got != c.want {
			t.Errorf("%v: %v, want %v", c.err, got, c.want)
		}
	}
}

func TestETagTellsObjectsApart(t *testing.T) {
	seen := map[string]Object{}
	for _, o := range []Object{{}, {ID: "a"}, {Version: "a"}, {Provider: "a"}, {ID: "ab", Version: "c"}, {ID: "a", Version: "bc"}, {ID: "a", Size: 1}} {
		tag := o.ETag()
		if other, twice := seen[tag]; twice || tag[0] != '"' || tag[len(tag)-1] != '"' {
			t.Errorf("%+v and %+v: %s", o, other, tag)
		}
		seen[tag] = o
	}
}

// TestCopyIdentity: a verified copy has the entity tag of its original, in the version and of
// the size that were verified, and nothing else has.
func TestCopyIdentity(t *testing.T) {
	modified := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	original := Object{Provider: ProviderDrive, ID: "id", Version: "rev-1", Size: 10}
	copied := Copy{Version: "v1", Size: 10, Original: original.Identity(), Modified: modified}
	made := Object{Provider: ProviderS3, ID: "key", Version: "v1", Size: 10, ModTime: modified.Add(time.Hour)}
	got := copied.Identify(made)
	if got.ETag() != original.ETag() || !got.ModTime.Equal(modified) || got.Location() != made.Location() || got.Version != made.Version {
		t.Errorf("%+v", got)
	}
	other, longer := made, made
	other.Version, longer.Size = "v2", 11
	for name, same := range map[string]bool{
		"another version": copied.Identify(other) == other, "another size": copied.Identify(longer) == longer, "no copy": Copy{}.Identify(made) == made,
		"a copy without a version": Copy{Size: 10, Original: original.Identity()}.Identify(Object{Size: 10}) == Object{Size: 10},
	} {
		if !same {
			t.Errorf("%s has the identity of the original", name)
		}
	}
	if other.ETag() == original.ETag() || made.ETag() == original.ETag() {
		t.Error("objects share an entity tag")
	}
}
