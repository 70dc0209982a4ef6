package main

import (
	"context"

	"github.com/lectiospace/lectern/internal/doctor"
)

type healthcheckCommand struct{}

// Run asks the admin listener of the gateway that runs with the same settings.
func (*healthcheckCommand) Run(ctx context.Context, cli *CLI) error {
	return doctor.Ready(ctx, cli.AdminListen)
}
