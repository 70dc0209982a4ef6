// Package doctor checks a deployment and says how to repair it. A check is a line of a
// Report. What a check connects to comes from the caller.
package doctor

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
)

// Status is the outcome of a check.
type Status string

// The statuses. Only Fail means that the program would not do its work.
const (
	Pass Status = "PASS"
	Warn Status = "WARN"
	Fail Status = "FAIL"
)

// Finding is one check's outcome. No field contains a secret.
type Finding struct {
	// Check is a short stable name, as "data dir".
	Check  string `json:"check"`
	Status Status `json:"status"`
	// Detail is what was seen.
	Detail string `json:"detail"`
	// Fix is what to do; "" when there is nothing.
	Fix string `json:"fix"`
}

// Report collects findings in the order of the checks. It is safe for concurrent use.
type Report struct {
	mu       sync.Mutex
	findings []Finding // guarded by mu
}

// pass records a check without a problem.
func (r *Report) pass(check, detail string, args ...any) { r.add(Pass, check, "", detail, args) }

// warn records a problem that does not keep the program from working; fix says what to do.
func (r *Report) warn(check, fix, detail string, args ...any) { r.add(Warn, check, fix, detail, args) }

// fail records a problem that keeps the program from working; fix says what to do.
func (r *Report) fail(check, fix, detail string, args ...any) { r.add(Fail, check, fix, detail, args) }

// add records a finding. It panics for a name that is not among names: only this package adds
// findings, and docs/doctor.md has a row for each name.
func (r *Report) add(s Status, check, fix, detail string, args []any) {
	if len(args) > 0 {
		detail = fmt.Sprintf(detail, args...)
	}
	if !slices.Contains(names, check) {
		panic("BUG: no such check: " + check)
	}
	r.append([]Finding{{Check: check, Status: s, Detail: oneLine(detail), Fix: oneLine(fix)}})
}

func (r *Report) append(findings []Finding) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.findings = append(r.findings, findings...)
}

// oneLine replaces line breaks: an error's text may have some.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// Findings are all that was found, in order.
func (r *Report) Findings() []Finding {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.findings)
}

// Failed is how many checks failed.
func (r *Report) Failed() int {
	n := 0
	for _, f := range r.Findings() {
		if f.Status == Fail {
			n++
		}
	}
	return n
}

// WriteText writes a line for each finding: PASS, WARN or FAIL, the check, what
// was seen, and behind an arrow what to do.
func (r *Report) WriteText(w io.Writer) error {
	width := 0
	for _, f := range r.Findings() {
		width = max(width, len(f.Check))
	}
	for _, f := range r.Findings() {
		line := fmt.Sprintf("%s  %-*s  %s", f.Status, width, f.Check, f.Detail)
		if f.Fix != "" {
			line += " → " + f.Fix
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}

// WriteJSON writes an array of {check, status, detail, fix}.
func (r *Report) WriteJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	findings := r.Findings()
	if findings == nil {
		findings = []Finding{}
	}
	return enc.Encode(findings)
}

// Finish writes the report, as JSON or text, and gives the error that makes the
// program end with 1 when a check failed. refused is why serve would refuse the settings, or
// nil, and is returned before any other.
func (r *Report) Finish(w io.Writer, asJSON bool, refused error) error {
	write := r.WriteText
	if asJSON {
		write = r.WriteJSON
	}
	if err := write(w); err != nil {
		return err
	}
	if refused != nil {
		return refused
	}
	switch n := r.Failed(); n {
	case 0:
		return nil
	case 1:
		return fmt.Errorf("1 check failed")
	default:
		return fmt.Errorf("%d checks failed", n)
	}
}
