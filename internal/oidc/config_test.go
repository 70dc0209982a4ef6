package oidc

import (
	"strings"
	"testing"
)

func TestConfigCheck(t *testing.T) {
	valid := Config{Issuer: "https://id.example/realms/a", ClientID: "lectern", Scopes: "openid email", AllowedDomains: []string{"school.example"}, Label: "School"}
	for _, c := range []struct {
		name    string
		change  func(*Config)
		setting string // "": valid
	}{
		{"all", func(*Config) {}, ""},
		{"off", func(c *Config) { *c = Config{} }, ""},
		{"off, with defaults", func(c *Config) { *c = Config{Scopes: "openid email profile", Label: "x"} }, ""},
		{"loopback", func(c *Config) { c.Issuer = "http://127.0.0.1:8080" }, ""},
		{"loopback of IPv6", func(c *Config) { c.Issuer = "http://[::1]:8080/" }, ""},
		{"localhost", func(c *Config) { c.Issuer = "http://localhost:8080" }, ""},
		{"http", func(c *Config) { c.Issuer = "http://id.example" }, "oidc-issuer"},
		{"http that looks like loopback", func(c *Config) { c.Issuer = "http://127.0.0.1.evil.example" }, "oidc-issuer"},
		{"a user", func(c *Config) { c.Issuer = "https://u:p@id.example" }, "oidc-issuer"},
		{"a query", func(c *Config) { c.Issuer = "https://id.example?x" }, "oidc-issuer"},
		{"no URL", func(c *Config) { c.Issuer = "id.example" }, "oidc-issuer"},
		{"no client", func(c *Config) { c.ClientID = "" }, "oidc-client-id"},
		{"no issuer", func(c *Config) { c.Issuer = "" }, "oidc-issuer"},
		{"a secret alone", func(c *Config) { *c = Config{ClientSecret: "x"} }, "oidc-issuer"},
		{"domains alone", func(c *Config) { *c = Config{AllowedDomains: []string{"x"}} }, "oidc-issuer"},
		{"no openid", func(c *Config) { c.Scopes = "email" }, "oidc-scopes"},
		{"an address as a domain", func(c *Config) { c.AllowedDomains = []string{"@school.example"} }, "oidc-allowed-domains"},
		{"a long label", func(c *Config) { c.Label = strings.Repeat("x", 61) }, "oidc-label"},
		{"a label of two lines", func(c *Config) { c.Label = "a\nb" }, "oidc-label"},
	} {
		cfg := valid
		c.change(&cfg)
		err := cfg.Check()
		if c.setting == "" != (err == nil) || err != nil && !strings.HasPrefix(err.Error(), c.setting+": ") {
			t.Errorf("%s: %v, want %q", c.name, err, c.setting)
		}
	}
}

func TestAllowedDomains(t *testing.T) {
	c := Config{AllowedDomains: []string{"School.example", "skool.example"}}
	for email, want := range map[string]bool{
		"a@school.example": true, "a@SCHOOL.EXAMPLE": true, "a@b@school.example": true,
		"a@evil.school.example": false, "a@evilschool.example": false, "a@school.example.evil": false, "school.example": false, "@school.example": false, "a@": false,
		"a@s\u212aool.example": false,
	} {
		if c.allows(email) != want {
			t.Errorf("%s: %v", email, !want)
		}
	}
	if !(Config{}).allows("a@b") {
		t.Error("without domains some are refused")
	}
}
