package main

import (
	"fmt"
	"time"

	"github.com/lectiospace/lectern/internal/auth"
	"github.com/lectiospace/lectern/internal/config"
)

type tokenCommand struct {
	User      int64         `required:"" placeholder:"ID" help:"User id the token speaks for."`
	TTL       time.Duration `name:"ttl" default:"1h" help:"Lifetime (duration)."`
	Recording int64         `placeholder:"ID" help:"Make a playback token that opens this one recording."`
	Code      bool          `help:"Make a code for a link, PUBLIC-URL/#code=CODE, instead: good for 60 s and one sign-in, which lasts for the ttl at most."`
}

// Run prints the token and nothing else.
func (c *tokenCommand) Run(cli *CLI, term terminal) error {
	switch {
	case c.User <= 0:
		return &config.Error{Setting: "user", Source: "flag --user", Problem: "must be a positive user id"}
	case c.Recording < 0:
		return &config.Error{Setting: "recording", Source: "flag --recording", Problem: "must be a positive recording id"}
	case c.Code && c.Recording != 0:
		return &config.Error{Setting: "code", Source: "flag --code", Problem: "opens the library; it cannot be combined with --recording"}
	case c.TTL <= 0:
		return &config.Error{Setting: "ttl", Source: "flag --ttl", Problem: "must be longer than 0s"}
	}
	if err := cli.ValidateServe(); err != nil {
		return err
	}
	minter, err := auth.NewMinter(cli.Auth, time.Now)
	if err != nil {
		return err
	}
	var token string
	if c.Code {
		token, _, err = minter.SessionCode(c.User, time.Now().Add(c.TTL))
	} else if c.Recording != 0 {
		token, err = minter.Playback(c.User, c.Recording, c.TTL)
	} else {
		token, err = minter.Access(c.User, c.TTL)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(term.Out, token)
	return err
}
