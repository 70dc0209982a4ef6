package config

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/lectiospace/lectern/internal/printable"
)

// Terminal is where a command reads its input and writes its output.
type Terminal struct {
	In       io.Reader
	Out, Err io.Writer
}

// Confirm prints a question and reports whether the answer is the expected word. No
// answer means no.
func (t Terminal) Confirm(question, word string) bool {
	fmt.Fprint(t.Err, question)
	answer, _ := bufio.NewReader(t.In).ReadString('\n')
	return strings.TrimSpace(answer) == word
}

// ErrReported ends a program with exit code 1 and writes nothing: the command's
// output names the problem already.
var ErrReported = errors.New("reported")

// Main runs a program with the process's arguments, environment, files and signals,
// and ends the process. The first SIGINT or SIGTERM ends the command's context; a
// second one ends the process at once.
func Main(program, description string, cli Group) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	go func() {
		<-ctx.Done()
		stop() // restores the default for the second signal
	}()
	os.Exit(Run(ctx, program, description, cli, os.Args[1:], os.Environ(), Terminal{os.Stdin, os.Stdout, os.Stderr}))
}

// Run parses the command line into cli and runs the chosen command, whose Run method
// may take a context, cli, and a Terminal. It returns the exit code: 0 good, 1 failed,
// 2 wrong usage or configuration. An error is one line on term.Err. What commands write
// goes through a printable.Writer.
func Run(ctx context.Context, program, description string, cli Group, args, env []string, term Terminal) int {
	term.Out, term.Err = printable.NewWriter(term.Out), printable.NewWriter(term.Err)
	parsed, err := Parse(program, description, cli, args, env, term.Out, term.Err)
	if err == nil {
		for _, warning := range parsed.Warnings {
			fmt.Fprintf(term.Err, "%s: warning: %s\n", program, warning)
		}
		err = parsed.Run(ctx, cli, term)
	}
	var usage *Error
	switch {
	case err == nil, errors.Is(err, ErrDone):
		return 0
	case errors.Is(err, ErrReported):
		return 1
	}
	fmt.Fprintf(term.Err, "%s: %v\n", program, err)
	if errors.As(err, &usage) {
		return 2
	}
	return 1
}
