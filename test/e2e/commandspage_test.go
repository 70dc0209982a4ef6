package e2e

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// commandsPage is a page of the documentation whose commands are run.
type commandsPage struct {
	t      *testing.T
	dir    string            // of what the commands make
	values map[string]string // of the variables that the page leaves to the operator
	env    []string          // of commands and units
	blocks []commandBlock
	units  map[string]*process
	calls  chan unitCall
}

// commandBlock is the commands of one block, and the heading that they stand below.
type commandBlock struct{ heading, commands string }

// unitCall is a call of systemctl or journalctl, which the test stands in for.
type unitCall struct {
	verb, unit string
	answer     chan string
}

var (
	headingOrBlock = regexp.MustCompile("(?m)^## (.*)$|(?s)```sh\\n(.*?)```")
	exportOf       = regexp.MustCompile(`(?m)^export ([A-Z_]+)=.*$`)
)

// readPage reads the blocks of commands of a page.
func readPage(t *testing.T, path string, values map[string]string, env ...string) *commandsPage {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	p := &commandsPage{t: t, dir: t.TempDir(), values: values, units: map[string]*process{}, calls: make(chan unitCall)}
	heading := ""
	for _, found := range headingOrBlock.FindAllStringSubmatch(string(text), -1) {
		if found[1] != "" {
			heading = found[1]
			continue
		}
		p.blocks = append(p.blocks, commandBlock{heading, exportOf.ReplaceAllStringFunc(found[2], func(line string) string {
			name := exportOf.FindStringSubmatch(line)[1]
			if value, ok := values[name]; ok {
				return "export " + name + "='" + value + "'"
			}
			return line
		})})
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		call := unitCall{r.FormValue("verb"), r.FormValue("unit"), make(chan string, 1)}
		p.calls <- call
		io.WriteString(w, <-call.answer)
	}))
	t.Cleanup(server.Close)
	for name, script := range map[string]string{
		"systemctl": `exec curl -fsS -d "verb=$1" -d "unit=$2" ` + server.URL,
		// lectern-run gives a command the settings and credentials of the units.
		"lectern-run": p.exportCredentials() + "[ \"$1\" != syncer ] || export " + syncerListener + "\nexec \"$@\"",
		"journalctl":  `exec curl -fsS -d "verb=log" -d "unit=$2" ` + server.URL,
	} {
		if err := os.WriteFile(filepath.Join(p.dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	p.env = append(append(cleanEnv(), "PATH="+p.dir+":"+bin+":"+os.Getenv("PATH")), env...)
	return p
}

// syncerListener keeps the syncer off the gateway's admin listener, as its unit does.
const syncerListener = "LECTERN_ADMIN_LISTEN=127.0.0.1:0"

// unitSecrets are the files of secrets in ETC that the units have settings for, those of
// the pages.
var unitSecrets = map[string]string{"DATABASE_URL": "database-url", "AUTH_JWT_SECRET": "auth-jwt-secret", "ZOOM_WEBHOOK_SECRET": "zoom-webhook-secret"}

// credentials are the settings that the units make of the files in ETC that are there.
func (p *commandsPage) credentials() []string {
	etc := p.values["ETC"]
	env := []string{"LECTERN_CONFIG=" + filepath.Join(etc, "lectern.yaml")}
	for setting, name := range unitSecrets {
		file := filepath.Join(etc, "credentials", name)
		if _, err := os.Stat(file); err == nil {
			env = append(env, "LECTERN_"+setting+"_FILE="+file)
		}
	}
	return env
}

// exportCredentials is credentials as a shell's commands: the files may come later.
func (p *commandsPage) exportCredentials() string {
	etc := p.values["ETC"]
	script := "export LECTERN_CONFIG=" + filepath.Join(etc, "lectern.yaml") + "\n"
	for setting, name := range unitSecrets {
		file := filepath.Join(etc, "credentials", name)
		script += "[ ! -e " + file + " ] || export LECTERN_" + setting + "_FILE=" + file + "\n"
	}
	return script
}

// run runs the blocks below a heading in one shell after another, each with the variables
// that the last one exported, and returns what they print.
func (p *commandsPage) run(heading string) string {
	p.t.Helper()
	var out bytes.Buffer
	ran := 0
	for _, b := range p.blocks {
		if b.heading != heading {
			continue
		}
		ran++
		p.runBlock(b, &out)
	}
	if ran == 0 {
		p.t.Fatalf("there are no commands below %q", heading)
	}
	return out.String()
}

func (p *commandsPage) runBlock(b commandBlock, out *bytes.Buffer) {
	p.t.Helper()
	state := filepath.Join(p.dir, "exported")
	cmd := exec.CommandContext(p.t.Context(), "bash", "-euo", "pipefail", "-c", "[ ! -e "+state+" ] || . "+state+"\n"+b.commands+"\nexport -p > "+state)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = filepath.Join("..", ".."), p.env, out, out
	ended := make(chan error, 1)
	go func() { ended <- cmd.Run() }()
	for {
		select {
		case call := <-p.calls:
			call.answer <- p.call(call)
		case err := <-ended:
			if err != nil {
				p.t.Fatalf("%s: %v\n%s\nThe commands:\n%s", b.heading, err, out, b.commands)
			}
			return
		}
	}
}

// call does what systemctl and journalctl would.
func (p *commandsPage) call(c unitCall) string {
	p.t.Helper()
	program := strings.TrimPrefix(c.unit, "lectern-")
	if c.verb == "log" {
		p.units[program].stderr.find(p.t, "what it would do", func(line string) bool { return strings.Contains(line, "observe: would archive") })
		return p.units[program].stderr.String() + "\n"
	}
	if old := p.units[program]; old != nil && c.verb != "start" {
		old.stop(p.t, syscall.SIGTERM)
	}
	if c.verb == "stop" {
		return ""
	}
	env := append(append([]string{"LECTERN_LOG_FORMAT=json"}, p.env...), p.credentials()...)
	if program == "gateway" {
		env = append(env, "LECTERN_LISTEN="+strings.TrimPrefix(p.values["GATEWAY"], "http://"))
	} else {
		env = append(env, syncerListener)
	}
	unit := start(p.t, env, program, "serve")
	unit.stderr.find(p.t, "the listening line", func(line string) bool { return strings.Contains(line, `"msg":"listening"`) })
	p.units[program] = unit
	return ""
}
