// Package azurite starts Azurite, Microsoft's emulator of Azure Blob Storage, for tests.
// npmtool installs it.
package azurite

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/npmtool"
)

// The account of every Azurite. Its key is public.
// https://learn.microsoft.com/azure/storage/common/storage-connect-azurite
const (
	Account = "devstoreaccount1"
	Key     = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)

// supervisor is a shell script that runs the server until the end of its standard input,
// which comes with the end of the test's process at the latest.
const supervisor = `"$@" &
pid=$!
read -r line
kill $pid
wait $pid
`

// startTimeout bounds the start, startup of the runtime on a busy machine included.
const startTimeout = 60 * time.Second

var shared = sync.OnceValues(start)

// Endpoint is the URL of the account's blob service in the process's shared server, which is
// started by the first call and ends with the process. It fails the test when Azurite cannot
// be installed or started.
func Endpoint(t testing.TB) string {
	t.Helper()
	endpoint, err := shared()
	if err != nil {
		t.Fatalf("azurite: %v", err)
	}
	return endpoint
}

func start() (endpoint string, err error) {
	program, err := npmtool.Path("azurite", "azurite", "dist", "src", "blob", "main.js")
	if err != nil {
		return "", err
	}
	// Both pipes stay open for as long as the process lives.
	stdin, keep, err := os.Pipe()
	if err != nil {
		return "", err
	}
	out, stdout, err := os.Pipe()
	if err != nil {
		return "", errors.Join(err, stdin.Close(), keep.Close())
	}
	// The version of the API that the SDK speaks is newer than Azurite.
	process := exec.Command("sh", "-c", supervisor, "sh", "node", program, "--silent", "--inMemoryPersistence", "--disableTelemetry",
		"--skipApiVersionCheck", "--blobHost", "127.0.0.1", "--blobPort", "0")
	process.Stdin, process.Stdout, process.Stderr = stdin, stdout, stdout
	err = process.Start()
	err = errors.Join(err, stdin.Close(), stdout.Close())
	if err != nil {
		return "", errors.Join(err, keep.Close(), out.Close())
	}
	open = append(open, keep, out)
	if err := out.SetReadDeadline(time.Now().Add(startTimeout)); err != nil {
		return "", err
	}
	address, err := listenAddress(out)
	if err != nil {
		return "", err
	}
	return address + "/" + Account, nil
}

// open keeps the pipes of the shared server from being collected, which would close them.
var open []io.Closer

// listenAddress reads what Azurite writes until it says where it listens.
func listenAddress(out io.Reader) (string, error) {
	const listens = "successfully listens on "
	var seen bytes.Buffer
	lines := bufio.NewScanner(io.TeeReader(out, &seen))
	for lines.Scan() {
		if _, address, ok := strings.Cut(lines.Text(), listens); ok {
			return address, nil
		}
	}
	return "", fmt.Errorf("it does not listen: %w: %s", errors.Join(lines.Err(), io.ErrUnexpectedEOF), seen.Bytes())
}
