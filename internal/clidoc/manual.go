package clidoc

import (
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/alecthomas/kong"
)

// Manual writes a manual page of section 1 in roff (man(7)). version is printed at its
// foot, related are the pages that SEE ALSO names. The variable and the secret's file of
// a flag follow the rules of package config.
func Manual(w io.Writer, app *kong.Application, version string, related []string) error {
	m := &manual{program: app.Name}
	m.line(".TH %s 1 \"\" \"Lectern %s\" \"Lectern\"", strings.ToUpper(app.Name), quoted(version))
	summary := strings.TrimSuffix(app.Help[strings.Index(app.Help, ": ")+1:], ".")
	m.section("NAME")
	m.line("%s \\- %s", escaped(app.Name), escaped(strings.TrimSpace(summary)))
	m.section("SYNOPSIS")
	m.line(".B %s", escaped(app.Name))
	m.line("[\\fIcommand\\fR] [\\fIsettings\\fR ...]")
	m.section("DESCRIPTION")
	m.text(app.Help)
	m.paragraph("Without a command it serves. Every setting can be given as a flag, as an environment variable and as a key of the YAML file that --config names, in this order of precedence: --cache-size, LECTERN_CACHE_SIZE, and size below cache.")
	m.section("COMMANDS")
	for _, c := range commandsOf(app)[1:] {
		if len(c.children()) == 0 {
			m.command(c)
		}
	}
	m.section("SETTINGS")
	for _, flag := range (command{node: app.Node}).flags() {
		m.flag(flag)
		if !unset(flag) {
			m.variables(flag)
		}
	}
	m.section("EXIT STATUS")
	m.term("0", "Success.")
	m.term("1", "Failure; the reason is on standard error.")
	m.term("2", "Wrong usage or configuration; one line names the setting and what is right.")
	m.section("FILES")
	m.term("/etc/lectern/lectern.yaml", "The settings of the systemd units.")
	m.term("/etc/lectern/credentials/", "The secrets of the systemd units, a file each.")
	m.section("SEE ALSO")
	for i, page := range related {
		separator := ","
		if i == len(related)-1 {
			separator = ""
		}
		m.line(".BR %s (1)%s", escaped(page), separator)
	}
	_, err := io.WriteString(w, m.roff.String())
	return err
}

// unset reports whether a flag asks for something instead of setting it, so that no
// variable and no file spells it.
func unset(flag *kong.Flag) bool {
	return flag.Name == "help" || flag.Name == "version" || flag.Name == "config" || flag.Name == "print-config"
}

// manual collects the page.
type manual struct {
	program string
	roff    strings.Builder
}

func (m *manual) line(format string, args ...any) { fmt.Fprintf(&m.roff, format+"\n", args...) }

func (m *manual) section(title string) { m.line(".SH %s", title) }

// text writes running text that begins on a line of its own.
func (m *manual) text(s string) { m.line("%s", escaped(s)) }

func (m *manual) paragraph(s string) {
	m.line(".PP")
	m.text(s)
}

func (m *manual) term(name, s string) {
	m.line(".TP\n.B %s", escaped(name))
	m.text(s)
}

// command writes a command that runs, with its arguments and its own flags.
func (m *manual) command(c command) {
	usage := m.program + " " + strings.Join(c.path, " ")
	for _, argument := range c.node.Positional {
		usage += " " + argument.Summary()
	}
	m.line(".SS %s", escaped(usage))
	m.text(c.node.Help)
	for node := c.node; node.Type == kong.CommandNode; node = node.Parent {
		if node.Detail != "" {
			m.paragraph(node.Detail)
		}
		for _, argument := range node.Positional {
			m.term("<"+argument.Name+">", argument.Help)
		}
		for _, flag := range (command{node: node}).flags() {
			m.flag(flag)
		}
	}
}

// flag writes a flag, its help and its default.
func (m *manual) flag(flag *kong.Flag) {
	m.line(".TP")
	spelled := "\\fB" + escaped("--"+flag.Name) + "\\fR"
	if flag.Short != 0 {
		spelled = "\\fB" + escaped("-"+string(flag.Short)) + "\\fR, " + spelled
	}
	if kind, _ := valueOf(flag.Value, flag.PlaceHolder); kind != noValue {
		spelled += "=\\fI" + escaped(placeholder(flag)) + "\\fR"
	}
	m.line("%s", spelled)
	help := flag.Help
	if flag.HasDefault && flag.Default != "" && !strings.Contains(help, "(default:") {
		help += " Default: " + flag.Default + "."
	}
	m.text(help)
}

// placeholder names a flag's value; the default is said in the help's text.
func placeholder(flag *kong.Flag) string {
	if flag.PlaceHolder == "" && flag.HasDefault {
		return "VALUE"
	}
	return flag.FormatPlaceHolder()
}

// variables writes how the environment spells a setting.
func (m *manual) variables(flag *kong.Flag) {
	name := "LECTERN_" + strings.ToUpper(strings.ReplaceAll(flag.Name, "-", "_"))
	m.line(".br")
	if flag.Tag.Has("secret") {
		m.text("Environment: " + name + ", or " + name + "_FILE with the name of a file.")
		return
	}
	m.text("Environment: " + name + ".")
}

// escaped is text that roff prints as it is. A hyphen becomes a minus sign, so that a
// flag can be copied from the page, and what is not ASCII is named by its code point:
// roff's input has no encoding.
func escaped(s string) string {
	var b strings.Builder
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		b.WriteString(`\&`)
	}
	for _, r := range s {
		switch {
		case r == '\\':
			b.WriteString(`\e`)
		case r == '-':
			b.WriteString(`\-`)
		case r == '\n':
			b.WriteByte(' ')
		case r > unicode.MaxASCII:
			fmt.Fprintf(&b, `\[u%04X]`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// quoted is text inside the quotation marks of a request's argument.
func quoted(s string) string { return strings.ReplaceAll(escaped(s), `"`, `\(dq`) }
