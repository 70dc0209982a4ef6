package results

import "fmt"

// Names of the servers that do the least.
const (
	sendfileBound = "limit: sendfile"
	relayBound    = "limit: relay"
	tlsBound      = "limit: nginx static, TLS"
	haproxyBound  = "limit: haproxy + nginx static, TLS"
	// BareBound, with a browser's name behind it, is a page with nothing but a video, and the clip
	// as a file of nginx.
	BareBound = "limit: bare video, "
	// WalkBound is a program that looks at each file of a cache and does nothing else.
	WalkBound = "limit: a look at each file"
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
	case ColdFast, ColdLarge:
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
		return fmt.Sprintf("Limit: the viewers set the rate. A server that only calls sendfile spends %s s of CPU a second, the gateway %s.",
			number(least), number(own))
	}
	return s.otherLimit(workload)
}

// otherLimit is limit for the rows beyond throughput.
func (s *Set) otherLimit(workload string) string {
	compare := func(format, bound, target, metric string) string {
		least, ok := s.Median(workload, bound, metric)
		own, measured := s.Median(workload, target, metric)
		if !ok || !measured {
			return ""
		}
		return fmt.Sprintf(format, number(least), number(own))
	}
	switch workload {
	case Deployed:
		return compare("Limit: nginx that sends a file over TLS, knows nobody and logs nothing spends %s ms of CPU per GiB, most of it on encryption; nginx and the gateway %s.",
			tlsBound, "nginx + gateway, TLS", CPUPerGiB) +
			compare(" HAProxy in front of nginx that sends a file, which knows nobody and logs nothing, has %s MB/s; in front of the gateway %s.",
				haproxyBound, "haproxy + gateway, TLS", Throughput)
	case Mix:
		return compare("Limit: the viewers set the rate. nginx that sends a file to anybody and logs nothing spends %s s of CPU per viewer-hour, the gateway %s.",
			static, gateway, CPUPerViewerHour)
	case Flash:
		possible, ok := s.Median(workload, gateway, PossibleHits)
		own, measured := s.Median(workload, gateway, ByteHits)
		if !ok || !measured {
			return ""
		}
		return fmt.Sprintf("Limit: of the bytes served %s %% had been served before, and nothing must be written that nobody reads again; the gateway had %s %% of them. "+
			"nginx looks at the size of its cache every ten seconds only, so that it keeps all of a short crawl: \"kept\" says what each had on the disk in the end, per byte that it may have.",
			number(possible), number(own))
	case StartUp:
		targets := s.Targets(workload)
		return compare("Limit: a program that looks at each of the most files takes %s s; the gateway %s.", WalkBound, targets[len(targets)-1], IndexedAfter)
	case Growth:
		return s.growthLimit()
	case Eviction:
		return compare("Limit: Belady's policy, which knows the future, has %s %% of the bytes; Lectern %s.", "Belady", "Lectern", ByteHits)
	case Clock:
		return "An origin with 50 ms to each answer and 20 MiB/s per connection. The browser begins with nothing of the site, \"page cached\" apart." + s.bareLimit(workload)
	case ClockSlow:
		return "The same through a line of 40 ms there and back and 10 Mbit/s, without TLS." + s.bareLimit(workload)
	case Rebuffering:
		return "A minute each, in which one of five decisions, every five seconds, is a seek. What is rebuffered leaves out the waits for what was sought, and for the decoder while what follows was there."
	case Webhooks:
		return compare("Limit: an event is answered when the disk has it. To append 4 KiB and sync them takes %s ms at the median there; the syncer answers after %s with SQLite.",
			DiskBound, "syncer, SQLite", AnsweredP50)
	}
	return ""
}

// bareLimit compares the first frame of a warm lesson with that of a bare video.
func (s *Set) bareLimit(workload string) (text string) {
	for _, browser := range clockBrowsers {
		least, ok := s.Median(workload, BareBound+browser, FirstFrame)
		own, measured := s.Median(workload, browser+", warm", FirstFrame)
		if ok && measured {
			text += fmt.Sprintf(" Limit: %s has the first frame of a bare `<video>`, whose file nginx serves to anybody, after %s ms; of a warm lesson, whose page asks who is watching, after %s.",
				browser, number(least), number(own))
		}
	}
	return text
}

// growthLimit compares the largest with the smallest: cost that does not grow is the limit.
func (s *Set) growthLimit() string {
	var least, most float64
	for i, target := range s.Targets(Growth) {
		v, ok := s.Median(Growth, target, CPUPerRequest)
		if !ok {
			return ""
		}
		if i == 0 {
			least = v
		}
		most = max(most, v)
	}
	if least == 0 {
		return ""
	}
	return fmt.Sprintf("Limit: a request costs what it costs with the smallest cache, %s us of CPU; the most that it costs is %.2f times as much.", number(least), most/least)
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
