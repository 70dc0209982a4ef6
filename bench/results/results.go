// Package results holds the measurements, compares them with the goals, and writes the
// report: tables, plots, and the raw samples.
package results

import (
	"fmt"
	"slices"
	"time"
)

// Metrics of samples. Each is a number per run.
const (
	Throughput       = "MB/s"            // bytes of bodies per second, 10^6
	Requests         = "requests/s"      //
	CPUPerGiB        = "CPU ms/GiB"      // the server's, user and system
	ClientPerGiB     = "client ms/GiB"   // processor time, as the two around it
	OriginPerGiB     = "origin ms/GiB"   //
	CPUPerRequest    = "CPU us/request"  // the server's
	CPUPerSecond     = "CPU s/s"         //
	FirstP50         = "first byte p50"  // ms
	FirstP95         = "first byte p95"  // ms
	FirstP99         = "first byte p99"  // ms
	Wall             = "wall s"          //
	DoneP50          = "1 MiB done p50"  // ms
	OriginBytes      = "origin bytes"    // per byte wanted
	OriginAsks       = "origin requests" //
	RSSPerViewer     = "RSS KiB/viewer"  // growth
	SocketMemory     = "kernel KiB/viewer"
	Stalled          = "stalled viewers"
	Worst            = "worst lateness" // ms
	Nanoseconds      = "ns/op"
	Allocations      = "allocs/op"
	ByteHits         = "byte hit ratio %"
	Openings         = "heads and tails %"
	CPUPerViewerHour = "CPU s/viewer-hour" // the server's
	ReadyAfter       = "ready s"           // from the start of the process to its first answer
	IndexedAfter     = "index s"           // to the end of the scan of what is cached
	IndexCPU         = "index CPU s"       // until then
	IndexRSS         = "RSS MiB"           // then
	Written          = "written per byte"  // bytes to the disk per byte served
	PossibleHits     = "possible hits %"   // of bytes that were served before
	Kept             = "kept"              // bytes on the disk per byte allowed there
	// Phases of a viewer's visit, each in ms from the entering of the address to its end.
	PageLoaded    = "HTML ms"
	ScriptLoaded  = "script ms"
	GrantAsked    = "grant asked ms"
	Granted       = "granted ms"
	SourceSet     = "src ms"
	StreamBegan   = "first byte ms"
	MetadataKnown = "metadata ms"
	FrameLoaded   = "loadeddata ms"
	FirstFrame    = "first frame ms" // on the screen
	PlayingAfter  = "playing ms"     // after the press
	Rebuffered    = "rebuffered %"   // of the time that somebody watched, waits for what was sought apart
	DecoderWaits  = "decoder waits %"
	SeekWait      = "seek wait ms" // of one seek
	Seeks         = "seeks"
	Events        = "events/s"
	AnsweredP50   = "answered p50" // ms
	AnsweredP99   = "answered p99" // ms
	CPUPerEvent   = "CPU ms/event" // the server's
	Retried       = "retried"      // requests that a connection closed by the server did not answer
)

// Where the machine's processor time went, in percent of the time of all cores. The rest is
// the kernel's own threads and whatever else runs.
const (
	ServerShare = "server %"
	ClientShare = "client %"
	OriginShare = "origin %"
	OtherShare  = "others %"
	IdleShare   = "idle %"
)

// Sample is one run of one server under one workload.
type Sample struct {
	Workload string             `json:"workload"`
	Target   string             `json:"target"`
	Round    int                `json:"round"`
	Values   map[string]float64 `json:"values"`
	// First are the times to the first byte in ms, thinned out to their quantiles.
	First []float64 `json:"first_ms,omitempty"`
}

// Failure is a run that gave no sample.
type Failure struct {
	Workload string `json:"workload"`
	Target   string `json:"target"`
	Round    int    `json:"round"`
	Error    string `json:"error"`
	Logs     string `json:"logs,omitempty"` // the ends of the server's logs
}

// Profile is where the gateway's processor time went under a workload.
type Profile struct {
	Workload string `json:"workload"`
	Text     string `json:"text"`
}

// Set is everything that was measured.
type Set struct {
	Machine  Machine   `json:"machine"`
	Samples  []Sample  `json:"samples"`
	Failures []Failure `json:"failures,omitempty"`
	Profiles []Profile `json:"profiles,omitempty"`
	// Minutes is how long each workload took in all, with starting and filling the servers.
	Minutes map[string]float64 `json:"minutes,omitempty"`

	clockOf Machine // where and when the viewer's clock was measured
}

// Took adds to how long a workload took.
func (s *Set) Took(workload string, d time.Duration) {
	if s.Minutes == nil {
		s.Minutes = map[string]float64{}
	}
	s.Minutes[workload] += d.Minutes()
}

// values are a metric's values by round.
func (s *Set) values(workload, target, metric string) map[int]float64 {
	found := map[int]float64{}
	for _, sample := range s.Samples {
		if v, ok := sample.Values[metric]; ok && sample.Workload == workload && sample.Target == target {
			found[sample.Round] = v
		}
	}
	return found
}

// Median of a metric over the rounds.
func (s *Set) Median(workload, target, metric string) (float64, bool) {
	var all []float64
	for _, v := range s.values(workload, target, metric) {
		all = append(all, v)
	}
	return median(all)
}

// Ratio is the median of the rounds' own ratios: what disturbs the machine for a
// while disturbs both sides of a round.
func (s *Set) Ratio(workload, target, base, metric string) (float64, bool) {
	of := s.values(workload, base, metric)
	var ratios []float64
	for round, v := range s.values(workload, target, metric) {
		if b, ok := of[round]; ok && b != 0 {
			ratios = append(ratios, v/b)
		}
	}
	return median(ratios)
}

// Difference is the median of the rounds' own differences.
func (s *Set) Difference(workload, target, base, metric, baseMetric string) (float64, bool) {
	of := s.values(workload, base, baseMetric)
	var all []float64
	for round, v := range s.values(workload, target, metric) {
		if b, ok := of[round]; ok {
			all = append(all, v-b)
		}
	}
	return median(all)
}

// worst is the least of the rounds' own ratios.
func (s *Set) worst(workload, target, base, metric string) (least float64, ok bool) {
	for _, r := range s.pairs(workload, base, target, metric) {
		if !ok || r < least {
			least, ok = r, true
		}
	}
	return least, ok
}

// spread is the least and the greatest of a metric's values.
func (s *Set) spread(workload, target, metric string) (least, most float64) {
	first := true
	for _, v := range s.values(workload, target, metric) {
		if first {
			least, most, first = v, v, false
		}
		least, most = min(least, v), max(most, v)
	}
	return least, most
}

// Targets are those with samples of a workload, in the order they came.
func (s *Set) Targets(workload string) (names []string) {
	for _, sample := range s.Samples {
		if sample.Workload == workload && !slices.Contains(names, sample.Target) {
			names = append(names, sample.Target)
		}
	}
	return names
}

// Workloads are those with samples, in the order they came.
func (s *Set) Workloads() (names []string) {
	for _, sample := range s.Samples {
		if !slices.Contains(names, sample.Workload) {
			names = append(names, sample.Workload)
		}
	}
	return names
}

// howOften says how many rounds each target of a workload had.
func (s *Set) howOften(workload string) string {
	least, most := 0, 0
	for _, target := range s.Targets(workload) {
		rounds := map[int]bool{}
		for _, sample := range s.Samples {
			if sample.Workload == workload && sample.Target == target {
				rounds[sample.Round] = true
			}
		}
		if n := len(rounds); most == 0 {
			least, most = n, n
		} else {
			least, most = min(least, n), max(most, n)
		}
	}
	switch {
	case most == 1:
		return "One round"
	case least < most:
		return fmt.Sprintf("%d rounds, %d of some", most, least)
	}
	return fmt.Sprintf("%d rounds", most)
}

func median(all []float64) (float64, bool) {
	if len(all) == 0 {
		return 0, false
	}
	slices.Sort(all)
	mid := len(all) / 2
	if len(all)%2 == 0 {
		return (all[mid-1] + all[mid]) / 2, true
	}
	return all[mid], true
}

// Quantile of sorted durations, in milliseconds.
func Quantile(sorted []time.Duration, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	i := min(int(q*float64(len(sorted))), len(sorted)-1)
	return float64(sorted[i]) / float64(time.Millisecond)
}

// Firsts fills in what times to first bytes say; it sorts them.
func (s *Sample) Firsts(times []time.Duration) {
	const kept = 100
	slices.Sort(times)
	s.Values[FirstP50] = Quantile(times, 0.50)
	s.Values[FirstP95] = Quantile(times, 0.95)
	s.Values[FirstP99] = Quantile(times, 0.99)
	s.First = nil
	for i := range min(kept, len(times)) {
		s.First = append(s.First, Quantile(times, (float64(i)+0.5)/float64(min(kept, len(times)))))
	}
}
