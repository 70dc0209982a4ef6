package bound

import (
	"io"
	"net"
)

// Relay connects each client with the origin and passes all bytes on as they are, by splice
// where the kernel can. It reads, stores and checks nothing. It ends with an error.
func Relay(addr, origin string) error {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	defer ln.Close()
	for {
		client, err := ln.Accept()
		if err != nil {
			return err
		}
		go relay(client, origin)
	}
}

func relay(client net.Conn, origin string) {
	defer client.Close()
	from, err := net.Dial("tcp", origin)
	if err != nil {
		return
	}
	defer from.Close()
	go func() {
		_, _ = io.Copy(from, client)
		from.Close() // the client has hung up: so does the relay, as a cache with abort does
	}()
	_, _ = io.Copy(client, from)
}
