package peers

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// certificate is a server's certificate and key as files, and what a client needs.
type certificate struct {
	pem, key, both string // paths
	client         *tls.Config
}

// newCertificate makes a certificate of the loopback address in dir.
func newCertificate(dir string) (c certificate, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return c, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "bench.lectern"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return c, err
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return c, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return c, err
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	private := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
	c = certificate{pem: filepath.Join(dir, "cert.pem"), key: filepath.Join(dir, "cert.key"), both: filepath.Join(dir, "cert.both.pem")}
	if err := errors.Join(
		os.WriteFile(c.pem, public, 0o600), os.WriteFile(c.key, private, 0o600), os.WriteFile(c.both, append(public, private...), 0o600),
	); err != nil {
		return c, err
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	c.client = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12, ServerName: "127.0.0.1"}
	return c, nil
}

// KernelTLS reports whether the kernel encrypts TLS records itself, so that sendfile works over
// TLS.
func KernelTLS() bool {
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return false
	}
	defer ln.Close()
	c, err := net.Dial("tcp4", ln.Addr().String())
	if err != nil {
		return false
	}
	defer c.Close()
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		return false
	}
	var attached error
	err = raw.Control(func(fd uintptr) { attached = unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_ULP, "tls") })
	return err == nil && attached == nil
}

// kernelTLSOption is nginx's setting that uses it.
func kernelTLSOption() string {
	if KernelTLS() {
		return "ssl_conf_command Options KTLS;"
	}
	return ""
}
