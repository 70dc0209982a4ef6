// Package telemetry is how Lectern is watched: logs, metrics, the admin
// listener, and what systemd is told.
package telemetry

import (
	"io"
	"log/slog"
	"os"
	"strings"

	"golang.org/x/term"
)

// NewLogger makes the program's logger.
func NewLogger(cfg LogConfig, w io.Writer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.Level)); err != nil {
		level = slog.LevelInfo // the setting's enum admits no other word
	}
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: redact}
	if cfg.Format == "text" || cfg.Format != "json" && isTerminal(w) {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// secretNames are attributes that are never written, whoever logs them by
// mistake: the safety net under the rule that nobody does.
var secretNames = []string{"token", "secret", "password", "authorization", "cookie", "credential"}

func redact(_ []string, a slog.Attr) slog.Attr {
	name := strings.ToLower(a.Key)
	for _, secret := range secretNames {
		if strings.Contains(name, secret) {
			return slog.String(a.Key, "[redacted]")
		}
	}
	return a
}
