// Command drive-emulator serves an emulated Google Drive for benchmarks and for
// trying a gateway by hand.
package main

import (
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/lectiospace/lectern/internal/emulator"
	driveemu "github.com/lectiospace/lectern/internal/emulator/drive"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8090", "address to listen on")
	latency := flag.Duration("latency", 50*time.Millisecond, "time before an answer")
	rate := flag.Int64("rate", 0, "bytes per second and connection; 0 = no limit")
	dir := flag.String("dir", "", "folder whose files are served under their names")
	made := flag.String("synthetic", "lesson-file=67108864", "comma separated ID=BYTES of files that are made up")
	flag.Parse()
	drive := driveemu.New()
	drive.SetDefaults(driveemu.Faults{Latency: *latency, Rate: *rate})
	for pair := range strings.SplitSeq(*made, ",") {
		id, bytes, _ := strings.Cut(pair, "=")
		size, err := strconv.ParseInt(bytes, 10, 64)
		if err != nil {
			log.Fatalf("-synthetic: %q is not ID=BYTES", pair)
		}
		drive.Put(driveemu.File{ID: id, Name: id + ".mp4", MimeType: "video/mp4", Content: emulator.Synthetic(size, 1)})
	}
	if *dir != "" {
		files, err := os.ReadDir(*dir)
		if err != nil {
			log.Fatal(err)
		}
		for _, f := range files {
			data, err := os.ReadFile(filepath.Join(*dir, f.Name()))
			if err != nil {
				log.Fatal(err)
			}
			drive.Put(driveemu.File{ID: f.Name(), Name: f.Name(), MimeType: "video/mp4", Content: emulator.Bytes(data)})
		}
	}
	fmt.Printf("an emulated Drive on http://%s/, counters on /_emulator/stats\n", *listen)
	server := &http.Server{Addr: *listen, Handler: drive, ReadHeaderTimeout: 10 * time.Second}
	log.Fatal(server.ListenAndServe())
}
