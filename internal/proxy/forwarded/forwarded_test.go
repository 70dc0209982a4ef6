package forwarded

import (
	"net/netip"
	"testing"
)

func TestClientAddress(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	for _, c := range []struct{ peer, header, want string }{
		{"203.0.113.9", "198.51.100.1", "203.0.113.9"}, // a stranger's word counts nothing
		{"127.0.0.1", "", "127.0.0.1"},
		{"127.0.0.1", "198.51.100.1", "198.51.100.1"},
		{"127.0.0.1", "1.2.3.4, 198.51.100.1", "198.51.100.1"},
		{"127.0.0.1", "198.51.100.1, 10.1.1.1", "198.51.100.1"},
		{"127.0.0.1", "10.2.2.2, 10.1.1.1", "10.2.2.2"},
		{"127.0.0.1", "198.51.100.1, garbage", "127.0.0.1"},
		{"127.0.0.1", "198.51.100.1, garbage, 10.1.1.1", "10.1.1.1"},
		{"127.0.0.1", "198.51.100.1:4711", "198.51.100.1"},
		{"127.0.0.1", "[2001:db8::1]:4711", "2001:db8::1"},
		{"127.0.0.1", "[2001:db8::1]", "2001:db8::1"},
		{"127.0.0.1", "2001:db8::1", "2001:db8::1"},
		{"127.0.0.1", "fe80::1%eth0", "fe80::1"},
		{"127.0.0.1", "::ffff:198.51.100.1", "198.51.100.1"},
		{"127.0.0.1", ",, 198.51.100.1 ,", "198.51.100.1"},
		{"::1", "198.51.100.1", "198.51.100.1"},
		{"::ffff:127.0.0.1", "198.51.100.1", "198.51.100.1"},
	} {
		if got := clientAddress(netip.MustParseAddr(c.peer), c.header, trusted); got.String() != c.want {
			t.Errorf("%s says %q: %s, want %s", c.peer, c.header, got, c.want)
		}
	}
	if got := clientAddress(netip.Addr{}, "198.51.100.1", trusted); got.IsValid() {
		t.Errorf("a peer without an address: %s", got)
	}
}

func FuzzForwarded(f *testing.F) {
	f.Add("198.51.100.1, 10.1.1.1")
	f.Add("[::1]:80, , x")
	trusted := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")}
	stranger, proxy := netip.MustParseAddr("203.0.113.9"), netip.MustParseAddr("127.0.0.1")
	f.Fuzz(func(t *testing.T, header string) {
		if got := clientAddress(stranger, header, trusted); got != stranger {
			t.Fatalf("a stranger became %s", got)
		}
		got := clientAddress(proxy, header, trusted)
		if !got.IsValid() || got.Zone() != "" || got.Is4In6() {
			t.Fatalf("%q became %v", header, got)
		}
		// What is put in front by somebody untrusted must not change a result that
		// is already an untrusted address.
		if !trustedAddress(got, trusted) {
			if again := clientAddress(proxy, "6.6.6.6, "+header, trusted); again != got {
				t.Fatalf("%q: %s, forged: %s", header, got, again)
			}
		}
	})
}
