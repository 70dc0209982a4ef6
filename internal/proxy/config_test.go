package proxy

import "testing"

func TestConfigValidate(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"no streams":     func(c *Config) { c.Limit.Streams = 0 },
		"negative users": func(c *Config) { c.Limit.StreamsPerUser = -1 },
		"negative rate":  func(c *Config) { c.Limit.StreamRate = -1 },
		"star":           func(c *Config) { c.CORS.Origins = []string{"*"} },
		"path":           func(c *Config) { c.CORS.Origins = []string{"https://a.example/"} },
		"no scheme":      func(c *Config) { c.CORS.Origins = []string{"a.example"} },
		"write idle":     func(c *Config) { c.WriteIdle = 0 },
		"recheck":        func(c *Config) { c.Recheck = 0 },
	} {
		cfg := DefaultConfig()
		change(&cfg)
		if cfg.Validate() == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	cfg := DefaultConfig()
	cfg.CORS.Origins = []string{"https://lms.example.org", "http://localhost:3000"}
	if err := cfg.Validate(); err != nil {
		t.Error(err)
	}
}
