package telemetry

import (
	"errors"
	"math"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"
)

// RegisterDirectories adds lectern_disk_free_bytes and lectern_disk_size_bytes of the file
// systems of some directories, by the name of the directory's purpose. They are measured
// at each scrape, and NaN while that fails: there is nothing that a comparison matches.
func RegisterDirectories(reg prometheus.Registerer, paths map[string]string) error {
	var errs []error
	for name, path := range paths {
		gauge := func(metric, help string, of func(unix.Statfs_t) uint64) {
			errs = append(errs, reg.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
				Name: metric, Help: help, ConstLabels: prometheus.Labels{"directory": name},
			}, func() float64 {
				var st unix.Statfs_t
				if unix.Statfs(path, &st) != nil {
					return math.NaN()
				}
				return float64(of(st)) * float64(st.Bsize)
			})))
		}
		gauge("lectern_disk_free_bytes", "Free bytes of a directory's file system, as far as the program may use them.", func(st unix.Statfs_t) uint64 { return st.Bavail })
		gauge("lectern_disk_size_bytes", "Size of a directory's file system.", func(st unix.Statfs_t) uint64 { return st.Blocks })
	}
	return errors.Join(errs...)
}
