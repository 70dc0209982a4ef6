//go:build !linux

package corkedconn

import "net"

// HungUp is false: outside Linux there is no cheap way to look. There a hang-up shows
// with the next write, and the origin timeout bounds the wait.
func HungUp(net.Conn) bool { return false }
