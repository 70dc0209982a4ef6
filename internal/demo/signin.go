package demo

import (
	"crypto/rand"
	"net"
	"time"

	"github.com/lectiospace/lectern/internal/demo/lessons"
	oidcemu "github.com/lectiospace/lectern/internal/emulator/oidc"
	"github.com/lectiospace/lectern/internal/oidc"
)

// SignIn is an emulated provider of OpenID Connect, on a port of its own: one chooses on its page
// whom to sign in as.
type SignIn struct {
	provider *oidcemu.Provider
	secret   string
}

// StartSignIn starts the provider with the demo's people, and one whom the catalog does not
// know. Stop ends it.
func StartSignIn() (*SignIn, error) {
	s := &SignIn{secret: rand.Text()}
	var people []oidcemu.Person
	for _, p := range lessons.People() {
		people = append(people, oidcemu.Person{Name: p.FirstName + " " + p.LastName, Email: p.Email})
	}
	people = append(people, oidcemu.Person{Name: "Nora, who is not in the catalog", Email: "nora@elsewhere.lectern"})
	var err error
	s.provider, err = oidcemu.Start(oidcemu.Config{ClientSecret: s.secret, People: people, Now: time.Now})
	return s, err
}

// Config are the settings with which the gateway signs people in.
func (s *SignIn) Config() oidc.Config {
	return oidc.Config{Issuer: s.provider.URL, ClientID: oidcemu.ClientID, ClientSecret: s.secret, Scopes: "openid email profile", Label: "Demo school"}
}

// register has the provider know the gateway by its address, and by the name of this machine
// where it listens there.
func (s *SignIn) register(base string, public net.Addr) {
	uris := []string{oidc.RedirectURI(base)}
	if _, port, err := net.SplitHostPort(public.String()); err == nil {
		for _, host := range []string{"localhost", "127.0.0.1", "[::1]"} {
			uris = append(uris, oidc.RedirectURI("http://"+host+":"+port))
		}
	}
	s.provider.Register(uris...)
}

// Stop ends the provider.
func (s *SignIn) Stop() { s.provider.Close() }
