package media_test

import (
	"testing"

	"github.com/lectiospace/lectern/internal/media"
)

func TestParseDriveRef(t *testing.T) {
	const id, key = "1aB_c-D9", "0-kEy_1"
	for _, text := range []string{
		id, " " + id + "\n", "\ufeff" + id, id + "\u200b", "\u200e" + id + "\u200f", id + "\u00a0", `"` + id + `"`, "<" + id + ">", "\t'" + id + "' ",
		"https://drive.google.com/file/d/" + id + "/view?usp=sharing",
		"https://drive.google.com/file/d/" + id + "/view?usp=drive_link ",
		"https://drive.google.com/file/d/" + id,
		"https://drive.google.com/file/d/" + id + "/",
		"https://drive.google.com/file/d/" + id + "/edit#gid=0",
		"https://drive.google.com/file/u/1/d/" + id + "/preview",
		"http://drive.google.com/file/d/" + id + "/view",
		"HTTPS://Drive.Google.com/file/d/" + id + "/view",
		"drive.google.com/file/d/" + id + "/view",
		"<https://drive.google.com/file/d/" + id + "/view>",
		"https://drive.google.com/a/example.org/file/d/" + id + "/view",
		"https://drive.google.com/open?id=" + id,
		"https://drive.google.com/open?usp=sharing&amp;id=" + id,
		"https://drive.google.com/uc?export=download&id=" + id,
		"https://drive.google.com/u/0/uc?id=" + id + "&export=download",
		"https://drive.usercontent.google.com/download?id=" + id + "&export=download&confirm=t",
		"https://drive.google.com/drive/folders/" + id + "?usp=sharing",
		"https://drive.google.com/drive/u/0/folders/" + id,
		"https://drive.google.com/drive/mobile/folders/" + id,
		"https://drive.google.com/drive/#folders/" + id,
		"https://drive.google.com/folderview?id=" + id,
		"https://docs.google.com/file/d/" + id + "/edit",
		"https://www.googleapis.com/drive/v3/files/" + id + "?alt=media",
		"https://www.google.com/url?q=https%3A%2F%2Fdrive.google.com%2Ffile%2Fd%2F" + id + "%2Fview&sa=D",
		media.DriveDownloadURL(id),
	} {
		if got, err := media.ParseDriveRef(text); err != nil || got != (media.DriveRef{ID: id}) {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{
		id + "?resourcekey=" + key,
		"https://drive.google.com/file/d/" + id + "/view?usp=sharing&resourcekey=" + key,
		"https://drive.google.com/open?id=" + id + "&resourcekey=" + key + "\u200b",
		"https://drive.google.com/drive/folders/" + id + "?resourcekey=" + key + "&usp=sharing",
	} {
		got, err := media.ParseDriveRef(text)
		if err != nil || got != (media.DriveRef{ID: id, ResourceKey: key}) {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
		if again, err := media.ParseDriveRef(got.String()); err != nil || again != got {
			t.Errorf("%q read again: %+v, %v", got, again, err)
		}
	}
	for _, text := range []string{
		"", " ", "../about", "a/b", "x?alt=media", "a b", "ид",
		"https://drive.google.com/", "https://drive.google.com/drive/my-drive", "https://drive.google.com/file/d//view", "https://drive.google.com/open?id=",
		"https://drive.google.com/file/d/a%2Fb/view", "https://docs.google.com/document/d/e/2PACX-1/pub",
		"https://example.org/file/d/" + id + "/view", "https://drive.google.com.example.org/file/d/" + id, "https://www.google.com/url?q=https://example.org/d/" + id,
		"ftp://drive.google.com/file/d/" + id, id + "?resourcekey=a/b", "https://drive.google.com/open?id=" + id + "&resourcekey=%0d%0aX",
	} {
		if got, err := media.ParseDriveRef(text); media.KindOf(err) != media.Invalid {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
}

func FuzzParseDriveRef(f *testing.F) {
	for _, seed := range []string{"1aB", "https://drive.google.com/file/d/1aB/view?resourcekey=0-k", "https://drive.google.com/drive/#folders/1", "<\u200b1>", "1?resourcekey=2"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := media.ParseDriveRef(text)
		if err != nil {
			return
		}
		if again, err := media.ParseDriveRef(got.String()); err != nil || again != got {
			t.Errorf("%q: %+v, read again %+v, %v", text, got, again, err)
		}
	})
}
