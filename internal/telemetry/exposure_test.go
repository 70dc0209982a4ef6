package telemetry

import (
	"bytes"
	"log/slog"
	"net"
	"strings"
	"testing"
)

type addressed struct {
	net.Listener
	at net.Addr
}

func (l addressed) Addr() net.Addr { return l.at }

func TestWarnOfExposure(t *testing.T) {
	for _, c := range []struct {
		address string
		secrets []string
		want    int
	}{
		{"127.0.0.1", nil, 0},
		{"::1", nil, 0},
		{"0.0.0.0", nil, 1},
		{"::", nil, 1},
		{"10.0.0.1", []string{"auth-jwt-secret", "database-url"}, 3},
		{"127.0.0.1", []string{"auth-jwt-secret"}, 1},
	} {
		var out bytes.Buffer
		WarnOfExposure(slog.New(slog.NewJSONHandler(&out, nil)), c.secrets, addressed{at: &net.TCPAddr{IP: net.ParseIP(c.address), Port: 9090}})
		if n := strings.Count(out.String(), `"level":"WARN"`); n != c.want {
			t.Errorf("%s, %v: %d warnings: %s", c.address, c.secrets, n, &out)
		}
		for _, name := range c.secrets {
			if !strings.Contains(out.String(), `"setting":"`+name+`"`) {
				t.Errorf("%s is not named: %s", name, &out)
			}
		}
	}
}
