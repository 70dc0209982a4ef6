package main

import (
	"compress/gzip"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// release is one commit, built.
type release struct {
	source    string
	revision  revision
	builds    []*buildOf        // in the order of the architectures
	documents map[string][]byte // what the programs print of themselves, see documentsOf
	written   []string          // names of the files that exist already
	level     int               // of compression, as gzip's
}

// revision is the commit that is released, and how it is called.
type revision struct {
	version string    // as the programs print it, as v1.2.3-4-gabcdef0 or abcdef0-dirty
	commit  string    // the whole hash
	time    time.Time // of the commit; every file has it
}

// newRelease reads the revision and builds both programs for each architecture below
// work.
func newRelease(ctx context.Context, o options, work string) (*release, error) {
	source, err := filepath.Abs(o.source)
	if err != nil {
		return nil, err
	}
	r := &release{source: source, level: gzip.BestCompression}
	if r.revision, err = revisionOf(ctx, source); err != nil {
		return nil, err
	}
	for _, architecture := range o.architectures {
		build, err := newBuild(ctx, r, architecture, o.binaries, filepath.Join(work, architecture))
		if err != nil {
			return nil, err
		}
		r.builds = append(r.builds, build)
	}
	runnable := o.binaries
	if runnable == "" {
		runnable = filepath.Join(work, runtime.GOARCH)
		if !slices.Contains(o.architectures, runtime.GOARCH) {
			if err := compile(ctx, r, runtime.GOARCH, runnable); err != nil {
				return nil, err
			}
		}
	}
	r.documents, err = documentsOf(ctx, runnable)
	return r, err
}

// revisionOf describes the source by its repository, or by what `git archive` wrote into
// a source archive. SOURCE_DATE_EPOCH overrides the commit's time, see
// https://reproducible-builds.org/specs/source-date-epoch/.
func revisionOf(ctx context.Context, source string) (revision, error) {
	r, err := repositoryRevision(ctx, source)
	if err != nil {
		archived, readErr := os.ReadFile(filepath.Join(source, "internal", "config", "archived.txt"))
		if readErr != nil {
			return r, readErr
		}
		var ok bool
		if r, ok = archivedRevision(string(archived)); !ok {
			return r, fmt.Errorf("%s is neither a repository (%w) nor a source archive made by git archive", source, err)
		}
	}
	if epoch := os.Getenv("SOURCE_DATE_EPOCH"); epoch != "" {
		seconds, err := strconv.ParseInt(epoch, 10, 64)
		if err != nil {
			return r, fmt.Errorf("SOURCE_DATE_EPOCH: %w", err)
		}
		r.time = time.Unix(seconds, 0).UTC()
	}
	return r, nil
}

// repositoryRevision asks git. A tree with changes says so in its version, files that git
// does not know included: they can be compiled in. --git-dir keeps git from describing
// another repository that a source archive was unpacked in.
func repositoryRevision(ctx context.Context, source string) (r revision, err error) {
	git := func(args ...string) string {
		if err != nil {
			return ""
		}
		cmd := exec.CommandContext(ctx, "git", append([]string{"--git-dir=.git", "--work-tree=."}, args...)...)
		cmd.Dir = source
		out, failure := cmd.Output()
		if failure != nil {
			err = fmt.Errorf("git %s: %w", args[0], failure)
		}
		return strings.TrimSpace(string(out))
	}
	r.version = git("describe", "--tags", "--always")
	r.commit = git("rev-parse", "HEAD")
	seconds, parseErr := strconv.ParseInt(git("log", "-1", "--format=%ct"), 10, 64)
	if err == nil && parseErr != nil {
		err = fmt.Errorf("the commit's time: %w", parseErr)
	}
	r.time = time.Unix(seconds, 0).UTC()
	if git("status", "--porcelain") != "" {
		r.version += "-dirty"
	}
	return r, err
}

// archivedRevision reads internal/config/archived.txt; ok is false where git archive has
// substituted nothing. Without tags the version is the beginning of the hash, as
// `git describe --always` has it.
func archivedRevision(archived string) (r revision, ok bool) {
	parts := strings.Split(strings.TrimSuffix(archived, "\n"), " ")
	if len(parts) != 3 || len(parts[1]) < 40 {
		return r, false
	}
	seconds, err := strconv.ParseInt(parts[2], 10, 64)
	r = revision{parts[0], parts[1], time.Unix(seconds, 0).UTC()}
	if r.version == "" {
		r.version = r.commit[:7]
	}
	return r, err == nil
}

var (
	describedVersion = regexp.MustCompile(`^v?([0-9][0-9A-Za-z.]*)(-[0-9A-Za-z.]+?)??(?:-([0-9]+)-g([0-9a-f]+))?(-dirty)?$`)
	describedCommit  = regexp.MustCompile(`^([0-9a-f]{7,40})(-dirty)?$`)
)

// packageVersion is the version in the names of files and as Debian sorts it: 1.2.3-rc1
// comes before 1.2.3, and that before four commits later, 1.2.3+4.gabcdef0. Without a
// tag commits are in the order of their times, and before every version.
func (r revision) packageVersion() string {
	if m := describedCommit.FindStringSubmatch(r.version); m != nil {
		return "0~git" + r.time.Format("20060102150405") + "." + m[1] + strings.Replace(m[2], "-", "+", 1)
	}
	m := describedVersion.FindStringSubmatch(r.version)
	if m == nil {
		return "0~" + regexp.MustCompile(`[^0-9A-Za-z.+~]`).ReplaceAllString(r.version, ".")
	}
	v := m[1] + strings.Replace(m[2], "-", "~", 1)
	if m[3] != "" {
		v += "+" + m[3] + ".g" + m[4]
	}
	return v + strings.Replace(m[5], "-", "+", 1)
}
