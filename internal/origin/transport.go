package origin

import (
	"crypto/tls"
	"net"
	"net/http"
	"time"
)

// NewTransport makes the transport of an origin. It uses HTTP/1.1 only: one HTTP/2 connection
// has half the throughput of a few HTTP/1.1 connections to Drive and breaks more often, and S3
// and Azure speak no HTTP/2. idle is how long an unused connection is kept: less than the
// service keeps it, or a request meets its end.
func NewTransport(idle time.Duration) *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:   10 * time.Second,
		TLSNextProto:          map[string]func(string, *tls.Conn) http.RoundTripper{},
		DisableCompression:    true,
		MaxIdleConns:          128,
		MaxIdleConnsPerHost:   64,
		IdleConnTimeout:       idle,
		ResponseHeaderTimeout: 30 * time.Second,
		ExpectContinueTimeout: time.Second,
		ReadBufferSize:        64 << 10,
	}
}
