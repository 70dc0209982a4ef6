package clidoc

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// Completion writes a script that completes the program's commands, flags and known
// values in a shell: bash, zsh or fish.
func Completion(w io.Writer, app *kong.Application, shell string) error {
	var script string
	switch shell {
	case "bash":
		script = bash(app)
	case "zsh":
		script = zsh(app)
	case "fish":
		script = fish(app)
	default:
		return fmt.Errorf("no completion for the shell %q", shell)
	}
	_, err := io.WriteString(w, script)
	return err
}

// flagsTakingValues lists the flags of the program and its commands that take a value,
// each name once.
func flagsTakingValues(app *kong.Application) (all []*kong.Flag) {
	for _, c := range commandsOf(app) {
		for _, flag := range c.flags() {
			kind, _ := valueOf(flag.Value, flag.PlaceHolder)
			if kind != noValue && !slices.ContainsFunc(all, func(f *kong.Flag) bool { return f.Name == flag.Name }) {
				all = append(all, flag)
			}
		}
	}
	return all
}

// bash finds the command by walking over the words before the cursor. Bash splits
// --flag=value at the sign, which is in COMP_WORDBREAKS.
func bash(app *kong.Application) string {
	var b strings.Builder
	name := "_" + app.Name
	var valued []string
	var values strings.Builder
	for _, flag := range flagsTakingValues(app) {
		valued = append(valued, "--"+flag.Name)
		switch kind, words := valueOf(flag.Value, flag.PlaceHolder); kind {
		case oneOf:
			fmt.Fprintf(&values, "\t\t--%s) COMPREPLY=($(compgen -W %s -- \"$cur\")) ;;\n", flag.Name, single(strings.Join(words, " ")))
		case fileName:
			fmt.Fprintf(&values, "\t\t--%s) COMPREPLY=($(compgen -f -- \"$cur\")) ;;\n", flag.Name)
		case directory:
			fmt.Fprintf(&values, "\t\t--%s) COMPREPLY=($(compgen -d -- \"$cur\")) ;;\n", flag.Name)
		}
	}
	fmt.Fprintf(&b, "# Completion of %[1]s for bash, printed by `%[1]s completion bash`.\n%[2]s() {\n", app.Name, name)
	b.WriteString("\tlocal cur=${COMP_WORDS[COMP_CWORD]} before='' flag='' path='' word i commands='' flags='' files=''\n\tCOMPREPLY=()\n\tcompopt -o filenames\n")
	b.WriteString("\tif [[ $cur == '=' ]]; then cur=''; flag=${COMP_WORDS[COMP_CWORD - 1]}\n" +
		"\telif [[ ${COMP_WORDS[COMP_CWORD - 1]} == '=' ]]; then flag=${COMP_WORDS[COMP_CWORD - 2]}\n" +
		"\telse flag=${COMP_WORDS[COMP_CWORD - 1]}\n\tfi\n")
	fmt.Fprintf(&b, "\tcase $flag in\n\t%s)\n\t\tcase $flag in\n%s\t\tesac\n\t\treturn\n\t\t;;\n\tesac\n", strings.Join(valued, " | "), values.String())
	fmt.Fprintf(&b, "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n\t\tword=${COMP_WORDS[i]}\n\t\tcase $before in %s) before=$word; continue ;; esac\n\t\tbefore=$word\n\t\tcase \"$path $word\" in\n", strings.Join(valued, " | "))
	all := commandsOf(app)
	for _, c := range all[1:] {
		path := " " + strings.Join(c.path, " ")
		fmt.Fprintf(&b, "\t\t%s) path=%s ;;\n", single(path), single(path))
	}
	b.WriteString("\t\tesac\n\tdone\n\tcase $path in\n")
	for _, c := range all {
		path := ""
		if len(c.path) > 0 {
			path = " " + strings.Join(c.path, " ")
		}
		children, flags := argumentWords(c.node), []string(nil)
		for _, child := range c.children() {
			children = append(children, child.Name)
		}
		for _, flag := range c.allFlags() {
			flags = append(flags, "--"+flag.Name)
		}
		fmt.Fprintf(&b, "\t%s)\n\t\tcommands=%s\n\t\tflags=%s\n", single(path), single(strings.Join(children, " ")), single(strings.Join(flags, " ")))
		if takesFile(c.node) {
			b.WriteString("\t\tfiles=yes\n")
		}
		b.WriteString("\t\t;;\n")
	}
	b.WriteString("\tesac\n\tif [[ $cur == -* ]]; then\n\t\tCOMPREPLY=($(compgen -W \"$flags\" -- \"$cur\"))\n" +
		"\telif [[ $files ]]; then\n\t\tCOMPREPLY=($(compgen -f -- \"$cur\"))\n" +
		"\telse\n\t\tCOMPREPLY=($(compgen -W \"$commands\" -- \"$cur\"))\n\tfi\n}\n")
	fmt.Fprintf(&b, "complete -F %s %s\n", name, app.Name)
	return b.String()
}

// takesFile reports whether the first argument of a command names a file.
func takesFile(node *kong.Node) bool {
	if len(node.Positional) == 0 {
		return false
	}
	kind, _ := valueOf(node.Positional[0], "")
	return kind == fileName
}

// argumentWords are the words that the first argument of a command may be, if it is
// an enumeration.
func argumentWords(node *kong.Node) (words []string) {
	if len(node.Positional) > 0 {
		_, words = valueOf(node.Positional[0], "")
	}
	return words
}

// zsh has a function for each command that has commands, and specifications of
// _arguments for the flags.
func zsh(app *kong.Application) string {
	var b strings.Builder
	fmt.Fprintf(&b, "#compdef %[1]s\n# Completion of %[1]s for zsh, printed by `%[1]s completion zsh`.\n", app.Name)
	for _, c := range commandsOf(app) {
		fmt.Fprintf(&b, "%s() {\n\tlocal -a specifications\n", zshFunction(app, c.path))
		b.WriteString("\tspecifications=(\n")
		for _, flag := range c.allFlags() {
			fmt.Fprintf(&b, "\t\t%s\n", single(zshFlag(flag)))
		}
		b.WriteString("\t)\n")
		children := c.children()
		if len(children) == 0 {
			for _, argument := range c.node.Positional {
				action := ""
				switch kind, words := valueOf(argument, ""); kind {
				case fileName:
					action = "_files"
				case oneOf:
					action = "(" + strings.Join(words, " ") + ")"
				}
				fmt.Fprintf(&b, "\tspecifications+=(%s)\n", single("*:"+zshText(argument.Name)+":"+action))
			}
			b.WriteString("\t_arguments -S $specifications\n}\n")
			continue
		}
		b.WriteString("\tlocal context state state_descr line\n\ttypeset -A opt_args\n\t_arguments -S -C $specifications '1: :->command' '*:: :->arguments'\n\tcase $state in\n\tcommand)\n\t\tlocal -a commands\n\t\tcommands=(\n")
		for _, child := range children {
			fmt.Fprintf(&b, "\t\t\t%s\n", single(strings.ReplaceAll(child.Name, ":", `\:`)+":"+child.Help))
		}
		b.WriteString("\t\t)\n\t\t_describe command commands\n\t\t;;\n\targuments)\n\t\tcase $words[1] in\n")
		for _, child := range children {
			fmt.Fprintf(&b, "\t\t%s) %s ;;\n", child.Name, zshFunction(app, append(slices.Clone(c.path), child.Name)))
		}
		b.WriteString("\t\tesac\n\t\t;;\n\tesac\n}\n")
	}
	fmt.Fprintf(&b, "if [[ $funcstack[1] == _%[1]s ]]; then\n\t_%[1]s \"$@\"\nelse\n\tcompdef _%[1]s %[1]s\nfi\n", app.Name)
	return b.String()
}

func zshFunction(app *kong.Application, path []string) string {
	return "_" + strings.Join(append([]string{app.Name}, path...), "_")
}

// zshFlag is a specification of _arguments.
func zshFlag(flag *kong.Flag) string {
	spec := "--" + flag.Name
	kind, words := valueOf(flag.Value, flag.PlaceHolder)
	if kind != noValue {
		spec += "="
	}
	spec += "[" + zshText(flag.Help) + "]"
	switch kind {
	case oneOf:
		spec += ":value:(" + strings.Join(words, " ") + ")"
	case fileName:
		spec += ":file:_files"
	case directory:
		spec += ":directory:_files -/"
	case freeValue:
		spec += ":value: "
	}
	return spec
}

// zshText is text in a specification, where brackets and colons have a meaning.
func zshText(s string) string {
	return strings.NewReplacer(`\`, `\\`, "[", `\[`, "]", `\]`, ":", `\:`, "\n", " ").Replace(s)
}

// fish has one line for each command and flag. Its condition is a function that compares
// the command on the line, without its flags, with a path.
func fish(app *kong.Application) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Completion of %[1]s for fish, printed by `%[1]s completion fish`.\n", app.Name)
	fmt.Fprintf(&b, "function __%s_at\n\tset -l words\n\tset -l value no\n\tfor word in (commandline -opc)[2..-1]\n"+
		"\t\tif test $value = yes\n\t\t\tset value no\n\t\telse if string match -q -- '-*' $word\n\t\t\tcontains -- $word", app.Name)
	for _, flag := range flagsTakingValues(app) {
		fmt.Fprintf(&b, " --%s", flag.Name)
	}
	b.WriteString("; and set value yes\n\t\telse\n\t\t\tset -a words $word\n\t\tend\n\tend\n\tset -l count (count $argv)\n" +
		"\ttest $count -eq 0; and test (count $words) -eq 0; and return 0\n\ttest $count -gt 0; and test \"$words[1..$count]\" = \"$argv\"\nend\n")
	fmt.Fprintf(&b, "complete -c %s -f\n", app.Name)
	for _, c := range commandsOf(app) {
		at := "__" + app.Name + "_at"
		if len(c.path) > 0 {
			at += " " + strings.Join(c.path, " ")
		}
		for _, child := range c.children() {
			fmt.Fprintf(&b, "complete -c %s -n %s -a %s -d %s\n", app.Name, single(at), child.Name, fishText(child.Help))
		}
		if takesFile(c.node) {
			fmt.Fprintf(&b, "complete -c %s -n %s -F\n", app.Name, single(at))
		}
		if words := argumentWords(c.node); len(words) > 0 {
			fmt.Fprintf(&b, "complete -c %s -n %s -a %s\n", app.Name, single(at), single(strings.Join(words, " ")))
		}
		condition := ""
		if len(c.path) > 0 {
			condition = " -n " + single(at)
		}
		for _, flag := range c.flags() {
			fmt.Fprintf(&b, "complete -c %s%s -l %s%s -d %s\n", app.Name, condition, flag.Name, fishValue(flag), fishText(flag.Help))
		}
	}
	return b.String()
}

func fishValue(flag *kong.Flag) string {
	switch kind, words := valueOf(flag.Value, flag.PlaceHolder); kind {
	case oneOf:
		return " -x -a " + single(strings.Join(words, " "))
	case fileName:
		return " -r -F"
	case directory:
		return " -x -a '(__fish_complete_directories)'"
	case freeValue:
		return " -x"
	default:
		return ""
	}
}

// single quotes a word for bash and zsh.
func single(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// fishText quotes a text for fish, where a backslash escapes inside quotation marks too.
func fishText(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`, "\n", " ").Replace(s) + "'"
}
