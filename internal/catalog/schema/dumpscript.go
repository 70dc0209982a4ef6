package schema

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
)

// errNoEnd is the error of a script that ends within a table's rows.
var errNoEnd = errors.New("the dump ends within the rows of a table")

// readDump has pg_restore write one section of a dump as a script, which read consumes.
func readDump(ctx context.Context, path, section string, args []string, read func(*bufio.Reader) error) error {
	args = append([]string{"--no-owner", "--no-privileges", "--no-comments", "--section=" + section, "--file=-"}, args...)
	cmd := exec.CommandContext(ctx, "pg_restore", append(args, path)...)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	readErr := read(bufio.NewReaderSize(out, 1<<16))
	if readErr != nil {
		_ = cmd.Process.Kill() // its output is not read to the end
	}
	err = cmd.Wait()
	switch {
	case err != nil && complaint.Len() > 0: // the script was cut short because of it
		return fmt.Errorf("pg_restore: %w: %s", err, strings.TrimSpace(complaint.String()))
	case readErr != nil:
		return readErr
	case err != nil:
		return fmt.Errorf("pg_restore: %w", err)
	}
	return nil
}

// sessionSetting are the settings with which pg_restore begins a script. They would outlive
// the transaction, in a connection that a pooler hands on.
var sessionSetting = regexp.MustCompile(`(?m)^SET (statement_timeout|lock_timeout|idle_in_transaction_session_timeout|transaction_timeout|client_encoding|` +
	`standard_conforming_strings|check_function_bodies|xmloption|client_min_messages|row_security|default_tablespace|default_table_access_method) = `)

// psqlCommand are the lines that are for psql alone.
var psqlCommand = regexp.MustCompile(`(?m)^\\(?:un)?restrict .*$`)

// inTransaction is a script whose settings end with the transaction.
func inTransaction(script string) string {
	script = psqlCommand.ReplaceAllString(script, "")
	script = strings.ReplaceAll(script, `SELECT pg_catalog.set_config('search_path', '', false);`, `SELECT pg_catalog.set_config('search_path', '', true);`)
	// The restore's own bound of a wait for locks stays.
	script = strings.ReplaceAll(script, "SET lock_timeout = 0;\n", "")
	return sessionSetting.ReplaceAllString(script, "SET LOCAL $1 = ")
}

// dumpScript is a section without rows.
func dumpScript(ctx context.Context, path, section string, args []string) (script string, err error) {
	err = readDump(ctx, path, section, args, func(r *bufio.Reader) error {
		text, err := io.ReadAll(r)
		script = inTransaction(string(text))
		return err
	})
	return script, err
}

// copyBlock begins the rows of a table: COPY schema.table (columns) FROM stdin;
type copyBlock struct {
	command string
	table   string // with its schema
	columns []string
}

var copyCommand = regexp.MustCompile(`^COPY ([\w.]+) \(([^)]*)\) FROM stdin;\n$`)

// eachCopy reads the section of the rows. rows must consume the rows that follow a block,
// with eachRow or through copyRows; what stands between blocks goes to statement.
func eachCopy(script *bufio.Reader, statement func(string) error, rows func(copyBlock) error) error {
	var between strings.Builder
	flush := func() error {
		defer between.Reset()
		if text := inTransaction(between.String()); strings.TrimSpace(text) != "" {
			return statement(text)
		}
		return nil
	}
	for {
		line, err := script.ReadString('\n')
		if m := copyCommand.FindStringSubmatch(line); m != nil {
			if err := flush(); err != nil {
				return err
			}
			block := copyBlock{strings.TrimSpace(line), m[1], strings.Split(strings.ReplaceAll(m[2], `"`, ""), ", ")}
			if err := rows(block); err != nil {
				return fmt.Errorf("%s: %w", block.table, err)
			}
			continue
		}
		between.WriteString(line)
		if errors.Is(err, io.EOF) {
			return flush()
		}
		if err != nil {
			return err
		}
	}
}

// eachRow consumes a block's rows. Values are as COPY escapes them.
func (c copyBlock) eachRow(script *bufio.Reader, row func(map[string]string)) error {
	rows := bufio.NewReader(&copyRows{script: script})
	for {
		line, err := rows.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		values := map[string]string{}
		for i, value := range strings.Split(strings.TrimSuffix(line, "\n"), "\t") {
			if i < len(c.columns) && value != `\N` {
				values[c.columns[i]] = value
			}
		}
		row(values)
	}
}

// copyRows reads rows up to the line that ends them. In COPY's text format a line feed
// within a value is escaped, so that a row is a line.
type copyRows struct {
	script *bufio.Reader
	rest   []byte
	done   bool
}

// Read implements io.Reader.
func (r *copyRows) Read(p []byte) (int, error) {
	for len(r.rest) == 0 && !r.done {
		line, err := r.script.ReadBytes('\n')
		switch {
		case string(line) == "\\.\n":
			r.done = true
		case errors.Is(err, io.EOF):
			return 0, errNoEnd
		case err != nil:
			return 0, err
		default:
			r.rest = line
		}
	}
	if len(r.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// number is a whole number as COPY writes it, 0 for anything else.
func number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0
	}
	return n
}
