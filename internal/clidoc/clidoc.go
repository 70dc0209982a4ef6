// Package clidoc renders a command line's model as a manual page and as completions of
// shells, so that what is installed beside a program says what the program takes. It
// reads the model and changes nothing.
package clidoc

import (
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// command is a command of the model that can be named on a command line; the first is
// the program itself.
type command struct {
	node *kong.Node
	path []string // below the program, as cache, purge
}

// commandsOf lists the program and its visible commands, each before its own.
func commandsOf(app *kong.Application) []command {
	var all []command
	var visit func(node *kong.Node, path []string)
	visit = func(node *kong.Node, path []string) {
		all = append(all, command{node, path})
		for _, child := range node.Children {
			if !child.Hidden && child.Type == kong.CommandNode {
				visit(child, append(slices.Clone(path), child.Name))
			}
		}
	}
	visit(app.Node, nil)
	return all
}

// flags are the visible flags of the command itself, without those of its parents.
func (c command) flags() []*kong.Flag {
	return slices.DeleteFunc(slices.Clone(c.node.Flags), func(f *kong.Flag) bool { return f.Hidden })
}

// allFlags are the visible flags that the command accepts, the program's last.
func (c command) allFlags() (all []*kong.Flag) {
	for node := c.node; node != nil; node = node.Parent {
		all = append(all, command{node: node}.flags()...)
	}
	return all
}

// children are the visible commands below this one.
func (c command) children() []*kong.Node {
	return slices.DeleteFunc(slices.Clone(c.node.Children), func(n *kong.Node) bool {
		return n.Hidden || n.Type != kong.CommandNode
	})
}

// value is what a flag or an argument takes, as far as a shell can complete it.
type value int

const (
	noValue   value = iota // a switch
	freeValue              // nothing that a shell could know
	oneOf                  // a word of the list
	fileName
	directory
)

// valueOf classifies a value by its type, its enumeration and its placeholder.
func valueOf(v *kong.Value, placeholder string) (kind value, words []string) {
	switch {
	case v.Flag != nil && (v.IsBool() || v.IsCounter()):
		return noValue, nil
	case v.Enum != "":
		return oneOf, slices.DeleteFunc(v.EnumSlice(), func(word string) bool { return word == "" })
	case strings.HasPrefix(placeholder, "FILE") || v.Name == "file" || v.Tag != nil && v.Tag.Type == "existingfile":
		return fileName, nil
	case placeholder == "DIR":
		return directory, nil
	default:
		return freeValue, nil
	}
}
