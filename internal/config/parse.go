package config

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"sort"
	"strings"

	"github.com/alecthomas/kong"
)

// Error is wrong usage or configuration: the program ends with exit code 2.
type Error struct {
	Setting string // flag form of the name, as "cache-size", or ""
	Source  string // of its value, as "flag --cache-size"
	Problem string // what is wrong and what would be right; it never has a secret's value
}

// Error is one line.
func (e *Error) Error() string {
	s := e.Problem
	if e.Setting != "" {
		s = e.Setting + ": " + s
	}
	if e.Source != "" {
		s += " (" + e.Source + ")"
	}
	return strings.ReplaceAll(s, "\n", " ")
}

// ErrDone is the error of Parse after --help or --version has been printed.
var ErrDone = errors.New("done")

// Parsed is a command line that was understood.
type Parsed struct {
	kong *kong.Context
	// Warnings name environment variables that are not settings.
	Warnings []string
}

// Run runs the chosen command; its Run method gets ctx and the values of bind, by type.
func (p *Parsed) Run(ctx context.Context, bind ...any) error {
	p.kong.BindTo(ctx, (*context.Context)(nil))
	return p.kong.Run(bind...)
}

// exited unwinds the stack when kong wants to end the process.
type exited struct{}

// Parse reads args, environ and the configuration file into cli, which embeds
// Settings and holds the commands. Errors are *Error; ErrDone after --help.
func Parse(program, description string, cli Group, args, environ []string, stdout, stderr io.Writer) (*Parsed, error) {
	return input{program, description, args, environ, stdout, stderr}.parse(cli, nil, nil)
}

// input is where the settings of a process come from. It stays the same as long as the
// process runs; the files that it names may change.
type input struct {
	program, description string
	args, environ        []string
	stdout, stderr       io.Writer
}

// parse reads the settings into cli. The values that current has for the settings of kept
// are used instead of those from the environment and the file.
func (in input) parse(cli, current Group, kept map[string]bool) (_ *Parsed, err error) {
	program, description, args, environ := in.program, in.description, in.args, in.environ
	version, commit := Version()
	parser, err := kong.New(cli,
		kong.Name(program), kong.Description(description), kong.Writers(in.stdout, in.stderr),
		kong.Vars{"version": fmt.Sprintf("%s %s (%s)", program, version, commit)}, varsOf(program),
		kong.Exit(func(int) { panic(exited{}) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: false}),
		kong.Help(helpWithEnvironment),
	)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	defer func() {
		switch r := recover().(type) {
		case nil:
		case exited:
			err = ErrDone
		default:
			panic(r)
		}
	}()
	all := knownOf(parser.Model)
	values := &resolver{environment: map[string]given{}, empty: map[string]string{}}
	warnings, err := values.readEnvironment(environ, all)
	if err != nil {
		return nil, err
	}
	if path, source := configPath(args, environ); path != "" {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, &Error{Setting: "config", Source: source, Problem: err.Error()}
		}
		if values.file, err = readFile(path, data, all); err != nil {
			return nil, err
		}
	}
	for name := range kept {
		for _, spelling := range []string{name, name + "-file"} {
			delete(values.environment, spelling)
			delete(values.file, spelling)
		}
	}
	if err := values.readSecrets(all); err != nil {
		return nil, err
	}
	if err := kong.Resolvers(values).Apply(parser); err != nil {
		panic("BUG: " + err.Error())
	}
	ctx, err := parser.Parse(args)
	if values.err != nil {
		return nil, values.err
	}
	if err != nil {
		return nil, &Error{Source: "command line", Problem: err.Error()}
	}
	defaults := defaultsOf(parser.Model)
	cli.base().source = func(name string) (string, bool) {
		_, ok := all[name]
		return values.sourceOf(name, args, defaults), ok
	}
	cli.base().cleaned = values.cleaned
	cli.base().input, cli.base().model = in, parser.Model
	for name := range kept {
		flagOf(parser.Model, name).Target.Set(flagOf(current.base().model, name).Target)
	}
	cli.base().secretFlags = secretFlags(args, all)
	cli.setDerived()
	if name, problem := cli.check(); name != "" {
		return nil, &Error{Setting: name, Source: values.sourceOf(name, args, defaults), Problem: problem}
	}
	return &Parsed{kong: ctx, Warnings: warnings}, nil
}

// varsOf are the defaults in which the programs differ.
func varsOf(program string) kong.Vars {
	if program == "syncer" {
		return kong.Vars{"listen": "127.0.0.1:8081", "admin_listen": "127.0.0.1:9091"}
	}
	return kong.Vars{"listen": "127.0.0.1:8080", "admin_listen": "127.0.0.1:9090"}
}

// knownOf lists this program's settings from its flags, and the other's: one file
// and one environment serve both.
func knownOf(model *kong.Application) known {
	all := known{}
	add := func(flags []*kong.Flag) {
		for _, flag := range flags {
			if flag.Name != "help" && flag.Name != "version" && flag.Name != "config" && flag.Name != "print-config" {
				all[flag.Name] = flag.Tag.Has("secret")
			}
		}
	}
	for _, program := range []any{&struct {
		Settings `embed:""`
	}{}, &struct {
		SyncerSettings `embed:""`
	}{}} {
		other, err := kong.New(program, kong.Exit(func(int) {}), varsOf("gateway"))
		if err != nil {
			panic("BUG: " + err.Error())
		}
		add(other.Model.Flags)
	}
	add(model.Flags)
	return all
}

// configPath finds --config before the other flags can be read.
func configPath(args, environ []string) (path, source string) {
	for i, arg := range args {
		if arg == "--" {
			break
		}
		if value, ok := strings.CutPrefix(arg, "--config="); ok {
			return value, "flag --config"
		}
		if arg == "--config" && i+1 < len(args) {
			return args[i+1], "flag --config"
		}
	}
	for _, e := range environ {
		if value, ok := strings.CutPrefix(e, "LECTERN_CONFIG="); ok {
			return value, "environment LECTERN_CONFIG"
		}
	}
	return "", ""
}

// resolver provides kong with the values that the command line does not have.
type resolver struct {
	environment, file map[string]given
	err               *Error            // the first bad value
	empty             map[string]string // the files of secrets that are empty, by setting
	cleaned           []string          // secrets whose files had invisible bytes, with their source
}

// readEnvironment reads the LECTERN_ variables. Unknown ones are warnings, because an
// environment is shared with other programs, and so are empty ones: mostly a secret that a
// script did not find.
func (r *resolver) readEnvironment(environ []string, all known) (warnings []string, err error) {
	var platform given
	for _, e := range environ {
		key, value, _ := strings.Cut(e, "=")
		source := "environment " + key
		if key == platformZoomSecret && value != "" {
			platform = given{value, source}
		}
		if !strings.HasPrefix(key, "LECTERN_") || key == "LECTERN_CONFIG" {
			continue
		}
		name := envToFlag(key)
		_, ok := all[name]
		base, isFile := strings.CutSuffix(name, "-file")
		if !ok && !(isFile && all[base]) {
			warning := key + " is not a setting"
			if near := all.nearest(name); near != "" {
				warning += "; did you mean " + flagToEnv(near) + "?"
			}
			warnings = append(warnings, warning)
			continue
		}
		if value == "" {
			warnings = append(warnings, key+" is set but empty, which is as if it were not set")
			continue
		}
		r.environment[name] = given{value, source}
	}
	const own = "zoom-webhook-secret"
	_, plain := r.environment[own]
	_, inFile := r.environment[own+"-file"]
	if platform.source != "" && !plain && !inFile {
		r.environment[own] = platform
	}
	sort.Strings(warnings)
	return warnings, nil
}

// platformZoomSecret is the platform's own name for the webhook's secret; Lectern's
// overrides it where both are set.
const platformZoomSecret = "ZOOM_WEBHOOK_SECRET_TOKEN"

// readSecrets replaces each …-file by the content of the file. An empty file counts as not
// set: the units have one for each secret that is not given to them.
func (r *resolver) readSecrets(all known) error {
	for _, layer := range []map[string]given{r.environment, r.file} {
		for name, g := range layer {
			base, isFile := strings.CutSuffix(name, "-file")
			if _, plain := all[name]; plain || !isFile {
				continue
			}
			secret, cleaned, err := readSecretFile(g.value)
			if err != nil {
				return &Error{Setting: name, Source: g.source, Problem: err.Error()}
			}
			if secret == "" {
				delete(layer, name)
				r.empty[base] = g.value
				continue
			}
			if _, both := layer[base]; both {
				return &Error{Setting: base, Source: g.source, Problem: "is given both by itself and as a file; give one"}
			}
			if cleaned {
				r.cleaned = append(r.cleaned, fmt.Sprintf("%s (%s)", base, g.source))
			}
			layer[base] = given{secret, g.source}
		}
	}
	return nil
}

// Validate implements kong.Resolver.
func (r *resolver) Validate(*kong.Application) error { return nil }

// Resolve implements kong.Resolver. It tries the value first, so that an error
// can name where the value came from.
func (r *resolver) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	g, ok := r.environment[flag.Name]
	if !ok {
		if g, ok = r.file[flag.Name]; !ok {
			return nil, nil
		}
	}
	target := reflect.New(flag.Target.Type()).Elem()
	err := flag.Value.Parse(kong.ScanFromTokens(kong.Token{Type: kong.FlagValueToken, Value: g.value}), target)
	if err == nil && flag.Enum != "" && !slices.Contains(flag.EnumSlice(), g.value) {
		err = fmt.Errorf("%q is not one of %s", g.value, strings.Join(flag.EnumSlice(), ", "))
	}
	if err != nil {
		if r.err == nil {
			problem := strings.TrimPrefix(err.Error(), "--"+flag.Name+": ")
			if flag.Tag.Has("secret") {
				problem = "cannot be read"
			}
			r.err = &Error{Setting: flag.Name, Source: g.source, Problem: problem}
		}
		return nil, r.err
	}
	return g.value, nil
}

// defaultsOf returns which settings have a default.
func defaultsOf(model *kong.Application) map[string]bool {
	defaults := map[string]bool{}
	for _, flag := range model.Flags {
		defaults[flag.Name] = flag.HasDefault
	}
	return defaults
}

// sourceOf names the source of a setting's value, for errors.
func (r *resolver) sourceOf(name string, args []string, defaults map[string]bool) string {
	for _, arg := range args {
		if arg == "--"+name || strings.HasPrefix(arg, "--"+name+"=") {
			return "flag --" + name
		}
	}
	if g, ok := r.environment[name]; ok {
		return g.source
	}
	if path := r.empty[name]; path != "" && r.file[name].value == "" {
		return "its file " + path + " is empty"
	}
	if g, ok := r.file[name]; ok {
		return g.source
	}
	if defaults[name] {
		return "default"
	}
	return fmt.Sprintf("not set by --%s, %s or a file", name, flagToEnv(name))
}

// secretFlags lists the secrets whose values are on the command line, in order.
func secretFlags(args []string, all known) (names []string) {
	for _, arg := range args {
		if arg == "--" {
			break
		}
		flag, _, _ := strings.Cut(arg, "=")
		name, ok := strings.CutPrefix(flag, "--")
		if ok && all[name] && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// helpWithEnvironment adds the environment's spelling to kong's own help.
func helpWithEnvironment(options kong.HelpOptions, ctx *kong.Context) error {
	if err := kong.DefaultHelpPrinter(options, ctx); err != nil {
		return err
	}
	_, err := fmt.Fprintln(ctx.Stdout, "\nEvery setting has three spellings: --cache-size, LECTERN_CACHE_SIZE, and cache: {size: …} in the file that --config names. Secrets also come from files: LECTERN_AUTH_JWT_SECRET_FILE.")
	return err
}
