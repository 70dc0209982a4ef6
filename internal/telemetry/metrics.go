package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// NewRegistry makes the program's registry with the collectors of the Go runtime and of
// the process, and lectern_build_info.
func NewRegistry(version, commit string) *prometheus.Registry {
	registry := prometheus.NewRegistry()
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "lectern_build_info", Help: "Always 1; the labels are the version and commit of the program.",
	}, []string{"version", "commit"})
	build.WithLabelValues(version, commit).Set(1)
	registry.MustRegister(build, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return registry
}
