// Package telemetry is what operators see of a process: logs, metrics, the admin
// listener, and the notifications to systemd.
package telemetry

import (
	"io"
	"log/slog"
	"maps"
	"strings"
	"sync/atomic"

	"github.com/lectiospace/lectern/internal/printable"
)

// NewLogger makes the program's logger.
func NewLogger(cfg LogConfig, w io.Writer) *slog.Logger {
	log, _ := NewAdjustableLogger(cfg, w)
	return log
}

// NewAdjustableLogger is NewLogger with the level, which may be changed at any time.
func NewAdjustableLogger(cfg LogConfig, w io.Writer) (*slog.Logger, *slog.LevelVar) {
	level := new(slog.LevelVar)
	level.Set(cfg.SlogLevel())
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: new(redactor).replace}
	if cfg.Format == "text" || cfg.Format != "json" && isTerminal(w) {
		return slog.New(slog.NewTextHandler(w, options)), level
	}
	return slog.New(slog.NewJSONHandler(w, options)), level
}

func isTerminal(w io.Writer) bool {
	if b, ok := w.(*BatchWriter); ok {
		return b.direct
	}
	_, ok := printable.Terminal(w)
	return ok
}

// secretNames are attributes whose values are never written. No code logs them; this
// is the safety net for a mistake.
var secretNames = []string{"token", "secret", "password", "authorization", "cookie", "credential"}

// redactor caches which names are secret: the same names come with every line. They
// are the program's own, so the cache stays small.
type redactor struct {
	known atomic.Pointer[map[string]bool]
}

// replace is the ReplaceAttr of all handlers.
func (r *redactor) replace(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.LevelKey {
		level, _ := a.Value.Any().(slog.Level)
		return slog.String(a.Key, level.String()) // without this, each line's level would go through encoding/json
	}
	if a.Key == "stack" { // of our own panics: lines that stay lines
		return a
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
		r.known.Store(&more) // a concurrent addition may be lost; the next line repeats it
	}
	if secret {
		return slog.String(a.Key, "[redacted]")
	}
	a.Value = visible(a.Value)
	return a
}

// visible is a value whose text holds no control characters and no invisible ones, which
// come from outside: from a title, a header, another service's error. A reader of JSON
// shows on a terminal what the string holds, so that the encoding of JSON alone hides
// nothing.
func visible(v slog.Value) slog.Value {
	switch v.Kind() {
	case slog.KindString:
		return escaped(v, v.String())
	case slog.KindAny:
		if err, ok := v.Any().(error); ok {
			return escaped(v, errorText(err))
		}
	}
	return v
}

// escaped is v where its text needs no escape.
func escaped(v slog.Value, text string) slog.Value {
	if safe := printable.Escape(text); safe != text {
		return slog.StringValue(safe)
	}
	return v
}

// errorText is an error's text. Like package log/slog, it survives a nil pointer in err.
func errorText(err error) (text string) {
	defer func() {
		if recover() != nil {
			text = ""
		}
	}()
	return err.Error()
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
