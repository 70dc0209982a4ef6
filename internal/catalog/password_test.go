package catalog_test

import (
	"net"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
)

// passwords is a server that asks for a password, reports it, and refuses it.
func passwords(t *testing.T) (address string, given <-chan string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	reports := make(chan string, 16)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			server := pgproto3.NewBackend(conn, conn)
			if _, err := server.ReceiveStartupMessage(); err == nil {
				server.Send(&pgproto3.AuthenticationCleartextPassword{})
				_ = server.SetAuthType(pgproto3.AuthTypeCleartextPassword)
				if server.Flush() == nil {
					if message, err := server.Receive(); err == nil {
						if password, ok := message.(*pgproto3.PasswordMessage); ok {
							reports <- password.Password
						}
					}
				}
				server.Send(&pgproto3.ErrorResponse{Severity: "FATAL", Code: "28P01", Message: "password authentication failed"})
				_ = server.Flush()
			}
			conn.Close()
		}
	}()
	return listener.Addr().String(), reports
}

// TestSetPassword: new connections, the listener's among them, use the new password; a URL
// that differs in anything else is refused.
func TestSetPassword(t *testing.T) {
	address, given := passwords(t)
	url := func(password string) string {
		return "postgres://lectern:" + password + "@" + address + "/db?sslmode=disable"
	}
	s, err := catalog.Open(t.Context(), url("first"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	expect := func(want string) {
		t.Helper()
		if err := s.Ping(t.Context()); err == nil {
			t.Error("the server refuses everybody")
		}
		if got := <-given; got != want || s.ConnConfig().Password != want {
			t.Errorf("the password is %q, and %q for other connections, want %q", got, s.ConnConfig().Password, want)
		}
	}
	expect("first")
	for _, other := range []string{"postgres://lectern:second@" + address + "/other?sslmode=disable", "postgres://somebody:second@" + address + "/db?sslmode=disable", url("second") + "&x=1", "sqlite:///x", "postgres://%"} {
		if err := s.SetPassword(other); media.KindOf(err) != media.Invalid {
			t.Errorf("%s: %v", other, err)
		}
	}
	for len(given) > 0 {
		<-given
	}
	expect("first")
	for len(given) > 0 {
		<-given
	}
	if err := s.SetPassword(url("second%2F")); err != nil {
		t.Fatal(err)
	}
	expect("second/")
	files, err := catalog.Open(t.Context(), "sqlite://"+t.TempDir()+"/l.db", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer files.Close()
	if err := files.SetPassword(url("second")); media.KindOf(err) != media.Invalid {
		t.Errorf("on SQLite: %v", err)
	}
}
