package configs

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestNginxExamplesDiffer: the example for a fleet does all that the one for a single
// gateway does, except where gateways are chosen.
func TestNginxExamplesDiffer(t *testing.T) {
	one, fleet := exampleLines(t, "nginx.conf"), exampleLines(t, "nginx-fleet.conf")
	_, server, _ := strings.Cut(strings.Join(one, "\n"), "\nserver {")
	for line := range strings.SplitSeq(server, "\n") {
		if line != "" && !strings.HasPrefix(line, "proxy_connect_timeout ") && !slices.Contains(fleet, line) {
			t.Errorf("nginx-fleet.conf lacks %q", line)
		}
	}
}

// exampleLines is an example without comments and indentation.
func exampleLines(t *testing.T, name string) (lines []string) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	return lines
}

// envoyExample is what the tests need to know of envoy.yaml. Envoy itself is not in
// Debian 12.
type envoyExample struct {
	Static struct {
		Listeners []struct {
			Chains []struct {
				Filters []struct {
					Config struct {
						Routes struct {
							Hosts []struct {
								Retry struct {
									On string `yaml:"retry_on"`
								} `yaml:"retry_policy"`
								Routes []envoyRoute
							} `yaml:"virtual_hosts"`
						} `yaml:"route_config"`
					} `yaml:"typed_config"`
				}
			} `yaml:"filter_chains"`
		}
		Clusters []envoyCluster
	} `yaml:"static_resources"`
}

type envoyRoute struct {
	Name  string
	Match struct {
		Prefix string
		Regex  struct{ Regex string } `yaml:"safe_regex"`
	}
	Filters map[string]struct{ Disabled bool } `yaml:"typed_per_filter_config"`
	Route   struct {
		Cluster, Timeout string
		Hash             []struct {
			Header struct {
				Name    string `yaml:"header_name"`
				Rewrite struct {
					Pattern      struct{ Regex string }
					Substitution string
				} `yaml:"regex_rewrite"`
			}
		} `yaml:"hash_policy"`
	}
}

type envoyCluster struct {
	Name   string
	Policy string `yaml:"lb_policy"`
	Checks []struct {
		HTTP struct{ Path string } `yaml:"http_health_check"`
	} `yaml:"health_checks"`
	Load struct {
		Cluster   string `yaml:"cluster_name"`
		Endpoints []struct {
			Endpoints []struct {
				Endpoint struct {
					Address struct {
						Socket struct {
							Address string
							Port    int `yaml:"port_value"`
						} `yaml:"socket_address"`
					}
				}
			} `yaml:"lb_endpoints"`
		}
	} `yaml:"load_assignment"`
}

// readEnvoy reads the example; its routes are those of its only virtual host.
func readEnvoy(t *testing.T) (routes []envoyRoute, retryOn string, clusters map[string]envoyCluster) {
	t.Helper()
	data, err := os.ReadFile("envoy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var e envoyExample
	if err := yaml.Unmarshal(data, &e); err != nil {
		t.Fatal(err)
	}
	hosts := e.Static.Listeners[0].Chains[0].Filters[0].Config.Routes.Hosts
	if len(hosts) != 1 || len(hosts[0].Routes) < 5 {
		t.Fatalf("%d virtual hosts", len(hosts))
	}
	clusters = map[string]envoyCluster{}
	for _, c := range e.Static.Clusters {
		clusters[c.Name] = c
	}
	return hosts[0].Routes, hosts[0].Retry.On, clusters
}

// routeOf is the first route that matches. Envoy matches the whole path without its query, and
// its expressions are RE2's, as Go's are.
func routeOf(t *testing.T, routes []envoyRoute, path string) *envoyRoute {
	t.Helper()
	path, _, _ = strings.Cut(path, "?")
	for i, r := range routes {
		if r.Match.Prefix != "" && strings.HasPrefix(path, r.Match.Prefix) ||
			r.Match.Regex.Regex != "" && regexp.MustCompile(`\A(?:`+r.Match.Regex.Regex+`)\z`).MatchString(path) {
			return &routes[i]
		}
	}
	t.Fatalf("no route for %s", path)
	return nil
}

// TestEnvoyRoutes: each path of both programs and of the platform has its cluster, and
// everything of one recording the same key of the hash.
func TestEnvoyRoutes(t *testing.T) {
	routes, _, _ := readEnvoy(t)
	for _, c := range []struct{ path, cluster, key string }{
		{"/schedule/api/zoom/webhook/", "syncers", ""},
		{"/api/zoom/webhook", "syncers", ""},
		{"/schedule/webhook/zoom/tenant/", "syncers", ""},
		{"/schedule/webhook/zoomed", "platform", ""},
		{"/api/recordings/7/stream/", "recordings", "7"},
		{"/api/recordings/7/stream/?token=a.b.c", "recordings", "7"},
		{"/api/recordings/7/stream/?token=/api/recordings/8/", "recordings", "7"},
		{"/schedule/api/recordings/7/stream", "recordings", "7"},
		{"/api/schedule/recordings/7/playback/", "recordings", "7"},
		{"/api/recordings/7/captions/ru.vtt", "recordings", "7"},
		{"/api/recordings/007/", "recordings", "7"},
		{"/api/recordings/7", "recordings", "7"},
		{"/api/recordings/70?page=2", "recordings", "70"},
		{"/api/recordings/", "gateways", ""},
		{"/schedule/api/recordings/teacher/?page=2", "gateways", ""},
		{"/api/storage/quota/", "gateways", ""},
		{"/api/lessons/7/recording/", "gateways", ""},
		{"/watch/7", "gateways", ""},
		{"/assets/player.js", "gateways", ""},
		{"/", "platform", ""},
		{"/api/lessons/7/", "platform", ""},
		{"/schedule/api/groups/", "platform", ""},
	} {
		r := routeOf(t, routes, c.path)
		key := ""
		for _, h := range r.Route.Hash {
			key = regexp.MustCompile(h.Header.Rewrite.Pattern.Regex).ReplaceAllString(c.path, strings.ReplaceAll(h.Header.Rewrite.Substitution, `\`, "$"))
			if h.Header.Name != ":path" {
				t.Errorf("the hash looks at %s", h.Header.Name)
			}
		}
		if r.Route.Cluster != c.cluster || key != c.key {
			t.Errorf("%s goes to %s by %q, want %s by %q", c.path, r.Route.Cluster, key, c.cluster, c.key)
		}
		if r.Route.Cluster == "recordings" && (r.Route.Timeout != "0s" || !r.Filters["envoy.filters.http.compressor"].Disabled) {
			t.Errorf("%s is cut off after %s, or compressed", c.path, r.Route.Timeout)
		}
	}
}

// TestEnvoyClusters: gateways by a ring and by their readiness, requests sent twice only
// where the first one reached nobody.
func TestEnvoyClusters(t *testing.T) {
	routes, retryOn, clusters := readEnvoy(t)
	if retryOn != "connect-failure" {
		t.Errorf("retried on %q", retryOn)
	}
	for _, r := range routes {
		if c, ok := clusters[r.Route.Cluster]; !ok || c.Load.Cluster != c.Name || len(c.Load.Endpoints) == 0 {
			t.Errorf("route %s goes to the cluster %q, which has no endpoints", r.Name, r.Route.Cluster)
		}
	}
	recordings, gateways := clusters["recordings"], clusters["gateways"]
	if recordings.Policy != "RING_HASH" || len(recordings.Checks) != 1 || recordings.Checks[0].HTTP.Path != "/readyz" || gateways.Checks[0].HTTP.Path != "/readyz" {
		t.Errorf("recordings: %+v", recordings)
	}
	if n := len(recordings.Load.Endpoints[0].Endpoints); n != 3 || len(gateways.Load.Endpoints[0].Endpoints) != n {
		t.Errorf("%d gateways", n)
	}
}
