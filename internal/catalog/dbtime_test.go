package catalog_test

import (
	"strings"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/catalog/catalogtest"
)

func TestParseDBTime(t *testing.T) {
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
		got, err := catalog.ParseDBTime(c.in)
		text := got.String()
		if err != nil {
			text = "!"
		}
		if text != c.want {
			t.Errorf("catalog.ParseDBTime(%q) = %q, %v; want %q", c.in, text, err, c.want)
		}
	}
}

func FuzzParseDBTime(f *testing.F) {
	for _, seed := range []string{"2026-11-20T10:00:00Z", "2026-11-20 13:00:00.1+03", "infinity", "9999-12-31 23:59:59-23:59", "0000-01-01"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		got, err := catalog.ParseDBTime(in)
		if err != nil {
			return
		}
		again, err := catalog.ParseDBTime(got.String())
		if err != nil || !again.Equal(got.Time) {
			t.Errorf("%q reads as %q, which reads as %q, %v", in, got, again, err)
		}
		if got.Location() != time.UTC || (!got.IsZero() && !strings.HasSuffix(got.String(), "Z")) {
			t.Errorf("%q is not in UTC: %v", in, got)
		}
	})
}

func TestDBTimeRoundTrip(t *testing.T) {
	catalogtest.EachStandalone(t, func(t *testing.T, open func(testing.TB) *catalogtest.DB) {
		s := open(t)
		s.Exec(t, `INSERT INTO public.accounts_customuser (id, role) VALUES (1, 'teacher')`)
		for _, text := range []string{"2026-11-20T10:00:00Z", "2026-11-20T10:00:00.000001Z", "1969-12-31T23:59:59.999999Z"} {
			want := catalog.NewDBTime(at(text))
			s.Exec(t, `UPDATE public.accounts_customuser SET date_joined = $1`, want)
			var got catalog.DBTime
			if s.One(t, `SELECT date_joined FROM public.accounts_customuser WHERE date_joined = $1`, []any{want}, &got); !got.Equal(want.Time) {
				t.Errorf("%s came back as %s", want, got)
			}
		}
	})
	var s catalog.DBTime
	if err := s.Scan(int64(5)); err == nil {
		t.Error("a number was taken for a time")
	}
}
