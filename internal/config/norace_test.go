//go:build !race

package config_test

var raceFlags []string
