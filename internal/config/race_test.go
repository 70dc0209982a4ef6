//go:build race

package config_test

// raceFlags have the sources compiled as this test is: they are in Go's cache then.
var raceFlags = []string{"-race"}
