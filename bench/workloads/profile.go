package workloads

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/lectiospace/lectern/bench/peers"
	"github.com/lectiospace/lectern/bench/results"
)

const (
	// profileTime is how long a CPU profile is gathered.
	profileTime = 6 * time.Second
	// profileLines are how many functions of a profile the report has.
	profileLines = 30
)

// profile runs the workload once more, after it was measured, while the gateway gathers a
// profile. The file goes into Bench.Profiles, the functions that took the most into the set.
func (r *runner) profile(ctx context.Context) error {
	gateway := r.running[gatewayName]
	if gateway == nil || gateway.Admin == "" {
		return nil
	}
	if err := r.site.Origin.SetShape(ctx, r.w.Shape); err != nil {
		return err
	}
	path := filepath.Join(r.profiles, results.FileName(r.w.Name)+".pb.gz")
	gathered := make(chan error, 1)
	go func() { gathered <- gatherProfile(ctx, gateway.Admin, path) }()
	load := func(round int) error {
		lesson := r.site.Lessons[0]
		if r.w.Lessons > 0 {
			lesson = r.site.Lessons[1+round%r.w.Lessons]
		}
		_, err := r.w.Run(ctx, Run{Peer: gateway, Lesson: lesson, Lessons: r.site.Lessons[1:], Origin: r.site.Origin, Round: round})
		return err
	}
	var err error
	for round := r.w.Rounds; ; round++ {
		select {
		case gatherErr := <-gathered:
			if err = errors.Join(err, gatherErr); err != nil {
				return err
			}
			text, err := profileTable(ctx, path)
			r.set.Profiles = append(r.set.Profiles, results.Profile{Workload: r.w.Name, Text: text})
			return err
		default:
		}
		// Cold lessons come to an end: the rest of the time nothing is done, which is no part of a
		// profile.
		if err == nil && (r.w.Lessons == 0 || round < r.w.Lessons) {
			err = load(round)
		} else {
			time.Sleep(20 * time.Millisecond)
		}
	}
}

func gatherProfile(ctx context.Context, admin, path string) error {
	var profile bytes.Buffer
	url := fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", admin, int(profileTime.Seconds()))
	if err := peers.Fetch(ctx, url, &profile); err != nil {
		return err
	}
	return os.WriteFile(path, profile.Bytes(), 0o644)
}

// profileTable lists the functions that tell where the time went, those first that took the most
// with all that they call.
func profileTable(ctx context.Context, path string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "tool", "pprof", "-top", "-cum", "-nodecount=300", path)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go tool pprof: %w\n%s", err, stderr.Bytes())
	}
	return shortProfile(string(out)), nil
}

var (
	// profileLine is flat, flat%, sum%, cum, cum% and the function's name.
	profileLine = regexp.MustCompile(`^\s*\S+\s+(\S+%)\s+\S+%\s+\S+\s+(\S+%)\s+(.*?)(?: \(inline\))?$`)
	// profileNames are the functions that are shown: the gateway's own, the kernel by system call,
	// and what the runtime does besides. What lies between them says the same again.
	profileNames = regexp.MustCompile(`^github\.com/lectiospace/lectern/|^syscall\.[a-z]\w*$|^golang.org/x/sys/unix\.[a-z]\w*$|` +
		`^runtime\.(gcBgMarkWorker|mallocgc|schedule|sysmon|futex)$|^log/slog\.\(\*JSONHandler\)\.Handle$|^crypto/|^hash/|^github\.com/valyala/fasthttp\.\(\*Server\)\.serveConn$`)
)

// shortProfile takes what is of use from pprof's table.
func shortProfile(table string) string {
	var b strings.Builder
	shown := 0
	for line := range strings.Lines(table) {
		if strings.HasPrefix(line, "Duration:") {
			b.WriteString(line + "   flat  callees too\n")
		}
		m := profileLine.FindStringSubmatch(strings.TrimRight(line, "\n"))
		if m == nil || !profileNames.MatchString(m[3]) || shown == profileLines {
			continue
		}
		shown++
		fmt.Fprintf(&b, "%7s %8s  %s\n", m[1], m[2], strings.TrimPrefix(m[3], "github.com/lectiospace/lectern/"))
	}
	return b.String()
}
