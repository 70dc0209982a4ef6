package config

import (
	"errors"
	"log/slog"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// Reloaded is what a running program's settings would be if it started now.
type Reloaded struct {
	// Kept are the settings that could not be read or used. They have their present value.
	Kept []*Error
	// Changed are the names of the settings that differ from the present ones, in order.
	Changed []string
}

// Reload reads the command line, the environment and the files again into what fresh
// makes, an empty command line of the program's type. A setting that cannot be read or
// used keeps the value that current has; an error means that nothing could be read, as
// with a configuration file that is no YAML. current is not changed.
func Reload[G Group](current G, fresh func() G) (next G, r Reloaded, err error) {
	in, kept := current.base().input, map[string]bool{}
	for {
		next = fresh()
		_, err := in.parse(next, current, kept)
		if err == nil {
			err = next.ValidateServe()
		}
		if err == nil {
			break
		}
		var problem *Error
		if !errors.As(err, &problem) {
			return next, Reloaded{}, err
		}
		name := problem.Setting
		if flagOf(current.base().model, name) == nil {
			name = strings.TrimSuffix(name, "-file")
		}
		if flagOf(current.base().model, name) == nil || kept[name] {
			return next, Reloaded{}, err
		}
		kept[name] = true
		r.Kept = append(r.Kept, problem)
	}
	for _, flag := range next.base().model.Flags {
		if before := flagOf(current.base().model, flag.Name); before != nil && !reflect.DeepEqual(before.Target.Interface(), flag.Target.Interface()) {
			r.Changed = append(r.Changed, flag.Name)
		}
	}
	return next, r, nil
}

// Live are the settings that a running program can change: what to do with the next value
// of each. An error leaves the present value in effect.
type Live[G Group] map[string]func(next G) error

// Apply reads the settings again, as a program does at SIGHUP, and gives those that have
// changed to live; those of always also when they have not, because they name files whose
// content may have. Everything else that has changed, or cannot be read, stays as it is
// and is logged as a warning with the setting's name.
func Apply[G Group](current G, fresh func() G, live Live[G], always []string, log *slog.Logger) {
	next, r, err := Reload(current, fresh)
	if err != nil {
		var problem *Error
		setting := "config"
		if errors.As(err, &problem) && problem.Setting != "" {
			setting = problem.Setting
		}
		log.Warn("reload: settings cannot be read, all stay as they are", slog.String("setting", setting), slog.Any("error", err))
		return
	}
	kept := map[string]bool{}
	for _, problem := range r.Kept {
		kept[problem.Setting] = true
		log.Warn("reload: setting cannot be used, its value stays", slog.String("setting", problem.Setting), slog.String("error", problem.Error()))
	}
	applied := []string{}
	for _, name := range append(r.Changed, always...) {
		if kept[name] || slices.Contains(applied, name) {
			continue
		}
		apply, ok := live[name]
		if !ok {
			log.Warn("reload: setting has changed and takes effect at a restart only", slog.String("setting", name))
			continue
		}
		if err := apply(next); err != nil {
			log.Warn("reload: setting cannot be applied, its value stays", slog.String("setting", name), slog.Any("error", err))
			continue
		}
		adopt(current, next, name)
		applied = append(applied, name)
	}
	log.Info("reload: done", slog.Any("settings", applied))
}

// adopt gives current the value that next has for a setting.
func adopt(current, next Group, setting string) {
	flagOf(current.base().model, setting).Target.Set(flagOf(next.base().model, setting).Target)
}

// flagOf is the flag of a setting, or nil.
func flagOf(model *kong.Application, name string) *kong.Flag {
	for _, flag := range model.Flags {
		if flag.Name == name {
			return flag
		}
	}
	return nil
}
