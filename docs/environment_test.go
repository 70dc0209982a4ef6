package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// environmentReaders are functions that read variables whose names are not in their calls,
// by package and name, with the variables that configuration.md must name for them.
var environmentReaders = map[string][]string{
	"activation.Files":                     {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"},
	"config.LoadDefaultConfig":             {"AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"},
	"daemon.SdNotify":                      {"NOTIFY_SOCKET"},
	"daemon.SdWatchdogEnabled":             {"WATCHDOG_USEC", "WATCHDOG_PID"},
	"azidentity.NewDefaultAzureCredential": {"AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_SECRET"},
	"http.ProxyFromEnvironment":            {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"},
	"pgx.ParseConfig":                      {"PGSSLMODE", "PGSSLROOTCERT", "PGPASSFILE"},
	"pgxpool.ParseConfig":                  {"PGSSLMODE", "PGSSLROOTCERT", "PGPASSFILE"},
}

// testPackages are below internal and are in no program.
var testPackages = []string{"pgtest", "emulator", "systemdtest", "catalogtest", "synctest", "syncertest", "tracetest", "failpoint"}

// TestEnvironmentVariables checks that configuration.md names the variables that the
// programs read beside those of their settings.
func TestEnvironmentVariables(t *testing.T) {
	page, found := section(t, "docs/configuration.md", "Other environment variables"), map[string]bool{}
	named := func(where, variable string) {
		found[variable] = true
		if !strings.Contains(page, "`"+variable+"`") {
			t.Errorf("%s reads %s, which configuration.md does not name", where, variable)
		}
	}
	for _, path := range goFiles(t, "internal", "cmd") {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				for _, variable := range environmentReaders[selected(n)] {
					named(path, variable)
				}
			case *ast.CallExpr:
				if name := selected(n.Fun); name != "os.Getenv" && name != "os.LookupEnv" {
					return true
				}
				literal, ok := n.Args[0].(*ast.BasicLit)
				if !ok {
					t.Errorf("%s reads a variable whose name is not a literal", path)
					return true
				}
				variable, err := strconv.Unquote(literal.Value)
				if err != nil {
					t.Fatal(err)
				}
				named(path, variable)
			}
			return true
		})
	}
	for _, variable := range []string{"PATH", "NOTIFY_SOCKET", "LISTEN_FDS", "HTTPS_PROXY", "PGSSLMODE"} {
		if !found[variable] {
			t.Errorf("nothing was found that reads %s: is this test looking at the right files?", variable)
		}
	}
}

// selected is a selector as "package.Name", "" for anything else.
func selected(n ast.Expr) string {
	if s, ok := n.(*ast.SelectorExpr); ok {
		if x, ok := s.X.(*ast.Ident); ok {
			return x.Name + "." + s.Sel.Name
		}
	}
	return ""
}

// goFiles lists the Go files below directories of the repository that can be part of a
// program.
func goFiles(t *testing.T, dirs ...string) (paths []string) {
	t.Helper()
	for _, dir := range dirs {
		err := filepath.WalkDir(filepath.Join("..", dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.IsDir() {
				for _, name := range testPackages {
					if d.Name() == name {
						return filepath.SkipDir
					}
				}
			}
			if strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
				paths = append(paths, path)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return paths
}
