package telemetry

import (
	"log/slog"
	"net"
)

// WarnOfExposure logs what of a starting program others may see: secrets in the list of
// processes, given by the names of their settings, and an admin listener that other
// machines reach. It has no authentication, and its profiles show memory.
func WarnOfExposure(log *slog.Logger, secretFlags []string, admin net.Listener) {
	for _, name := range secretFlags {
		log.Warn("a secret is given as a flag, which every user of this machine can read", slog.String("setting", name))
	}
	if tcp, ok := admin.Addr().(*net.TCPAddr); ok && !tcp.IP.IsLoopback() {
		log.Warn("admin: the listener can be reached from other machines", slog.String("setting", "admin-listen"), slog.String("address", tcp.String()))
	}
}
