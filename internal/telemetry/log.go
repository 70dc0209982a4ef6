// Package telemetry is how Lectern is watched: logs, metrics, the admin
// listener, and what systemd is told.
package telemetry

import (
	"io"
	"log/slog"
	"maps"
	"os"
	"strings"
	"sync/atomic"

	"golang.org/x/term"
)

// NewLogger makes the program's logger.
func NewLogger(cfg LogConfig, w io.Writer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.Level)); err != nil {
		level = slog.LevelInfo // the setting's enum admits no other word
	}
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: new(redactor).redact}
	if cfg.Format == "text" || cfg.Format != "json" && isTerminal(w) {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}

func isTerminal(w io.Writer) bool {
	if g, ok := w.(*BatchWriter); ok {
		return g.direct
	}
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// secretNames are attributes that are never written, whoever logs them by
// mistake: the safety net under the rule that nobody does.
var secretNames = []string{"token", "secret", "password", "authorization", "cookie", "credential"}

// redactor remembers which names are secret: the same ones come with every line.
// The names of attributes are a program's own, so that there are few of them.
type redactor struct {
	known atomic.Pointer[map[string]bool]
}

func (r *redactor) redact(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.LevelKey {
		level, _ := a.Value.Any().(slog.Level)
		return slog.String(a.Key, level.String()) // else each line's would go through encoding/json
	}
	known := r.known.Load()
	if known == nil {
		known = new(map[string]bool)
	}
	secret, ok := (*known)[a.Key]
	if !ok {
		secret = isSecret(a.Key)
		more := maps.Clone(*known)
		if more == nil {
			more = map[string]bool{}
		}
		more[a.Key] = secret
		r.known.Store(&more) // another's news may be lost, and is found out again
	}
	if secret {
		return slog.String(a.Key, "[redacted]")
	}
	return a
}

func isSecret(name string) bool {
	name = strings.ToLower(name)
	for _, secret := range secretNames {
		if strings.Contains(name, secret) {
			return true
		}
	}
	return false
}
