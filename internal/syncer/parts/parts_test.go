package parts

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var ten = time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)

const (
	share   = "shared_screen_with_speaker_view"
	screen  = "shared_screen"
	speaker = "active_speaker"
	gallery = "gallery_view"
)

// file makes a ready file from seconds after ten o'clock; to < 0 means no end.
func file(key, view string, from, to int, change ...func(*File)) File {
	f := File{Key: key, Meeting: "m", View: view, Start: ten.Add(time.Duration(from) * time.Second)}
	if to >= 0 {
		f.End = ten.Add(time.Duration(to) * time.Second)
	}
	for _, c := range change {
		c(&f)
	}
	return f
}

func measured(seconds int) func(*File) {
	return func(f *File) { f.Measured = time.Duration(seconds) * time.Second }
}
func state(s State) func(*File) { return func(f *File) { f.State = s } }
func sound(f *File)             { f.Sound = true }
func archived(f *File)          { f.Archived = true }
func only(f *File)              { f.Archived, f.Only = true, true }

func keys(files []File) string {
	var out []string
	for _, f := range files {
		out = append(out, f.Key)
	}
	return strings.Join(out, " ")
}

func TestChoose(t *testing.T) {
	for _, c := range []struct {
		name    string
		files   []File
		want    string
		awaited bool
		missing string
		gone    bool
	}{
		{name: "nothing"},
		{name: "one second in common is no duplicate", files: []File{file("a", share, 0, 1801), file("b", share, 1800, 3600)}, want: "a b"},
		{name: "79 % in common is no duplicate", files: []File{file("a", share, 0, 100), file("b", share, 21, 121)}, want: "a b"},
		{name: "80 % in common is one", files: []File{file("a", share, 0, 100), file("b", share, 20, 119)}, want: "a"},
		{name: "one within another", files: []File{file("a", share, 100, 200), file("b", share, 0, 3600)}, want: "b"},
		{name: "the same minutes in another meeting", files: []File{file("a", share, 0, 100), file("b", share, 1, 100, func(f *File) { f.Meeting = "n" })}, want: "a"},
		{name: "the best view of the same time", files: []File{file("c", gallery, 0, 60), file("b", speaker, 0, 60), file("a", share, 0, 60)}, want: "a"},
		{name: "spelling varies", files: []File{file("b", speaker, 0, 60), file("a", "Shared_Screen_With_Speaker_View(CC)", 0, 60)}, want: "a"},
		{name: "a view that covers 79 % is not preferred", files: []File{file("a", share, 0, 79), file("b", speaker, 0, 100)}, want: "b"},
		{name: "a view that covers 80 % is", files: []File{file("a", share, 0, 80), file("b", speaker, 0, 100)}, want: "a"},
		{name: "measured short", files: []File{file("a", screen, 0, 60, measured(5)), file("b", speaker, 0, 60)}, want: "b"},
		{name: "measured short, and so is the other: a pause", files: []File{file("a", screen, 0, 60, measured(5)), file("b", speaker, 0, 60, measured(6))}, want: "a"},
		{name: "two segments cover what one file covers", files: []File{file("b", speaker, 0, 60), file("a1", share, 0, 30), file("a2", share, 31, 60)}, want: "a1 a2"},
		{name: "another view where the best does not reach", files: []File{file("a", share, 0, 60), file("b", speaker, 100, 160)}, want: "a b"},
		{name: "time order however listed", files: []File{file("c", share, 200, 260), file("a", share, 0, 60), file("b", share, 100, 160)}, want: "a b c"},
		{name: "no ends", files: []File{file("a", share, 0, -1), file("b", speaker, 1, -1), file("c", share, 600, -1)}, want: "a c"},
		{name: "sound only", files: []File{file("a", "audio_only", 0, 60, sound)}, want: "a"},
		{name: "sound beside pictures", files: []File{file("a", "audio_only", 0, 60, sound), file("b", gallery, 0, 60)}, want: "b"},
		{name: "sound while pictures are processed", files: []File{file("a", "audio_only", 0, 60, sound), file("b", gallery, 0, 60, state(Processing))}, awaited: true},
		{name: "sound where the pictures are unusable", files: []File{file("a", "audio_only", 0, 60, sound), file("b", gallery, 0, 60, state(Unusable))}, want: "a", missing: "b"},
		{name: "a worse view is processed", files: []File{file("a", share, 0, 60), file("b", gallery, 0, 60, state(Processing))}, want: "a"},
		{name: "a better view is processed", files: []File{file("a", speaker, 0, 60), file("b", share, 0, -1, state(Processing))}, want: "a", awaited: true},
		{name: "a better view of an archived one is processed", files: []File{file("a", speaker, 0, 60, archived), file("b", share, 0, 60, state(Processing))}, want: "a"},
		{name: "another segment of a worse view is processed", files: []File{file("a", share, 0, 60), file("b", gallery, 100, -1, state(Processing))}, want: "a", awaited: true},
		{name: "processed since the middle", files: []File{file("a", share, 0, 600), file("b", gallery, 300, -1, state(Processing))}, want: "a"},
		{name: "an unusable part between two", files: []File{file("a", share, 0, 60), file("b", share, 70, 80, state(Unusable)), file("c", share, 90, 150)}, want: "a c", missing: "b"},
		{name: "an unusable view beside a good one", files: []File{file("a", share, 0, 60, state(Unusable)), file("b", speaker, 0, 60)}, want: "b"},
		{name: "nothing but unusable", files: []File{file("a", share, 0, 60, state(Unusable))}, missing: "a"},
		{name: "gone", files: []File{file("a", share, 0, 60, state(Gone))}, gone: true},
		{name: "one gone, one there", files: []File{file("a", share, 0, 60, state(Gone)), file("b", share, 100, 160)}, want: "b"},
		{name: "archived stays beside a better view", files: []File{file("a", share, 0, 60), file("b", speaker, 0, 60, archived)}, want: "b"},
		{name: "archived goes where it covers too little", files: []File{file("a", share, 0, 60), file("b", speaker, 0, 60, archived, measured(5))}, want: "a"},
		{name: "what only the archive has stays beside a longer view", files: []File{file("a", speaker, 0, 60, only), file("b", share, 12, 102)}, want: "a"},
		{name: "what only the archive has stays though it plays short", files: []File{file("a", speaker, 0, 60, only, measured(5)), file("b", share, 0, 60)}, want: "a"},
		{name: "the longer duplicate of one that lost to another view", files: []File{file("a", share, 0, 60), file("b", share, 30, 60, archived), file("c", screen, 30, 90, archived)}, want: "a c"},
		{name: "late segments around an archived one", files: []File{file("b", share, 100, 160, archived), file("c", share, 200, 260), file("a", share, 0, 60)}, want: "a b c"},
		{name: "sound that is gone", files: []File{file("a", "audio_only", 0, 60, sound, state(Gone))}, gone: true},
		{name: "sound of pictures that are gone", files: []File{file("a", "audio_only", 0, 60, sound), file("b", gallery, 0, 60, state(Gone))}, want: "a"},
		{name: "one awaited, another not", files: []File{file("a", share, 0, 60), file("b", share, 100, -1, state(Processing)), file("c", gallery, 0, 60, state(Processing))}, want: "a", awaited: true},
		{name: "the same view is processed", files: []File{file("a", share, 0, 60), file("b", share, 0, 60, state(Processing))}, want: "a"},
		{name: "the best view of each stretch", files: []File{file("a", share, 0, 60), file("b", speaker, 0, 60), file("c", speaker, 100, 1000)}, want: "a c"},
		{name: "a better view without an end", files: []File{file("a", share, 0, -1), file("b", speaker, 0, 60)}, want: "a"},
		{name: "a better view, partly without ends", files: []File{file("a", share, 0, -1, archived), file("b", share, 300, 310), file("c", speaker, 0, 600)}, want: "a b"},
		{name: "a view of which a part is archived", files: []File{file("a", speaker, 0, 70, archived), file("b", speaker, 71, 150), file("c", share, 0, 150)}, want: "a b"},
		{name: "the longer of two duplicates", files: []File{file("a", share, 0, 60), file("b", share, 5, 105)}, want: "b"},
		{name: "measured as long as Zoom says", files: []File{file("a", share, 0, 60, measured(60)), file("b", speaker, 0, 60)}, want: "a"},
		{name: "of views that cover too little the longer one", files: []File{
			file("a", gallery, 0, 1000), file("b", "odd", 990, 1000), file("c", share, 985, 1060), file("d", speaker, 985, 1100),
		}, want: "a d"},
		{name: "of equal duplicates the first in time, however listed", files: []File{
			file("b", share, 2, 60), file("a", share, 0, 60), file("c", share, 30, 60, archived), file("d", screen, 30, 90, archived),
		}, want: "a d"},
	} {
		got := Choose(c.files)
		if keys(got.Parts) != c.want || got.Awaited != c.awaited || keys(got.Missing) != c.missing || got.Gone != c.gone {
			t.Errorf("%s: parts %q, awaited %v, missing %q, gone %v; want %q, %v, %q, %v",
				c.name, keys(got.Parts), got.Awaited, keys(got.Missing), got.Gone, c.want, c.awaited, c.missing, c.gone)
		}
	}
}

func TestRank(t *testing.T) {
	for i, view := range []string{share, "shared_screen_with_gallery_view", screen, speaker, "speaker_view", gallery, "odd"} {
		if got := rank(view); got != i {
			t.Errorf("%s ranks %d, want %d", view, got, i)
		}
	}
	if a, b := file("b", share, 0, 60), file("a", speaker, 0, 60); byTime(a, b) >= 0 || byTime(b, a) <= 0 {
		t.Error("of two views that begin together the better one is not the first")
	}
}

// TestDuplicates: which files show the same minutes where an end is not known.
func TestDuplicates(t *testing.T) {
	const none = -1
	for _, c := range []struct {
		from, to           int // of one file
		otherFrom, otherTo int
		want               bool
	}{
		{0, none, 2, none, true},
		{0, none, 3, none, false},
		{98, none, 100, 160, true},
		{97, none, 100, 160, false},
		{103, none, 100, 160, true},
		{157, none, 100, 160, true},
		{158, none, 100, 160, false},
		{200, none, 100, 160, false},
		{60, 60, 0, 600, true},
		{0, 100, 20, 120, true},
		{0, 100, 21, 121, false},
	} {
		a, b := file("a", share, c.from, c.to), file("b", speaker, c.otherFrom, c.otherTo)
		if duplicates(a, b) != c.want || duplicates(b, a) != c.want {
			t.Errorf("%d to %d and %d to %d: %v and %v, want %v", c.from, c.to, c.otherFrom, c.otherTo, duplicates(a, b), duplicates(b, a), c.want)
		}
	}
}

// TestChooseLosesNothing draws lists of files and checks what must hold of every
// choice: each ready file is a part or shows the minutes of one, parts are in time order
// and show different minutes, and the order of the list does not matter.
func TestChooseLosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		files := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) File {
			from := rapid.IntRange(0, 40).Draw(t, "from") * 30
			f := file("", rapid.SampledFrom([]string{share, screen, speaker, gallery, "odd"}).Draw(t, "view"), from, from+rapid.IntRange(1, 20).Draw(t, "long")*30)
			f.Archived = rapid.IntRange(0, 5).Draw(t, "archived") == 0
			return f
		}), 0, 8).Draw(t, "files")
		for i := range files {
			files[i].Key = string(rune('a' + i))
		}
		got := Choose(files)
		for _, f := range files {
			if !slices.ContainsFunc(got.Parts, func(p File) bool { return duplicates(p, f) }) {
				t.Fatalf("%s is in no part: %q", f.Key, keys(got.Parts))
			}
		}
		for i, p := range got.Parts {
			if i > 0 && p.Start.Before(got.Parts[i-1].Start) {
				t.Fatalf("parts are out of order: %q", keys(got.Parts))
			}
			for _, q := range got.Parts[:i] {
				if rank(p.View) == rank(q.View) && duplicates(p, q) {
					t.Fatalf("%s and %s show the same minutes", p.Key, q.Key)
				}
			}
		}
		shuffled := rapid.Permutation(files).Draw(t, "shuffled")
		if again := Choose(shuffled); keys(again.Parts) != keys(got.Parts) {
			t.Fatalf("the order of the list decides: %q, then %q", keys(got.Parts), keys(again.Parts))
		}
	})
}
