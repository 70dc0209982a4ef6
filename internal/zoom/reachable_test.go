package zoom

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
)

// TestPublicOnly judges the first and the last address of each range of IANA's registries
// as a connection of a redirect is judged, and addresses beside the ranges.
func TestPublicOnly(t *testing.T) {
	for _, c := range []struct {
		name, refused, taken string
	}{
		{"this network, RFC 791", "0.0.0.0 0.255.255.255", "1.0.0.0"},
		{"private use, RFC 1918", "10.0.0.0 10.255.255.255 172.16.0.0 172.31.255.255 192.168.0.0 192.168.255.255", "9.255.255.255 11.0.0.0 172.15.255.255 172.32.0.0 192.167.255.255 192.169.0.0"},
		{"shared by carriers, RFC 6598", "100.64.0.0 100.127.255.255", "100.63.255.255 100.128.0.0"},
		{"loopback, RFC 1122", "127.0.0.0 127.255.255.255", "126.255.255.255 128.0.0.0"},
		{"link local, RFC 3927", "169.254.0.0 169.254.169.254 169.254.255.255", "169.253.255.255 169.255.0.0"},
		{"protocol assignments, RFC 6890", "192.0.0.0 192.0.0.8 192.0.0.170 192.0.0.255", "192.0.0.9 192.0.0.10 192.0.1.0"},
		{"documentation, RFC 5737", "192.0.2.0 192.0.2.255 198.51.100.0 198.51.100.255 203.0.113.0 203.0.113.255", "192.0.3.0 198.51.99.255 203.0.114.0"},
		{"relays of 6to4, RFC 7526", "192.88.99.0 192.88.99.255", "192.88.98.255"},
		{"AS112 and AMT", "", "192.31.196.1 192.52.193.1 192.175.48.1 2620:4f:8000::1 2001:4:112::1 2001:3::1"},
		{"benchmarks, RFC 2544 and RFC 5180", "198.18.0.0 198.19.255.255 2001:2::1", "198.17.255.255 198.20.0.0"},
		{"multicast", "224.0.0.0 239.255.255.255 ff02::1 ff0e::1", "223.255.255.255"},
		{"reserved and broadcast", "240.0.0.0 255.255.255.255", ""},
		{"unspecified and loopback, RFC 4291", ":: ::1", ""},
		{"IPv4-compatible, RFC 4291", "::8.8.8.8 ::127.0.0.1", ""},
		{"IPv4-mapped, RFC 4291", "::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::ffff:198.18.0.1", "::ffff:8.8.8.8"},
		{"NAT64, RFC 6052", "64:ff9b::10.0.0.1 64:ff9b::127.0.0.1 64:ff9b::169.254.169.254", "64:ff9b::8.8.8.8"},
		{"local NAT64, RFC 8215", "64:ff9b:1:: 64:ff9b:1:ffff::8.8.8.8", ""},
		{"discard, RFC 6666 and RFC 9780", "100:: 100::1 100:0:0:1::1", ""},
		{"protocol assignments, RFC 2928", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff 2001:1::4", "2001:1::1 2001:1::2 2001:1::3 2001:200::"},
		{"Teredo, RFC 4380", "2001:: 2001::1 2001:0:ffff:ffff::1", ""},
		{"ORCHID, RFC 4843 and RFC 7343", "2001:10::1", "2001:20::1 2001:30::1"},
		{"documentation, RFC 3849 and RFC 9637", "2001:db8::1 3fff::1 3fff:fff:ffff::1", "3fff:1000::1"},
		{"6to4, RFC 3056", "2002:7f00:1::1 2002:a00:1::1 2002:808:808::1", ""},
		{"segment routing, RFC 9602", "5f00::1", ""},
		{"unique local, RFC 4193", "fc00::1 fdff::1", ""},
		{"link local, RFC 4291", "fe80::1 fe80::1%eth0 febf::1", ""},
		{"site local, RFC 3879", "fec0::1", ""},
		{"not allocated", "4000::1 e000::1", ""},
		{"public", "", "8.8.8.8 2606:4700::1111 2a00:1450::1"},
	} {
		for address := range strings.FieldsSeq(c.refused) {
			if publicOnly("tcp", netip.AddrPortFrom(netip.MustParseAddr(address), 443).String(), nil) == nil {
				t.Errorf("%s: %s is connected to", c.name, address)
			}
		}
		for address := range strings.FieldsSeq(c.taken) {
			if err := publicOnly("tcp", netip.AddrPortFrom(netip.MustParseAddr(address), 443).String(), nil); err != nil {
				t.Errorf("%s: %s: %v", c.name, address, err)
			}
		}
	}
}

// TestRedirectThroughProxy: with a proxy in the environment the target of a redirect is
// judged, not the proxy, which is on a private address more often than not.
func TestRedirectThroughProxy(t *testing.T) {
	var asked atomic.Int32
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		w.WriteHeader(http.StatusBadGateway) // to CONNECT
	}))
	defer proxy.Close()
	at, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	var target string
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", target)
		w.WriteHeader(http.StatusFound)
	}))
	defer host.Close()
	names := map[string][]netip.Addr{
		"public.example":  {netip.MustParseAddr("8.8.8.8")},
		"rebound.example": {netip.MustParseAddr("8.8.8.8"), netip.MustParseAddr("10.0.0.1")},
	}
	d := newDownloaderBehind(Config{FetchConfig: FetchConfig{DownloadHosts: []string{"127.0.0.1"}}}, func(r *http.Request) (*url.URL, error) {
		if r.URL.Hostname() == "127.0.0.1" {
			return nil, nil
		}
		return at, nil
	})
	defer d.close()
	d.lookup = func(ctx context.Context, network, host string) ([]netip.Addr, error) {
		if a, err := netip.ParseAddr(host); err == nil {
			return []netip.Addr{a}, nil
		}
		if addresses, ok := names[host]; ok {
			return addresses, nil
		}
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	for _, c := range []struct {
		target  string
		through bool
	}{
		{"https://169.254.169.254/latest/meta-data", false},
		{"https://10.1.2.3/", false},
		{"https://[fd00::1]/", false},
		{"https://rebound.example/", false},
		{"https://unknown.example/", false},
		{"https://public.example/", true},
		{"https://8.8.4.4/", true},
	} {
		asked.Store(0)
		target = c.target
		_, err := d.open(t.Context(), host.URL, "", 0, "", pageTypes)
		if through := asked.Load() > 0; err == nil || through != c.through {
			t.Errorf("%s: through the proxy %v, %v", c.target, through, err)
		}
	}
}
