package clidoc

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// sample has what the programs' command lines have: settings, commands below commands,
// enumerations, files, arguments, and hidden things.
type sample struct {
	Config string `name:"config" placeholder:"FILE" help:"File with settings."`
	Dir    string `name:"data-dir" placeholder:"DIR" default:"./data" help:"Where it's kept: [here] (default: ${default})."`
	Level  string `name:"log-level" enum:"info,warn" default:"info" help:"Least level … of \\all."`
	Key    string `name:"auth-key" secret:"" help:"A key."`
	Secret string `name:"unseen" hidden:"" help:"Hidden."`

	Serve struct{} `cmd:"" default:"1" help:"Serve."`
	Cache struct {
		Purge struct {
			Quiet      bool    `help:"Say nothing."`
			Recordings []int64 `arg:"" name:"recording" help:"Ids."`
		} `cmd:"" help:"Forget recordings."`
		Stats struct{} `cmd:"" help:"Show."`
	} `cmd:"" help:"The cache."`
	Restore struct {
		File string `arg:"" help:"A backup."`
	} `cmd:"" help:"Restore."`
	Run struct {
		Job string `arg:"" enum:"usage,cleanup" help:"The job."`
	} `cmd:"" help:"Run a job."`
	Debug struct{} `cmd:"" hidden:"" help:"Hidden."`
}

func sampleModel(t *testing.T) *kong.Application {
	t.Helper()
	parser, err := kong.New(&sample{}, kong.Name("sample"), kong.Description("Sample's program: it shows how. It is short."))
	if err != nil {
		t.Fatal(err)
	}
	return parser.Model
}

// TestManual: groff reads the page without a warning, and shows every command and setting.
func TestManual(t *testing.T) {
	var page bytes.Buffer
	if err := Manual(&page, sampleModel(t), "v1.2", []string{"other"}); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("groff", "-man", "-Tutf8", "-ww", "-P-c", "-P-b", "-P-u", "-P-o")
	cmd.Stdin = &page
	var warnings bytes.Buffer
	cmd.Stderr = &warnings
	out, err := cmd.Output()
	if err != nil || warnings.Len() > 0 {
		t.Fatalf("%v %s", err, warnings.String())
	}
	shown := strings.Join(strings.Fields(string(out)), " ")
	for _, want := range []string{
		"SAMPLE(1)", "NAME sample - it shows how. It is short", "sample cache purge <recording>", "--quiet Say nothing.",
		"--log-level=VALUE Least level … of \\all. Default: info.", "Environment: LECTERN_LOG_LEVEL.",
		"LECTERN_AUTH_KEY, or LECTERN_AUTH_KEY_FILE", "--config=FILE File with settings. --data-dir=DIR", "(default: ./data).",
		"other(1)", "Lectern v1.2", "EXIT STATUS",
	} {
		if !strings.Contains(shown, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	for _, hidden := range []string{"unseen", "debug", "Hidden"} {
		if strings.Contains(shown, hidden) {
			t.Errorf("the page says %q", hidden)
		}
	}
	if t.Failed() {
		t.Logf("%s", out)
	}
}

// TestBashCompletion: bash completes what can follow the words of a line.
func TestBashCompletion(t *testing.T) {
	dir := t.TempDir()
	script := filepath.Join(dir, "sample")
	var text bytes.Buffer
	if err := Completion(&text, sampleModel(t), "bash"); err != nil {
		t.Fatal(err)
	}
	for path, content := range map[string]string{script: text.String(), filepath.Join(dir, "here.yaml"): ""} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		words []string // the last is the one that is completed
		want  []string
	}{
		{[]string{""}, []string{"cache", "restore", "run", "serve"}},
		{[]string{"c"}, []string{"cache"}},
		{[]string{"--con"}, []string{"--config"}},
		{[]string{"--un"}, nil},
		{[]string{"cache", ""}, []string{"purge", "stats"}},
		{[]string{"--log-level", "warn", "cache", ""}, []string{"purge", "stats"}},
		{[]string{"--data-dir", "cache", "r"}, []string{"restore", "run"}},
		{[]string{"cache", "purge", "--q"}, []string{"--quiet"}},
		{[]string{"cache", "stats", "--q"}, nil},
		{[]string{"cache", "purge", "--log"}, []string{"--log-level"}},
		{[]string{"--log-level", ""}, []string{"info", "warn"}},
		{[]string{"serve", "--log-level", "=", "w"}, []string{"warn"}},
		{[]string{"serve", "--log-level", "="}, []string{"info", "warn"}},
		{[]string{"--config", "he"}, []string{"here.yaml"}},
		{[]string{"--auth-key", "c"}, nil},
		{[]string{"restore", "he"}, []string{"here.yaml"}},
		{[]string{"run", ""}, []string{"cleanup", "usage"}},
		{[]string{"debug", ""}, []string{"cache", "restore", "run", "serve"}},
	} {
		// compopt works only while bash completes.
		cmd := exec.Command("bash", append([]string{"-uc", `compopt() { :; }; source ` + script + `
			COMP_WORDS=(sample "$@"); COMP_CWORD=$#; _sample; printf '%s\n' "${COMPREPLY[@]}"`, "bash"}, c.words...)...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		got := strings.Fields(string(out))
		slices.Sort(got)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%q: %v %q, want %q", c.words, err, got, c.want)
		}
	}
}

// TestCompletionsAreParsed: the shells that are here find no error in their scripts, and
// hidden flags and commands are in none.
func TestCompletionsAreParsed(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		var script bytes.Buffer
		if err := Completion(&script, sampleModel(t), shell); err != nil {
			t.Fatal(err)
		}
		for _, hidden := range []string{"unseen", "debug"} {
			if strings.Contains(script.String(), hidden) {
				t.Errorf("%s completes %q", shell, hidden)
			}
		}
		for _, want := range []string{"purge", "log-level", "info warn", "usage cleanup", "restore"} {
			if !strings.Contains(script.String(), want) {
				t.Errorf("%s does not complete %q", shell, want)
			}
		}
		program, err := exec.LookPath(shell)
		if err != nil {
			continue // make packages-test installs all three
		}
		cmd := exec.Command(program, "-n", "/dev/stdin")
		cmd.Stdin = &script
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", shell, err, out)
		}
	}
	if err := Completion(&bytes.Buffer{}, sampleModel(t), "tcsh"); err == nil {
		t.Error("a completion of tcsh")
	}
}
