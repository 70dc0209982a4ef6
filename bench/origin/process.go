package origin

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"

	"github.com/lectiospace/lectern/bench/content"
)

// Command is the argument by which the benchmark's own program becomes an origin.
const Command = "origin"

// Origin is an origin in a process of its own, whose processor time is neither the client's
// nor the server's. Safe for concurrent use.
type Origin struct {
	addr    string
	process *exec.Cmd
	stdin   io.Closer
}

// description is what the process is given of a file: its bytes follow from it.
type description struct {
	Name string `json:"name"`
	Size int64  `json:"size"`
	Seed uint64 `json:"seed"`
}

// Start starts this program once more as an origin of the files, on a free port of the
// loopback interface.
func Start(ctx context.Context, files []File) (*Origin, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	var described []description
	for _, f := range files {
		described = append(described, description{f.Name, f.Content.Size(), f.Content.Seed()})
	}
	given, err := json.Marshal(described)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, Command)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	o := &Origin{process: cmd, stdin: in}
	if _, err := in.Write(append(given, '\n')); err != nil {
		return nil, fmt.Errorf("origin: %w", errorsOf(err, o.Close()))
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("origin: it has not come up: %w", errorsOf(err, o.Close()))
	}
	o.addr = strings.TrimSpace(line)
	return o, nil
}

// errorsOf returns the process's own error, or else the error of talking to it.
func errorsOf(talking, process error) error {
	if process != nil {
		return process
	}
	return talking
}

// Serve is the process: it reads the files' descriptions from in, serves them, writes its
// address to out, and ends with in, which its parent's end closes too.
func Serve(in io.Reader, out io.Writer) error {
	var described []description
	lines := bufio.NewReader(in)
	line, err := lines.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("origin: %w", err)
	}
	if err := json.Unmarshal(line, &described); err != nil {
		return fmt.Errorf("origin: %w", err)
	}
	var files []File
	for _, d := range described {
		files = append(files, File{d.Name, content.New(d.Size, d.Seed)})
	}
	s, err := listen(files)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(out, s.listener.Addr()); err != nil {
		return err
	}
	_, _ = lines.ReadByte()
	return s.http.Close()
}

// Close ends the origin and every answer under way.
func (o *Origin) Close() error {
	o.stdin.Close()
	return o.process.Wait()
}

// PID is the process's id.
func (o *Origin) PID() int { return o.process.Process.Pid }

// Addr is where it listens.
func (o *Origin) Addr() string { return o.addr }

// DriveEndpoint is what the gateway is given for Google's address.
func (o *Origin) DriveEndpoint() string { return "http://" + o.addr + "/drive/v3/" }

// SetShape changes the behaviour of answers that begin from now on.
func (o *Origin) SetShape(ctx context.Context, s Shape) error {
	body, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return o.control(ctx, http.MethodPost, "shape", body, nil)
}

// Stats counts what was asked for and sent since the start.
func (o *Origin) Stats(ctx context.Context) (s Stats, err error) {
	err = o.control(ctx, http.MethodGet, "stats", nil, &s)
	return s, err
}

func (o *Origin) control(ctx context.Context, method, what string, body []byte, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+o.addr+"/control/"+what, bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("origin: %w", err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, raw)
	}
	if err == nil && into != nil {
		err = json.Unmarshal(raw, into)
	}
	if err != nil {
		return fmt.Errorf("origin: %s: %w", what, err)
	}
	return nil
}
