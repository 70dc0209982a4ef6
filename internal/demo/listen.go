package demo

import (
	"errors"
	"net"
	"syscall"

	"github.com/lectiospace/lectern/internal/telemetry"
)

// Listen opens the demo's listeners, on free ports of the same hosts when one of the two
// is in use: a newcomer's port 8080 is often taken.
func Listen(publicAddress, adminAddress string) (public, admin net.Listener, err error) {
	public, admin, err = telemetry.Listen(publicAddress, adminAddress)
	if !errors.Is(err, syscall.EADDRINUSE) {
		return public, admin, err
	}
	return telemetry.Listen(withFreePort(publicAddress), withFreePort(adminAddress))
}

// withFreePort replaces an address's port by 0. Settings are checked to be addresses.
func withFreePort(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return net.JoinHostPort(host, "0")
}
