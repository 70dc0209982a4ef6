package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMeasure(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{
		"a/a.go":          "package a\n\ntype I interface {\n\tOne()\n\tTwo()\n}\n\nfunc Short() {}\n\nfunc (*T[K]) Long(a, b int, c string) {\n\t_ = a\n}\n\ntype T[K any] struct{}\n",
		"a/a_test.go":     "package a\n\nfunc helper() {}\n",
		"a/testdata/x.go": "not Go at all",
	} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		tests bool
		want  []string
	}{
		{false, []string{
			"lines per package\n     14  a\n", "     14  a/a.go\n", "lines per function: 2, median 3, p90 3\n      3  a T.Long\n      1  a Short\n",
			"parameters per function: 2, median 3, p90 3\n      3  a T.Long\n", "methods per interface: 1, median 2, p90 2\n      2  a I\n",
		}},
		{true, []string{"      1  a helper\n", "methods per interface: 0, median 0, p90 0\n"}},
	} {
		all, err := measure(root, c.tests)
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		all.print(&out, 10)
		for _, want := range c.want {
			if !strings.Contains(out.String(), want) {
				t.Errorf("tests %v: %q is missing in\n%s", c.tests, want, out.String())
			}
		}
	}
}
