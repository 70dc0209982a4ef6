// Command packaging builds what a release consists of: Debian packages, a container image
// and archives, each with the licences and the list of everything that is linked in. Two
// runs on one commit with one version of Go write the same bytes.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "packaging:", err)
		os.Exit(1)
	}
}

// options are the command line.
type options struct {
	source        string   // the root of the repository or of a source archive
	out           string   // where files are written
	architectures []string // in Go's spelling, which is Debian's too for those that are built
	binaries      string   // a folder of gateway and syncer to pack instead of building them
}

// run parses the command line and builds what it names.
func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("packaging", flag.ContinueOnError)
	var o options
	var architectures string
	flags.StringVar(&o.source, "source", "..", "`folder` of the source")
	flags.StringVar(&o.out, "out", "../dist", "`folder` that the files are written to")
	flags.StringVar(&architectures, "arch", "amd64,arm64", "`architectures`, comma separated")
	flags.StringVar(&o.binaries, "binaries", "", "`folder` of a gateway and a syncer of this machine's architecture that are packed instead of built ones")
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), "usage: packaging [flags] deb|image|dist")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return err
	}
	o.architectures = strings.Split(architectures, ",")
	kinds := map[string][]kind{"deb": {debs}, "image": {image}, "dist": {debs, image, archives, sboms, checksums}}
	chosen, ok := kinds[flags.Arg(0)]
	if !ok || flags.NArg() != 1 {
		flags.Usage()
		return fmt.Errorf("name one of deb, image and dist")
	}
	return build(ctx, o, chosen)
}

// kind writes files of one kind into a folder and returns their names.
type kind func(r *release, out string) ([]string, error)

// build builds the programs once and packs them into each kind of file.
func build(ctx context.Context, o options, kinds []kind) error {
	work, err := os.MkdirTemp("", "lectern-packaging-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	r, err := newRelease(ctx, o, work)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	for _, write := range kinds {
		names, err := write(r, o.out)
		if err != nil {
			return err
		}
		r.written = append(r.written, names...)
		for _, name := range names {
			info, err := os.Stat(filepath.Join(o.out, name))
			if err != nil {
				return err
			}
			fmt.Printf("%s  %.1f MB\n", name, float64(info.Size())/1e6)
		}
	}
	return nil
}

// programs are the commands of the repository that are released.
var programs = []string{"gateway", "syncer"}
