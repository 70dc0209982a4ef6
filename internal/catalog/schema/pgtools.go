package schema

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"strings"

	"github.com/lectiospace/lectern/internal/catalog"
)

// tlsVariables are the environment variables in which libpq takes what a database URL says
// about encryption.
var tlsVariables = map[string]string{
	"sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT", "sslcert": "PGSSLCERT", "sslkey": "PGSSLKEY",
	"sslsni": "PGSSLSNI", "channel_binding": "PGCHANNELBINDING", "target_session_attrs": "PGTARGETSESSIONATTRS",
}

// toolEnvironment is the environment in which PostgreSQL's programs connect as s does. The
// password goes through it: anybody on the machine can read a command line.
func toolEnvironment(s *catalog.Store) []string {
	c := s.ConnConfig()
	hosts, ports := []string{c.Host}, []string{fmt.Sprint(c.Port)}
	for _, f := range c.Fallbacks { // the other hosts, and each again with and without TLS
		if f.Host != hosts[len(hosts)-1] || fmt.Sprint(f.Port) != ports[len(ports)-1] {
			hosts, ports = append(hosts, f.Host), append(ports, fmt.Sprint(f.Port))
		}
	}
	env := append(os.Environ(), "PGHOST="+strings.Join(hosts, ","), "PGPORT="+strings.Join(ports, ","),
		"PGUSER="+c.User, "PGPASSWORD="+c.Password, "PGDATABASE="+c.Database)
	if u, err := url.Parse(c.ConnString()); err == nil {
		for parameter, variable := range tlsVariables {
			if value := u.Query().Get(parameter); value != "" {
				env = append(env, variable+"="+value)
			}
		}
	}
	return env
}

// runTool runs one of PostgreSQL's programs on the database of s, with its output in out.
// The error has what the program complained of.
func runTool(ctx context.Context, s *catalog.Store, out io.Writer, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = toolEnvironment(s)
	var complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = out, &complaint
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, cmp.Or(strings.TrimSpace(complaint.String()), "no message"))
	}
	return nil
}
