package results

import (
	"fmt"
	"html"
	"strings"
)

// plotsOf are the metrics of a workload that are plotted.
func plotsOf(workload string) []string {
	switch workload {
	case Hot64K, Hot1M, Hot8M, Deployed:
		return []string{Throughput, CPUPerGiB, FirstP99}
	case Threads64K, Turns1M, Turns8M:
		return []string{Throughput, CPUPerGiB}
	case ColdSlow, ColdFast, ColdLarge:
		return []string{Throughput}
	case Crowd:
		return []string{Wall, FirstP95}
	case Seek:
		return []string{FirstP50, FirstP95, OriginBytes}
	case Slow1000, Slow5000:
		return []string{RSSPerViewer, CPUPerSecond, SocketMemory}
	case Mix:
		return []string{CPUPerViewerHour}
	case Flash, Eviction:
		return []string{ByteHits, Written}
	case StartUp:
		return []string{IndexedAfter, IndexRSS}
	case Growth:
		return []string{CPUPerRequest}
	case Clock, ClockSlow:
		return []string{FirstFrame}
	case Webhooks:
		return []string{AnsweredP99}
	}
	return nil
}

// plots draws all of them, by file name.
func (s *Set) plots() map[string]string {
	drawn := map[string]string{}
	for _, workload := range s.Workloads() {
		if len(s.Targets(workload)) < 2 {
			continue
		}
		for _, metric := range plotsOf(workload) {
			if svg := s.bars(workload, metric); svg != "" {
				drawn[plotName(workload, metric)] = svg
			}
		}
	}
	return drawn
}

func plotName(workload, metric string) string { return FileName(workload+" "+metric) + ".svg" }

// FileName is a name as that of a file: letters and digits, and a dash for everything else.
func FileName(name string) string {
	words := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') })
	return strings.Join(words, "-")
}

// The measures of a bar chart, in pixels.
const (
	barHeight  = 20
	barStep    = 30
	labelWidth = 280
	chartWidth = 420
	valueWidth = 110
	topRoom    = 36
)

// bars draws a metric's medians, with lines from the least to the greatest round.
func (s *Set) bars(workload, metric string) string {
	var names []string
	longest := 0.0
	for _, target := range s.Targets(workload) {
		if _, ok := s.Median(workload, target, metric); ok {
			_, most := s.spread(workload, target, metric)
			names, longest = append(names, target), max(longest, most)
		}
	}
	if longest <= 0 {
		return ""
	}
	height := topRoom + len(names)*barStep + 10
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="13">`+"\n", labelWidth+chartWidth+valueWidth, height)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="#fff"/><text x="10" y="20" font-weight="bold">%s: %s</text>`+"\n",
		html.EscapeString(workload), html.EscapeString(withUnit(metric)))
	x := func(v float64) float64 { return labelWidth + v/longest*chartWidth }
	for i, name := range names {
		y := topRoom + i*barStep
		v, _ := s.Median(workload, name, metric)
		least, most := s.spread(workload, name, metric)
		colour := "#9aa7b5"
		switch {
		case ours(name):
			colour = "#2f6fb0"
		case strings.HasPrefix(name, "limit: "):
			colour = "#d3dae1"
		}
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s</text>`, labelWidth-8, y+15, html.EscapeString(name))
		fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>`, labelWidth, y, x(v)-labelWidth, barHeight, colour)
		fmt.Fprintf(&b, `<path d="M%.1f %d H%.1f M%.1f %d v8 M%.1f %d v8" stroke="#333" fill="none"/>`, x(least), y+10, x(most), x(least), y+6, x(most), y+6)
		fmt.Fprintf(&b, `<text x="%.1f" y="%d">%s</text>`+"\n", x(most)+6, y+15, number(v))
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// ours reports whether a target is this project's.
func ours(name string) bool {
	return strings.Contains(name, gateway) || name == "Lectern" || strings.HasPrefix(name, "syncer")
}

// withUnit says what the times are in.
func withUnit(metric string) string {
	switch metric {
	case FirstP50, FirstP95, FirstP99, DoneP50, Worst, AnsweredP50, AnsweredP99:
		return metric + ", ms"
	}
	return metric
}
