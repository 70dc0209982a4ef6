package results

import "fmt"

// Names of the servers that do the least.
const (
	sendfileBound = "limit: sendfile"
	relayBound    = "limit: relay"
	tlsBound      = "limit: nginx static, TLS"
	hitsBound     = "limit: everything stored"
	walkBound     = "limit: a look at each file"
	// DiskBound is a program that writes a page and waits until the disk has it.
	DiskBound = "limit: a synced write"
)

// gatewayStreams is how many connections the gateway fetches one file through at most.
const gatewayStreams = 4

// limit says what a workload's limit is on this machine and what the gateway makes of it; ""
// where that was not measured.
func (s *Set) limit(workload string) string {
	switch workload {
	case Hot64K, Hot1M, Hot8M, Threads64K, Turns1M, Turns8M, Same64K, Same8M:
		return s.boundBy(workload, sendfileBound, "a server that only reads a range and calls sendfile")
	case ColdFast:
		return s.boundBy(workload, relayBound, "a relay that passes the origin's bytes on by splice and stores nothing")
	case ColdSlow, Crowd:
		wall, ok := s.Median(workload, direct, Wall)
		own, measured := s.Median(workload, gateway, Wall)
		if !ok || !measured {
			return ""
		}
		return fmt.Sprintf("Limit: the origin's rate per connection times the %d connections that the gateway has, %s s; it takes %s s.",
			gatewayStreams, number(wall/gatewayStreams), number(own))
	case Seek:
		first, ok := s.Median(workload, relayBound, FirstP50)
		own, measured := s.Median(workload, gateway, FirstP50)
		if !ok || !measured {
			return ""
		}
		return fmt.Sprintf("Limit: a relay has the first byte after %s ms; the gateway after %s.", number(first), number(own))
	case Slow1000, Slow5000:
		least, ok := s.Median(workload, sendfileBound, CPUPerSecond)
		own, measured := s.Median(workload, gateway, CPUPerSecond)
		if !ok || !measured {
			return ""
		}
		return fmt.Sprintf("Limit: the viewers set the rate; a server that only calls sendfile spends %s s of CPU a second, the gateway %s.",
			number(least), number(own))
	}
	return ""
}

// boundBy compares rate and cost with those of a server that does the least.
func (s *Set) boundBy(workload, bound, what string) string {
	rate, ok := s.Median(workload, bound, Throughput)
	share, measured := s.Ratio(workload, gateway, bound, Throughput)
	cost, hasCost := s.Median(workload, bound, CPUPerGiB)
	times, hasTimes := s.Ratio(workload, gateway, bound, CPUPerGiB)
	if !ok || !measured || !hasCost || !hasTimes {
		return ""
	}
	return fmt.Sprintf("Limit: %s reaches %s MB/s at %s ms of CPU per GiB; the gateway has %.2f of that rate at %.2f times the cost.",
		what, number(rate), number(cost), share, times)
}
