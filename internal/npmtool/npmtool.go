// Package npmtool installs programs and libraries from npm that tests use.
package npmtool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// installTimeout bounds a download of all packages over a slow line.
const installTimeout = 5 * time.Minute

// Path is where a file of a package is, in the version of test/NAME/package-lock.json, which
// is installed when it is missing. scripts/npmtool does it; scripts/test has done it already.
func Path(name string, file ...string) (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), installTimeout)
	defer cancel()
	var stderr strings.Builder
	script := exec.CommandContext(ctx, filepath.Join(root, "scripts", "npmtool"), name)
	script.Stderr = &stderr
	dir, err := script.Output()
	if err != nil {
		return "", fmt.Errorf("scripts/npmtool %s: %w: %s", name, err, stderr.String())
	}
	return filepath.Join(append([]string{strings.TrimSpace(string(dir)), "node_modules"}, file...)...), nil
}

// moduleRoot is the directory of go.mod above the working directory, which of a test is its
// package's. A program that was built with -trimpath does not know where its source is.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		if _, statErr := os.Stat(filepath.Join(dir, "go.mod")); statErr == nil {
			return dir, nil
		}
		if parent := filepath.Dir(dir); parent != dir {
			dir = parent
			continue
		}
		err = errors.New("npmtool: no go.mod above the working directory")
	}
	return "", err
}
