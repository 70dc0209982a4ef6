// Package rules reads the rules of failpoints, counts passings, and says what happens at each.
package rules

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Effect is what happens at one passing of a point; the zero value is nothing.
type Effect struct {
	Kill  bool
	Sleep time.Duration
	Err   error
	// Partial: of a write only the first Bytes bytes are written. Without Err the rest is
	// zeros, and the write succeeds.
	Partial bool
	Bytes   int
}

// anyPoint is the point of a rule for all of them.
const anyPoint = "*"

// rule is an effect and the passings that have it.
type rule struct {
	point, of   string
	anyOf       bool // of every operation
	first, last int  // passings, from 1
	effect      Effect
	passed      int
}

// Set are the rules of a process. Safe for concurrent use.
type Set struct {
	mu      sync.Mutex
	rules   []*rule
	file    string // of more rules; "" for none
	read    string // what the file held
	ofFile  []*rule
	log     *os.File // of passings; nil for none
	isKnown func(point string) bool
}

// OnceFromEnvironment returns a function that returns the rules that the environment has,
// read at its first call. failed is called when they cannot be read.
func OnceFromEnvironment(isKnown func(point string) bool, failed func(error)) func() *Set {
	return sync.OnceValue(func() *Set {
		s, err := New(os.Getenv("LECTERN_FAILPOINTS"), os.Getenv("LECTERN_FAILPOINTS_FILE"), os.Getenv("LECTERN_FAILPOINTS_LOG"), isKnown)
		if err != nil {
			failed(err)
		}
		return s
	})
}

// New makes a Set of a text, and of the file and the log of these names, "" for none.
// isKnown says which points there are.
func New(text, file, log string, isKnown func(point string) bool) (*Set, error) {
	s := &Set{file: file, isKnown: isKnown}
	var err error
	if s.rules, err = s.parse(text, ";"); err != nil {
		return nil, err
	}
	if log != "" {
		if s.log, err = os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Pass counts one passing of a point and returns its effect: that of the first rule which
// has one for this passing. of is the operation, "" at a point in front of one only. An error
// says that the rules, the log or the point's name are wrong.
func (s *Set) Pass(point, of string) (e Effect, err error) {
	if !s.isKnown(point) {
		return e, fmt.Errorf("the point %q is not listed", point)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.readFile(); err != nil {
		return e, err
	}
	found := false
	for _, list := range [][]*rule{s.rules, s.ofFile} {
		for _, r := range list {
			if r.point != point && r.point != anyPoint || !r.anyOf && r.of != of {
				continue
			}
			r.passed++
			if !found && r.first <= r.passed && r.passed <= r.last {
				e, found = r.effect, true
			}
		}
	}
	return e, s.note(point, of, e)
}

// note appends a passing to the log, before a process dies of it.
func (s *Set) note(point, of string, e Effect) error {
	if s.log == nil {
		return nil
	}
	line := point
	if of != "" {
		line += "[" + of + "]"
	}
	if e.Kill {
		line += " killed"
	}
	_, err := s.log.WriteString(line + "\n")
	return err
}

// readFile reads the file of rules again when it has changed. The counts of its rules begin
// anew then. s.mu is held.
func (s *Set) readFile() error {
	if s.file == "" {
		return nil
	}
	text, err := os.ReadFile(s.file)
	if errors.Is(err, os.ErrNotExist) {
		text, err = nil, nil
	}
	if err != nil || string(text) == s.read {
		return err
	}
	s.ofFile, err = s.parse(string(text), "\n")
	s.read = string(text)
	return err
}

func (s *Set) parse(text, separator string) (out []*rule, err error) {
	for part := range strings.SplitSeq(text, separator) {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		r, err := parseRule(part)
		if err == nil && r.point != anyPoint && !s.isKnown(r.point) {
			err = fmt.Errorf("the point %q is not listed", r.point)
		}
		if err != nil {
			return nil, fmt.Errorf("rule %q: %w", part, err)
		}
		out = append(out, r)
	}
	return out, nil
}

// parseRule parses POINT[OPERATION]=ACTION(ARGUMENT)@FIRST-LAST.
func parseRule(text string) (*rule, error) {
	point, action, ok := strings.Cut(text, "=")
	if !ok {
		return nil, errors.New("it has no =")
	}
	r := &rule{point: strings.TrimSpace(point), anyOf: true, first: 1, last: int(^uint(0) >> 1)}
	if name, of, ok := strings.Cut(r.point, "["); ok {
		if r.of, ok = strings.CutSuffix(of, "]"); !ok {
			return nil, errors.New("it has no ]")
		}
		r.point, r.anyOf = name, false
	}
	if at := strings.LastIndex(action, "@"); at >= 0 {
		if err := r.parsePassings(action[at+1:]); err != nil {
			return nil, err
		}
		action = action[:at]
	}
	var err error
	r.effect, err = parseAction(strings.TrimSpace(action))
	return r, err
}

// parsePassings parses N, N- or N-M.
func (r *rule) parsePassings(text string) (err error) {
	first, last, isRange := strings.Cut(strings.TrimSpace(text), "-")
	if r.first, err = strconv.Atoi(first); err != nil || r.first < 1 {
		return fmt.Errorf("%q is no number of a passing", first)
	}
	if !isRange {
		r.last = r.first
	} else if last != "" {
		if r.last, err = strconv.Atoi(last); err != nil || r.last < r.first {
			return fmt.Errorf("%q is no number of a later passing", last)
		}
	}
	return nil
}

func parseAction(text string) (e Effect, err error) {
	name, argument, hasArgument := strings.Cut(text, "(")
	if hasArgument {
		var ok bool
		if argument, ok = strings.CutSuffix(argument, ")"); !ok {
			return e, errors.New("it has no )")
		}
	}
	switch name {
	case "kill":
		e.Kill = true
	case "error":
		e.Err = errorOf(argument)
	case "sleep":
		e.Sleep, err = time.ParseDuration(argument)
	case "short":
		e.Err, e.Partial = syscall.ENOSPC, true
		e.Bytes, err = strconv.Atoi(argument)
	case "torn":
		e.Partial = true
		e.Bytes, err = strconv.Atoi(argument)
	default:
		err = fmt.Errorf("%q is none of kill, error, sleep, short, torn", name)
	}
	if e.Bytes < 0 {
		err = errors.New("a number of bytes is not negative")
	}
	return e, err
}

var numbers = map[string]syscall.Errno{
	"ENOSPC": syscall.ENOSPC, "EIO": syscall.EIO, "EROFS": syscall.EROFS, "EDQUOT": syscall.EDQUOT, "EACCES": syscall.EACCES,
	"EMFILE": syscall.EMFILE, "ENOENT": syscall.ENOENT, "EINTR": syscall.EINTR, "ETIMEDOUT": syscall.ETIMEDOUT, "ECONNRESET": syscall.ECONNRESET,
}

// errorOf is the error number of that name, or an error of that text.
func errorOf(text string) error {
	if n, ok := numbers[text]; ok {
		return n
	}
	return fmt.Errorf("failpoint: %s", text)
}
