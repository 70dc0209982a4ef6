package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

func main() {
	list := flag.Bool("list", false, "print the mutants, and run nothing")
	only := flag.String("only", "", "run the mutants alone whose keys are lines of this file")
	workers := flag.Int("workers", 2, "how many mutants are run at a time")
	flag.Parse()
	ok, err := run(*list, *only, *workers, flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
	if !ok {
		os.Exit(1)
	}
}

// run reports whether all that survives is listed.
func run(list bool, only string, workers int, names []string) (ok bool, err error) {
	root, err := moduleRoot()
	if err != nil {
		return false, err
	}
	if err := os.Chdir(root); err != nil {
		return false, err
	}
	for _, name := range names {
		if !slices.ContainsFunc(targets, func(t target) bool { return t.name == name }) {
			return false, fmt.Errorf("no target is named %s", name)
		}
	}
	known, err := readSurvivors("internal/mutate/survivors.txt")
	if err != nil {
		return false, err
	}
	var chosen map[string]bool
	if only != "" {
		text, err := os.ReadFile(only)
		if err != nil {
			return false, err
		}
		chosen = map[string]bool{}
		for line := range strings.Lines(string(text)) {
			chosen[strings.TrimSpace(line)] = true
		}
	}
	ok = true
	for _, t := range targets {
		if len(names) > 0 && !slices.Contains(names, t.name) {
			continue
		}
		good, err := runTarget(t, root, list, chosen, workers, known)
		if err != nil {
			return false, fmt.Errorf("%s: %w", t.name, err)
		}
		ok = ok && good
	}
	return ok, nil
}

func runTarget(t target, root string, list bool, chosen map[string]bool, workers int, known survivors) (ok bool, err error) {
	tmp, err := os.MkdirTemp("", "mutate-")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(tmp)
	c := campaign{target: t, root: root, tmp: tmp}
	began := time.Now()
	if err := c.build(); err != nil {
		return false, err
	}
	ok = known.check(t.name, c.mutants)
	if list {
		for _, m := range c.mutants {
			fmt.Printf("%s:%d: %s\n", m.file, m.line, m.key())
		}
		return ok, nil
	}
	if err := c.survey(); err != nil {
		return false, err
	}
	var all, killed, argued int
	c.tryAll(chosen, workers, func(r result) {
		reason := known[t.name][r.key()]
		all++
		switch {
		case r.killed:
			killed++
			if reason != "" {
				fmt.Printf("%s: listed as a survivor, but killed: %s\n", t.name, r.key())
			}
		case reason != "":
			argued++
		case !r.reached:
			fmt.Printf("%s: not reached: line %d: %s\n", t.name, r.line, r.key())
		default:
			fmt.Printf("%s: survived: line %d: %s\n", t.name, r.line, r.key())
		}
	})
	fmt.Printf("%-12s %5d mutants %5d killed (%.1f %%) %4d argued %4d open %8s\n", t.name, all, killed,
		100*float64(killed)/float64(max(1, all)), argued, all-killed-argued, time.Since(began).Round(time.Second))
	return ok && all == killed+argued, nil
}

// tryAll runs the mutants, all or the chosen ones, and reports each when it has run.
func (c *campaign) tryAll(chosen map[string]bool, workers int, report func(result)) {
	var mutants []mutant
	for _, m := range c.mutants {
		if chosen == nil || chosen[m.key()] {
			mutants = append(mutants, m)
		}
	}
	next := make(chan mutant)
	var reporting sync.Mutex
	var running sync.WaitGroup
	for range workers {
		running.Go(func() {
			for m := range next {
				r := c.try(m)
				reporting.Lock()
				report(r)
				reporting.Unlock()
			}
		})
	}
	for _, m := range mutants {
		next <- m
	}
	close(next)
	running.Wait()
}
