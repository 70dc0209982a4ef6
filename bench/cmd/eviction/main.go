// Command eviction compares the cache's eviction policy with LRU, S3-FIFO, W-TinyLFU and
// the optimum, on traces of a school's viewers and one downloader.
package main

import (
	"flag"
	"fmt"
	"os"
	"text/tabwriter"

	"github.com/lectiospace/lectern/bench/eviction"
)

func main() {
	seeds := flag.Int("seeds", 5, "how many traces")
	capacity := flag.Float64("capacity", 10, "size of the cache, in percent of all lessons")
	crawl := flag.Int("crawl", eviction.DefaultTrace(1).Crawl, "percent of the requests that are the downloader's")
	skew := flag.Float64("skew", eviction.DefaultTrace(1).Skew, "exponent of the Zipf law")
	requests := flag.Int("requests", eviction.DefaultTrace(1).Requests, "requests of a trace")
	flag.Parse()

	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "byte hit ratio, %\t")
	for _, p := range eviction.Policies {
		fmt.Fprintf(w, "%s\t", p.Name)
	}
	fmt.Fprint(w, "over LRU\tover S3-FIFO\theads and tails:\t")
	for _, p := range eviction.Policies {
		fmt.Fprintf(w, "%s\t", p.Name)
	}
	fmt.Fprintln(w)
	for seed := 1; seed <= *seeds; seed++ {
		t := eviction.DefaultTrace(uint64(seed))
		t.Crawl, t.Skew, t.Requests = *crawl, *skew, *requests
		r := eviction.Run(t, *capacity, eviction.Policies)
		fmt.Fprintf(w, "seed %d\t", seed)
		for _, one := range r {
			fmt.Fprintf(w, "%.2f\t", 100*one.Hits)
		}
		fmt.Fprintf(w, "%+.2f\t%+.2f\t\t", 100*(r[2].Hits-r[0].Hits), 100*(r[2].Hits-r[1].Hits))
		for _, one := range r {
			fmt.Fprintf(w, "%.2f\t", 100*one.Openings)
		}
		fmt.Fprintln(w)
	}
	_ = w.Flush()
}
