// Package npmtool installs programs and libraries from npm that tests use.
package npmtool

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// installTimeout bounds a download of all packages over a slow line.
const installTimeout = 5 * time.Minute

// Path is where a file of a package is, in the version of test/NAME/package-lock.json, which
// is installed when it is missing. scripts/npmtool does it; scripts/test has done it already.
func Path(name string, file ...string) (string, error) {
	_, source, _, ok := runtime.Caller(0)
	if !ok {
		return "", errors.New("npmtool: the source's path is unknown")
	}
	ctx, cancel := context.WithTimeout(context.Background(), installTimeout)
	defer cancel()
	var stderr strings.Builder
	script := exec.CommandContext(ctx, filepath.Join(filepath.Dir(source), "..", "..", "scripts", "npmtool"), name)
	script.Stderr = &stderr
	dir, err := script.Output()
	if err != nil {
		return "", fmt.Errorf("scripts/npmtool %s: %w: %s", name, err, stderr.String())
	}
	return filepath.Join(append([]string{strings.TrimSpace(string(dir)), "node_modules"}, file...)...), nil
}
