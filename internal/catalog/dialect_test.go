package catalog

import "testing"

func TestRewrite(t *testing.T) {
	in := `SELECT $1, $12 FROM public.schedule_lesson l JOIN lectern.lectern_layout x ON l.public = $1`
	want := `SELECT ?1, ?12 FROM schedule_lesson l JOIN lectern_layout x ON l.public = ?1`
	if got := SQLite.rewrite(in); got != want {
		t.Errorf("%s", got)
	}
	if got := Postgres.rewrite(in); got != in {
		t.Errorf("%s", got)
	}
}
