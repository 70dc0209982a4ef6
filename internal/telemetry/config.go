package telemetry

import "log/slog"

// LogConfig says how logs are written.
type LogConfig struct {
	// Format "auto" means text on a terminal and json elsewhere.
	Format string `name:"format" default:"auto" enum:"auto,json,text" help:"Log format on stderr: json, text, or auto: text on a terminal, else json (auto|json|text)."`
	Level  string `name:"level" default:"info" enum:"debug,info,warn,error" reload:"where the file has it" help:"Least level that is logged (debug|info|warn|error)."`
}

// SlogLevel is Level as slog has it.
func (c LogConfig) SlogLevel() slog.Level {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		return slog.LevelInfo // the setting's enum admits no other level
	}
	return level
}
