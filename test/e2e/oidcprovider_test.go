package e2e

import (
	"bufio"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/lectiospace/lectern/internal/npmtool"
)

const (
	certifiedSecret = "the-secret-of-the-client-&+%"
	certifiedPublic = "https://lms.example"
)

// certifiedProvider starts oidc-provider, which is certified by the OpenID Foundation, and
// returns its issuer.
func certifiedProvider(t *testing.T) string {
	t.Helper()
	entry, err := npmtool.Path("oidc-provider", "oidc-provider", "lib", "index.js")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", "testdata/provider.mjs", entry, certifiedSecret, certifiedPublic+"/signin/callback")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("the provider wrote on stderr:\n%s", complaints.String())
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the provider does not start: %v", err)
	}
	return strings.TrimSpace(line)
}

// publicHost carries requests to the gateway's public address to the gateway, as a proxy with TLS
// in front of it does.
type publicHost struct{ gateway *url.URL }

// RoundTrip implements http.RoundTripper.
func (p publicHost) RoundTrip(r *http.Request) (*http.Response, error) {
	if "https://"+r.URL.Host != certifiedPublic {
		return http.DefaultTransport.RoundTrip(r)
	}
	sent := r.Clone(r.Context())
	sent.Host = r.URL.Host
	sent.URL.Scheme, sent.URL.Host = p.gateway.Scheme, p.gateway.Host
	res, err := http.DefaultTransport.RoundTrip(sent)
	if err == nil {
		res.Request = r
	}
	return res, err
}

// visitor is a browser without a screen.
type visitor struct {
	t *testing.T
	http.Client
}

func newVisitor(t *testing.T, gateway string) *visitor {
	t.Helper()
	target, err := url.Parse(gateway)
	if err != nil {
		t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &visitor{t, http.Client{Jar: jar, Transport: publicHost{target}}}
}

// visit follows an address to its end, and returns where that is, its status and its body.
func (v *visitor) visit(address string) (at *url.URL, status int, body string) {
	v.t.Helper()
	req, err := http.NewRequestWithContext(v.t.Context(), http.MethodGet, address, nil)
	if err != nil {
		v.t.Fatal(err)
	}
	req.Header.Set("Accept", "text/html")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	res, err := v.Do(req)
	if err != nil {
		v.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return res.Request.URL, res.StatusCode, string(text)
}

// TestCertifiedProvider signs in at a provider of other people's making: its claims come from
// the UserInfo endpoint only. Who has no verified address of a user stays outside.
func TestCertifiedProvider(t *testing.T) {
	t.Parallel()
	issuer := certifiedProvider(t)
	env := []string{
		"LECTERN_DATA_DIR=" + t.TempDir(), "LECTERN_PUBLIC_URL=" + certifiedPublic,
		"LECTERN_OIDC_ISSUER=" + issuer, "LECTERN_OIDC_CLIENT_ID=lectern", "LECTERN_OIDC_CLIENT_SECRET=" + certifiedSecret,
	}
	apply(t, env, `
people:
  - {email: anna@school.example, role: student, first_name: Anna}
  - {email: boris@school.example, role: student, first_name: Boris}
`)
	g := serve(t, env...)
	for _, c := range []struct {
		account, at string
		status      int
		says        string
	}{
		{"anna", "/watch/7?x=1", 200, "<!"},
		{"boris", "/signin/callback", 403, "no_account"},
		{"nora", "/signin/callback", 403, "no_account"},
	} {
		v := newVisitor(t, g.url)
		who := func() (int, string) {
			_, status, body := v.visit(certifiedPublic + "/session")
			return status, body
		}
		page, status, body := v.visit(certifiedPublic + "/signin?next=" + url.QueryEscape("/watch/7?x=1"))
		if status != 200 || body != "who are you?" || !strings.HasPrefix(page.String(), issuer+"/interaction/") {
			t.Fatalf("%s: %s answers %d %s", c.account, page, status, body)
		}
		at, status, body := v.visit(page.String() + "?account=" + c.account)
		if status != c.status || !strings.HasPrefix(strings.TrimPrefix(at.String(), certifiedPublic), c.at) || !strings.Contains(body, c.says) {
			t.Errorf("%s: %s answers %d %s", c.account, at, status, body)
		}
		status, body = who()
		if signedIn := status == 200 && strings.Contains(body, `"name":"Anna"`); signedIn != (c.account == "anna") {
			t.Errorf("%s: /session answers %d %s", c.account, status, body)
		}
		if c.account != "anna" {
			continue
		}
		// Whom the provider still knows signs in again without a page.
		if at, status, _ := v.visit(certifiedPublic + "/signin?next=/"); status != 200 || at.String() != certifiedPublic+"/" {
			t.Errorf("again: %s answers %d", at, status)
		}
	}

	t.Run("doctor", func(t *testing.T) {
		settings := append([]string{"LECTERN_AUTH_JWT_SECRET=" + secret}, env...)
		settings = append(settings, "LECTERN_DATA_DIR="+t.TempDir()) // not that of the running gateway
		for _, c := range []struct {
			setting string // in addition
			code    int
			failed  string // "": none
		}{
			{"LECTERN_OIDC_LABEL=x", 0, ""},
			{"LECTERN_OIDC_CLIENT_SECRET=another", 1, "oidc client"},
			{"LECTERN_OIDC_CLIENT_ID=another", 1, "oidc redirect, oidc client"},
			{"LECTERN_PUBLIC_URL=https://new.example", 1, "oidc redirect"},
			{"LECTERN_OIDC_ISSUER=" + issuer + "/", 1, "oidc"},
		} {
			var failed []string
			found := runDoctor(t, c.code, append(slices.Clone(settings), c.setting)...)
			for _, check := range []string{"oidc", "oidc redirect", "oidc client"} {
				if f := found[check]; f.Status == "FAIL" {
					failed = append(failed, check)
				} else if f.Status != "PASS" && c.failed != "oidc" {
					t.Errorf("%s: %s: %+v", c.setting, check, f)
				}
			}
			if got := strings.Join(failed, ", "); got != c.failed {
				t.Errorf("%s: %q failed, want %q: %v", c.setting, got, c.failed, found)
			}
		}
	})
}
