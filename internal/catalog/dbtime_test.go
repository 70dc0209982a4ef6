package catalog

import (
	"strings"
	"testing"
	"time"
)

func TestParseStamp(t *testing.T) {
	cases := []struct{ in, want string }{ // want "" is NULL, "!" an error
		{"2026-11-20T10:00:00Z", "2026-11-20T10:00:00Z"},
		{"2026-11-20 10:00:00", "2026-11-20T10:00:00Z"},
		{"2026-11-20t10:00:00z", "2026-11-20T10:00:00Z"},
		{" 2026-11-20 10:00 ", "2026-11-20T10:00:00Z"},
		{"2026-11-20 13:00:00+03", "2026-11-20T10:00:00Z"},
		{"2026-11-20 13:00:00 +03:00", "2026-11-20T10:00:00Z"},
		{"2026-11-20T13:30:00+0330", "2026-11-20T10:00:00Z"},
		{"2026-11-20T04:30:00-05:30", "2026-11-20T10:00:00Z"},
		{"2026-11-20 10:00:00+00", "2026-11-20T10:00:00Z"},
		{"2026-11-20T10:00:00.5Z", "2026-11-20T10:00:00.500000Z"},
		{"2026-11-20T10:00:00.123456789Z", "2026-11-20T10:00:00.123456Z"},
		{"2026-11-20T10:00:00.000000Z", "2026-11-20T10:00:00Z"},
		{"2026-11-20", "2026-11-20T00:00:00Z"},
		{"", ""},
		{"infinity", ""},
		{"-infinity", "1970-01-01T00:00:00Z"},
		{"0001-01-01T00:00:00Z", "!"},
		{"2026-13-20", "!"},
		{"tomorrow", "!"},
		{"2026-11-20T25:00:00Z", "!"},
		{"1763632800", "!"},
	}
	for _, c := range cases {
		got, err := ParseDBTime(c.in)
		text := got.String()
		if err != nil {
			text = "!"
		}
		if text != c.want {
			t.Errorf("ParseDBTime(%q) = %q, %v; want %q", c.in, text, err, c.want)
		}
	}
}

func FuzzParseStamp(f *testing.F) {
	for _, seed := range []string{"2026-11-20T10:00:00Z", "2026-11-20 13:00:00.1+03", "infinity", "9999-12-31 23:59:59-23:59", "0000-01-01"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		got, err := ParseDBTime(in)
		if err != nil {
			return
		}
		again, err := ParseDBTime(got.String())
		if err != nil || !again.Equal(got.Time) {
			t.Errorf("%q reads as %q, which reads as %q, %v", in, got, again, err)
		}
		if got.Location() != time.UTC || (!got.IsZero() && !strings.HasSuffix(got.String(), "Z")) {
			t.Errorf("%q is not in UTC: %v", in, got)
		}
	})
}

func TestStampThroughTheDatabase(t *testing.T) {
	standalone(t, func(t *testing.T, open func(*testing.T) *Store) {
		s := open(t)
		run(t, s, `INSERT INTO public.accounts_customuser (id, role) VALUES (1, 'teacher')`)
		for _, text := range []string{"2026-11-20T10:00:00Z", "2026-11-20T10:00:00.000001Z", "1969-12-31T23:59:59.999999Z"} {
			want := NewDBTime(at(text))
			run(t, s, `UPDATE public.accounts_customuser SET date_joined = $1`, want)
			var got DBTime
			if err := s.one(t.Context(), s.db, `SELECT date_joined FROM public.accounts_customuser WHERE date_joined = $1`, []any{want}, &got); err != nil || !got.Equal(want.Time) {
				t.Errorf("%s came back as %s, %v", want, got, err)
			}
		}
	})
	var s DBTime
	if err := s.Scan(int64(5)); err == nil {
		t.Error("a number was taken for a time")
	}
}

func TestSpell(t *testing.T) {
	in := `SELECT $1, $12 FROM public.schedule_lesson l JOIN lectern.lectern_layout x ON l.public = $1`
	want := `SELECT ?1, ?12 FROM schedule_lesson l JOIN lectern_layout x ON l.public = ?1`
	if got := SQLite.rewrite(in); got != want {
		t.Errorf("%s", got)
	}
	if got := Postgres.rewrite(in); got != in {
		t.Errorf("%s", got)
	}
}
