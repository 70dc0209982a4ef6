package results

import "fmt"

// Workloads that goals are about.
const (
	Hot64K = "hot 64 KiB"
	Hot1M  = "hot 1 MiB"
	Hot8M  = "hot 8 MiB"
	// The same with the other client, see load.Target.Threads.
	Threads64K  = "hot 64 KiB, a client thread each"
	Turns1M     = "hot 1 MiB, one client thread"
	Turns8M     = "hot 8 MiB, one client thread"
	Same64K     = "hot 64 KiB, every byte compared"
	Same8M      = "hot 8 MiB, every byte compared"
	ColdSlow    = "cold sequential, 50 ms and 8 MiB/s per connection"
	ColdFast    = "cold sequential, 5 ms and no cap"
	ColdLarge   = "cold sequential, 3 GiB, 5 ms and no cap"
	Crowd       = "crowd of 50 on one cold file"
	Seek        = "seek in a cold file"
	Slow1000    = "slow, 1000 viewers at 1 Mbit/s"
	Slow5000    = "slow, 5000 viewers at 1 Mbit/s"
	Deployed    = "as deployed, 1 MiB over TLS"
	Mix         = "player mix, 200 viewers"
	Flash       = "flash writes, crawl of the archive"
	Growth      = "growth, 64 KiB ranges"
	StartUp     = "start-up"
	Clock       = "viewer's clock on loopback"
	ClockSlow   = "viewer's clock at 40 ms and 10 Mbit/s"
	Rebuffering = "watching at 80 ms, 4 Mbit/s and 1 % loss"
	Webhooks    = "webhooks, 16 senders"
	AuthPath    = "auth on the hot path"
	Eviction    = "eviction at 10 % of all lessons"
)

// Names of servers that goals are about.
const (
	gateway = "gateway"
	direct  = "direct"
	static  = "nginx static"
)

// Goal is one thing that was promised.
type Goal struct {
	Workload string
	What     string
	Want     float64
	Stretch  float64 // what would be better still; 0 for none
	AtMost   bool    // else at least
	Value    func(*Set) (float64, bool)
}

// GoalResult is a goal with its measured value.
type GoalResult struct {
	Goal
	Got      float64
	Measured bool
}

// Met reports whether the goal was reached.
func (v GoalResult) Met() bool {
	return v.Measured && (v.AtMost && v.Got <= v.Want || !v.AtMost && v.Got >= v.Want)
}

// Evaluate compares the set with all goals.
func (s *Set) Evaluate() (evaluated []GoalResult) {
	for _, g := range goals() {
		v := GoalResult{Goal: g}
		v.Got, v.Measured = g.Value(s)
		evaluated = append(evaluated, v)
	}
	return evaluated
}

// least and most are the directions of goals.
const least, most = false, true

func goals() (all []Goal) {
	add := func(workload, what string, want float64, atMost bool, value func(*Set) (float64, bool)) {
		all = append(all, Goal{Workload: workload, What: what, Want: want, AtMost: atMost, Value: value})
	}
	hotGoals(add)
	for i := range all {
		switch g := &all[i]; {
		case g.Workload == Hot64K && g.What == throughputOverStatic:
			g.Stretch = 0.85
		case g.Workload == Hot64K && g.What == cpuOverStatic:
			g.Stretch = 1.3
		}
	}
	coldGoals(add)
	slowGoals(add)
	for _, proxy := range []string{"nginx", "haproxy"} {
		pair, rival := proxy+" + gateway, TLS", "nginx slice 1m + auth each, logged, TLS"
		add(Deployed, proxy+" and gateway, throughput / nginx slice + auth_request", 0.85, least, ratio(Deployed, pair, rival, Throughput))
		add(Deployed, proxy+" and gateway, CPU of the pair / the same", 1.5, most, ratio(Deployed, pair, rival, CPUPerGiB))
	}
	add(Mix, "server CPU per viewer-hour / nginx slice with a cached auth answer", 1, most, ratio(Mix, gateway, "nginx slice 8m + auth cached, logged", CPUPerViewerHour))
	add(Flash, "bytes written per byte served", 0.3, most, ofGateway(Flash, Written))
	add(Flash, "byte hit ratio, points less than possible", 1, most, func(s *Set) (float64, bool) {
		return s.Difference(Flash, gateway, gateway, PossibleHits, ByteHits)
	})
	for _, browser := range clockBrowsers {
		add(Clock, browser+", first frame of a cold lesson, ms", 320, most, medianOf(Clock, browser+", cold", FirstFrame))
		add(Clock, browser+", first frame of a warm lesson, ms", 250, most, medianOf(Clock, browser+", warm", FirstFrame))
		add(ClockSlow, browser+", first frame of a cold lesson, ms", 500, most, medianOf(ClockSlow, browser+", cold", FirstFrame))
		add(ClockSlow, browser+", first frame of a warm lesson, ms", 450, most, medianOf(ClockSlow, browser+", warm", FirstFrame))
		add(Rebuffering, browser+", rebuffered, %", 0.2, most, medianOf(Rebuffering, browser, Rebuffered))
	}
	add(Webhooks, "answered p99 with SQLite, ms", 50, most, medianOf(Webhooks, "syncer, SQLite", AnsweredP99))
	add(Webhooks, "answered p99 with PostgreSQL, ms", 50, most, medianOf(Webhooks, "syncer, PostgreSQL", AnsweredP99))
	add(AuthPath, "token and access decision, ns", 3000, most, ofGateway(AuthPath, Nanoseconds))
	add(AuthPath, "allocations", 0, most, ofGateway(AuthPath, Allocations))
	add(Eviction, "byte hit ratio, points over S3-FIFO", 0, least, func(s *Set) (float64, bool) { return s.Difference(Eviction, "Lectern", "S3-FIFO", ByteHits, ByteHits) })
	add(Eviction, "byte hit ratio, points over LRU", 10, least, func(s *Set) (float64, bool) { return s.Difference(Eviction, "Lectern", "LRU", ByteHits, ByteHits) })
	return all
}

const (
	throughputOverStatic = "throughput / tuned nginx static without auth"
	cpuOverStatic        = "server CPU per GiB / the same"
)

type addGoal func(workload, what string, want float64, atMost bool, value func(*Set) (float64, bool))

func hotGoals(add addGoal) {
	for _, hot := range []struct {
		workload        string
		throughput, cpu float64
	}{{Hot64K, 0.7, 1.6}, {Threads64K, 0.7, 1.6}, {Hot1M, 1, 1}, {Turns1M, 1, 1}, {Hot8M, 0.95, 1.1}, {Turns8M, 0.95, 1.1}} {
		add(hot.workload, throughputOverStatic, hot.throughput, least, ratio(hot.workload, gateway, static, Throughput))
		add(hot.workload, cpuOverStatic, hot.cpu, most, ratio(hot.workload, gateway, static, CPUPerGiB))
		if hot.workload == Hot64K {
			add(Hot64K, "first byte p99 / the same", 1.5, most, ratio(Hot64K, gateway, static, FirstP99))
			add(Hot64K, "throughput / nginx slice + auth_request", 1.7, least, ratio(Hot64K, gateway, "nginx slice 1m + auth each", Throughput))
		}
	}
}

func coldGoals(add addGoal) {
	add(ColdSlow, "throughput / direct, the worst round", 3.7, least, func(s *Set) (float64, bool) { return s.worst(ColdSlow, gateway, direct, Throughput) })
	add(ColdSlow, "first byte, ms more than direct", 2, most, difference(ColdSlow, FirstP50))
	add(ColdSlow, "origin bytes / size", 1.01, most, ofGateway(ColdSlow, OriginBytes))
	for _, fast := range []string{ColdFast, ColdLarge} {
		add(fast, "throughput / direct", 0.35, least, ratio(fast, gateway, direct, Throughput))
	}
	add(Crowd, "wall, s", 2.2, most, ofGateway(Crowd, Wall))
	add(Crowd, "first byte p95, ms more than direct", 5, most, func(s *Set) (float64, bool) {
		return s.Difference(Crowd, gateway, direct, FirstP95, FirstP50)
	})
	add(Crowd, "origin bytes / size", 1.01, most, ofGateway(Crowd, OriginBytes))
	add(Seek, "first byte p50, ms more than direct", 2, most, func(s *Set) (float64, bool) {
		return s.Difference(Seek, gateway, direct, FirstP50, FirstP50)
	})
	add(Seek, "first byte p95, ms more than direct's p50", 8, most, func(s *Set) (float64, bool) {
		return s.Difference(Seek, gateway, direct, FirstP95, FirstP50)
	})
	add(Seek, "origin bytes per byte wanted", 1.5, most, ofGateway(Seek, OriginBytes))
}

func slowGoals(add addGoal) {
	for _, slow := range []string{Slow1000, Slow5000} {
		add(slow, "server CPU / nginx static", 1.2, most, ratio(slow, gateway, static, CPUPerSecond))
		add(slow, "RSS, KiB a viewer", 16, most, ofGateway(slow, RSSPerViewer))
		add(slow, "stalled viewers", 0, most, ofGateway(slow, Stalled))
		add(slow, "kernel socket memory / nginx static with default buffers", 1, most, ratio(slow, gateway, static, SocketMemory))
	}
}

func ratio(workload, target, base, metric string) func(*Set) (float64, bool) {
	return func(s *Set) (float64, bool) { return s.Ratio(workload, target, base, metric) }
}

func ofGateway(workload, metric string) func(*Set) (float64, bool) {
	return medianOf(workload, gateway, metric)
}

func medianOf(workload, target, metric string) func(*Set) (float64, bool) {
	return func(s *Set) (float64, bool) { return s.Median(workload, target, metric) }
}

func difference(workload, metric string) func(*Set) (float64, bool) {
	return func(s *Set) (float64, bool) { return s.Difference(workload, gateway, direct, metric, metric) }
}

// bound is what was promised, for a table.
func (g Goal) bound() string {
	sign := "≥"
	if g.AtMost {
		sign = "≤"
	}
	text := sign + " " + number(g.Want)
	if g.Stretch != 0 {
		text += " (better " + number(g.Stretch) + ")"
	}
	return text
}

// String returns the result as a line.
func (v GoalResult) String() string {
	word := "NOT MET"
	if v.Met() {
		word = "met"
	}
	return fmt.Sprintf("%-8s %s: %s %s (goal %s)", word, v.Workload, v.What, number(v.Got), v.bound())
}
