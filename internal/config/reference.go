package config

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/proxy"
)

// referenceSections are the headings of the reference by the first word of a setting's name,
// in the page's order. "" is what has none of them.
var referenceSections = []struct{ name, title string }{
	{"", "General"},
	{"log", "Logs"},
	{"origin", "Origins"},
	{"auth", "Authentication and access"},
	{"session", "Sessions"},
	{"oidc", "Sign-in at a provider"},
	{"limit", "Limits"},
	{"cache", "Cache"},
	{"cors", "CORS"},
	{"embed", "Embedding"},
	{"zoom", "Zoom"},
	{"sync", "Syncer"},
	{"alert", "Alerts"},
}

func isReferenceSection(name string) bool {
	return slices.ContainsFunc(referenceSections, func(heading struct{ name, title string }) bool { return heading.name == name })
}

// documented is a setting as the reference describes it: the flags of the programs that
// have it, the gateway's first.
type documented struct {
	flags    []*kong.Flag
	programs []string
}

// WriteReference writes the page that describes each setting of both programs, in
// Markdown. Everything is read from the flags: name, type, help, default, and the tags
//
//	secret:""        may come from a file of its own
//	needed:"…"       who requires it, and when
//	reload:"…"       SIGHUP applies a change; the text names a limit of that
//	deprecated:"…"   what to use instead
func WriteReference(w io.Writer) error {
	sections := map[string][]*documented{}
	all := documentedSettings()
	names := known{}
	for _, s := range all {
		names[s.flags[0].Name] = true
		section, _, _ := strings.Cut(s.flags[0].Name, "-")
		if !isReferenceSection(section) {
			section = ""
		}
		sections[section] = append(sections[section], s)
	}
	var page strings.Builder
	page.WriteString(referenceHead)
	for _, heading := range referenceSections {
		fmt.Fprintf(&page, "| **%s** | | | |\n", heading.title)
		for _, s := range sections[heading.name] {
			name := s.flags[0].Name
			fmt.Fprintf(&page, "| [`%s`](#%s) | %s | %s | %s |\n", name, name, s.defaultValue(), strings.Join(s.programs, ", "), s.atReload())
		}
	}
	for _, heading := range referenceSections {
		fmt.Fprintf(&page, "\n## %s\n", heading.title)
		for _, s := range sections[heading.name] {
			s.write(&page, names)
		}
	}
	_, err := io.WriteString(w, page.String())
	return err
}

// referenceHead is the page's beginning, to which the overview's rows are added.
const referenceHead = `# Configuration reference

Every setting of ` + "`gateway` and `syncer`" + `. This page is made from the programs' own settings by ` + "`make reference`" + `; the texts are those of
` + "`--help`" + `. [configuration.md](configuration.md) says how settings are given, read and reloaded.
What SIGHUP does not apply takes a restart.

| setting | default | program | applied by SIGHUP |
|---|---|---|---|
`

// documentedSettings lists the settings of both programs in the order of their flags,
// the gateway's first.
func documentedSettings() (all []*documented) {
	for _, program := range []struct {
		name string
		cli  any
	}{
		{"gateway", &struct {
			Settings `embed:""`
		}{}},
		{"syncer", &struct {
			SyncerSettings `embed:""`
		}{}},
	} {
		parser, err := kong.New(program.cli, kong.Exit(func(int) {}), varsOf(program.name))
		if err != nil {
			panic("BUG: " + err.Error())
		}
		for _, flag := range parser.Model.Flags {
			switch flag.Name {
			case "help", "version", "config", "print-config":
				continue
			}
			at := slices.IndexFunc(all, func(s *documented) bool { return s.flags[0].Name == flag.Name })
			if at < 0 {
				at, all = len(all), append(all, &documented{})
			}
			all[at].flags = append(all[at].flags, flag)
			all[at].programs = append(all[at].programs, program.name)
		}
	}
	return all
}

// ReloadedSettings lists the settings of a program that SIGHUP applies, in the order of
// its flags.
func ReloadedSettings(program string) (names []string) {
	for _, s := range documentedSettings() {
		if slices.Contains(s.programs, program) && s.flags[0].Tag.Has("reload") {
			names = append(names, s.flags[0].Name)
		}
	}
	return names
}

var (
	// helpDefault is a default that a help text has because the flag has none, or does not show it.
	helpDefault = regexp.MustCompile(` ?\(default: (.*)\)(\.?)$`)
	// helpType is a type that a help text has, as "(size, 64KiB to 64MiB)" or "(any|playback)".
	helpType = regexp.MustCompile(` \((duration|size|number)((?:, [^)]*)?)\)| \([a-z]+(?:\|[a-z]+)+\)`)
)

// write writes the setting's own part of the page.
func (s *documented) write(page *strings.Builder, names known) {
	flag := s.flags[0]
	help := helpType.ReplaceAllString(helpDefault.ReplaceAllString(flag.Help, "$2"), "")
	fmt.Fprintf(page, "\n### `%s`\n\n%s\n\n", flag.Name, names.linked(markdownText(help)))
	fmt.Fprintf(page, "* %s\n", s.spellings())
	fmt.Fprintf(page, "* %s. Default: %s\n", s.typeName(), s.defaultValue())
	if needed := flag.Tag.Get("needed"); needed != "" {
		fmt.Fprintf(page, "* Required %s\n", names.linked(needed))
	}
	if flag.Tag.Has("secret") {
		fmt.Fprintf(page, "* Secret, better given as a file: `%s_FILE`, `%s_file`\n", flagToEnv(flag.Name), strings.Join(flagToPath(flag.Name), "."))
	}
	if instead := flag.Tag.Get("deprecated"); instead != "" {
		fmt.Fprintf(page, "* Deprecated: %s\n", instead)
	}
	fmt.Fprintf(page, "* Used by the %s\n", strings.Join(s.programs, " and the "))
	switch at := s.atReload(); at {
	case "":
	case "yes":
		page.WriteString("* Can be changed while the program runs: SIGHUP\n")
	default:
		fmt.Fprintf(page, "* Can be changed while the program runs, by SIGHUP: %s\n", at)
	}
}

// spellings are the setting's flag, variable and key.
func (s *documented) spellings() string {
	flag := s.flags[0]
	spelling := "--" + flag.Name
	if flag.Tag.Negatable != "" {
		spelling = "--[no-]" + flag.Name
	}
	return fmt.Sprintf("`%s`, `%s`, `%s`", spelling, flagToEnv(flag.Name), strings.Join(flagToPath(flag.Name), "."))
}

// typeName is the type of the setting's values, with the values that are allowed where
// the flag or its help names them.
func (s *documented) typeName() string {
	flag := s.flags[0]
	if flag.Enum != "" {
		return "One of `" + strings.Join(flag.EnumSlice(), "`, `") + "`"
	}
	if strings.Contains(flag.PlaceHolder, "|") && strings.ToLower(flag.PlaceHolder) == flag.PlaceHolder {
		return "One of `" + strings.ReplaceAll(flag.PlaceHolder, "|", "`, `") + "`"
	}
	var limits string
	if m := helpType.FindStringSubmatch(flag.Help); m != nil {
		limits = m[2]
	}
	switch flag.Target.Interface().(type) {
	case time.Duration:
		return "Duration" + limits
	case media.Size:
		return "Size" + limits
	case bool:
		return "`true` or `false`"
	case []string:
		return "List"
	case int:
		return "Number" + limits
	case proxy.Rate:
		return "Number per second, as `20/s`"
	}
	if placeholder := flag.PlaceHolder; placeholder != "" && placeholder != flag.Default {
		return "Text, `" + placeholder + "`"
	}
	return "Text"
}

// defaultValue is the default of the setting, for each program where they differ.
func (s *documented) defaultValue() string {
	flag := s.flags[0]
	if m := helpDefault.FindStringSubmatch(flag.Help); m != nil && !flag.HasDefault {
		if strings.HasPrefix(m[1], "<") || strings.Contains(m[1], "://") {
			return "`" + m[1] + "`"
		}
		return markdownText(m[1])
	}
	switch {
	case !flag.HasDefault:
		return "none"
	case len(s.flags) > 1 && s.flags[1].Default != flag.Default:
		return fmt.Sprintf("`%s`, %s `%s`", flag.Default, s.programs[1], s.flags[1].Default)
	}
	return "`" + flag.Default + "`"
}

// atReload says what SIGHUP applies of a change of the setting, "" for nothing.
func (s *documented) atReload() string {
	tag := s.flags[0].Tag
	if limit := tag.Get("reload"); limit != "" || !tag.Has("reload") {
		return limit
	}
	return "yes"
}

// settingName is what may be a setting's name in a text; no setting that texts mention is
// a single word.
var settingName = regexp.MustCompile(`[a-z0-9]+(?:-[a-z0-9]+)+`)

// linked makes the settings that a text names links to their headings.
func (k known) linked(text string) string {
	return settingName.ReplaceAllStringFunc(text, func(name string) string {
		if _, ok := k[name]; !ok {
			return name
		}
		return "[`" + name + "`](#" + name + ")"
	})
}

// markdownText escapes what Markdown would take for HTML or for the end of a cell.
func markdownText(text string) string {
	return strings.NewReplacer("<", "&lt;", ">", "&gt;", "|", "\\|", "*", "\\*", "_", "\\_").Replace(text)
}
