package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// answeringNode stands in for a gateway: it is ready, and answers everything with its name.
func answeringNode(t *testing.T, name string) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" {
			_, _ = io.WriteString(w, name)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// fleetProxy is an example that shares recordings among gateways.
type fleetProxy struct {
	proxyExample
	// use puts the addresses of three or more gateways into the example.
	use func(text string, nodes []string) string
	// sampled is how many recordings show that the shares are even. The hash of HAProxy
	// is the same in every run, that of nginx follows from the nodes' ports.
	sampled int
}

var fleetProxies = []fleetProxy{
	{haproxyExample, func(text string, nodes []string) string {
		text = replaceAll(text, map[string]string{"#server gateway": "server gateway", "127.0.0.1:8080": nodes[0], "10.0.0.2:8080": nodes[1], "10.0.0.3:8080": nodes[2]})
		last := fmt.Sprintf("server gateway3 %s id 3\n", nodes[2])
		for i, node := range nodes[3:] {
			text = replaceAll(text, map[string]string{last: last + fmt.Sprintf("    server gateway%d %s id %d\n", 4+i, node, 4+i)})
		}
		return text
	}, 3000},
	{nginxExample("nginx-fleet", "nginx-fleet.conf"), func(text string, nodes []string) string {
		text = replaceAll(text, map[string]string{"127.0.0.1:8080": nodes[0], "10.0.0.2:8080": nodes[1], "10.0.0.3:8080": nodes[2]})
		last := fmt.Sprintf("server %s  weight=100 max_fails=1 fail_timeout=2s;\n", nodes[2])
		for _, node := range nodes[3:] {
			text = replaceAll(text, map[string]string{last: last + fmt.Sprintf("    server %s weight=100;\n", node)})
		}
		return text
	}, 8000},
}

// TestFleetProxies: each recording has one gateway, whichever route and token is used; the
// shares are even; a gateway that is added or lost moves its share and no other.
func TestFleetProxies(t *testing.T) {
	t.Parallel()
	const moved = 2000 // recordings that are looked at when gateways change
	for _, e := range fleetProxies {
		t.Run(e.name, func(t *testing.T) {
			var nodes []*httptest.Server
			var addresses []string
			for i := range 4 {
				nodes = append(nodes, answeringNode(t, fmt.Sprint("node", i+1)))
				addresses = append(addresses, nodes[i].Listener.Addr().String())
			}
			gone := freeAddress(t)
			start := func(n int) *reverseProxy {
				return startProxy(t, e.proxyExample, backends{gone, gone, gone}, func(text string) string { return e.use(text, addresses[:n]) })
			}
			p := start(3)
			waitFor(t, "the proxy to see its nodes", func() bool { return nodeOf(p, "GET", "/api/recordings/1/") != "" })
			before := nodesOf(t, p, e.sampled)
			checkShares(t, before, 3)
			checkOneNode(t, p, before)
			added := nodesOf(t, start(4), moved)
			checkMoved(t, before, added, func(from, to string) bool { return to == "node4" }, 1./4)
			nodes[1].Close()
			lost := nodesOf(t, p, moved)
			checkMoved(t, before, lost, func(from, to string) bool { return from == "node2" }, 1./3)
		})
	}
}

// nodeOf is the name of the node that answers a request, "" when none does.
func nodeOf(p *reverseProxy, method, path string, headers ...string) string {
	req, err := http.NewRequest(method, "https://"+p.host()+path, nil)
	if err != nil {
		return ""
	}
	for _, h := range headers {
		if name, value, ok := strings.Cut(h, ": "); ok {
			req.Header.Add(name, value)
		}
	}
	res, err := p.client.Do(req)
	if err != nil {
		return ""
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		return ""
	}
	return string(body)
}

// nodesOf is the node of each of the recordings 1 to n, at their index.
func nodesOf(t *testing.T, p *reverseProxy, n int) []string {
	t.Helper()
	nodes := make([]string, n+1)
	const clients = 16
	var group sync.WaitGroup
	for c := range clients {
		group.Go(func() {
			for id := 1 + c; id <= n; id += clients {
				nodes[id] = nodeOf(p, "GET", fmt.Sprintf("/api/recordings/%d/stream/", id))
			}
		})
	}
	group.Wait()
	for id, node := range nodes[1:] {
		if node == "" {
			t.Fatalf("recording %d: no answer", id+1)
		}
	}
	return nodes
}

// checkShares checks that the largest share is at most a tenth larger than the smallest.
func checkShares(t *testing.T, nodes []string, want int) {
	t.Helper()
	shares := map[string]int{}
	for _, node := range nodes[1:] {
		shares[node]++
	}
	least, most := len(nodes), 0
	for _, n := range shares {
		least, most = min(least, n), max(most, n)
	}
	t.Logf("shares of %d recordings: %v, the largest %.1f %% over the smallest", len(nodes)-1, shares, 100*(float64(most)/float64(least)-1))
	if len(shares) != want || float64(most) > 1.10*float64(least) {
		t.Errorf("uneven shares: %v", shares)
	}
}

// checkOneNode checks that everything of a recording goes to its node.
func checkOneNode(t *testing.T, p *reverseProxy, nodes []string) {
	t.Helper()
	for _, id := range []int{1, 2, 3, 10, 77, 1234, 2999} {
		for _, base := range []string{"/api", "/schedule/api", "/api/schedule"} {
			for _, request := range []struct{ method, path, header string }{
				{"GET", "stream/", ""}, {"GET", "stream/?token=a.b.c", ""}, {"GET", "stream/?token=d.e/f&recordings/9/", ""},
				{"GET", "stream/", "Authorization: Bearer g.h.i"}, {"GET", "stream/", "Cookie: lectern_playback=j.k.l"}, {"GET", "stream", ""},
				{"POST", "playback/", "Authorization: Bearer g.h.i"}, {"GET", "captions/ru.vtt", ""}, {"GET", "", ""}, {"POST", "view/", ""},
			} {
				path := fmt.Sprintf("%s/recordings/%d/%s", base, id, request.path)
				if got := nodeOf(p, request.method, path, request.header); got != nodes[id] {
					t.Errorf("%s %s %s: %q, the recording's node is %s", request.method, path, request.header, got, nodes[id])
				}
			}
			if got := nodeOf(p, "GET", fmt.Sprintf("%s/recordings/%05d/stream/", base, id)); got != nodes[id] {
				t.Errorf("%d with zeros in front: %s, want %s", id, got, nodes[id])
			}
		}
	}
}

// checkMoved checks that exactly the recordings that may move have, and that they are a
// share of about fraction: at most 5 points more.
func checkMoved(t *testing.T, before, after []string, may func(from, to string) bool, fraction float64) {
	t.Helper()
	moved, wrong := 0, 0
	for id := 1; id < len(after); id++ {
		switch {
		case before[id] == after[id]:
		case may(before[id], after[id]):
			moved++
		default:
			wrong++
		}
	}
	part := float64(moved) / float64(len(after)-1)
	t.Logf("%.1f %% of %d recordings moved, %d that had no reason to", 100*part, len(after)-1, wrong)
	if wrong > 0 || part > fraction+0.05 || part < fraction-0.05 {
		t.Errorf("%.3f moved, about %.3f should; %d had no reason to", part, fraction, wrong)
	}
}
