package doctor

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	emulator "github.com/lectiospace/lectern/internal/emulator/oidc"
	"github.com/lectiospace/lectern/internal/oidc"
)

// TestOIDC: what is wrong with a sign-in provider, or with our client there, is named with its
// remedy. What cannot be known without a person is not blamed.
func TestOIDC(t *testing.T) {
	const public, redirect = "https://lms.example", "https://lms.example/signin/callback"
	document := func(name string, value any) emulator.Faults {
		return emulator.Faults{Document: map[string]any{name: value}}
	}
	answer := func(path string, status int) emulator.Faults {
		return emulator.Faults{Status: map[string]int{path: status}}
	}
	people := emulator.Config{People: []emulator.Person{{Name: "Ann", Email: "ann@school.example"}}}
	for name, c := range map[string]struct {
		provider emulator.Config
		faults   emulator.Faults
		change   func(*oidc.Config)
		public   string // "": public
		ahead    time.Duration
		// want are the findings, without the check's common beginning, and what one says.
		want map[string]string
	}{
		"all is well":                     {provider: people, want: map[string]string{"redirect": "PASS the provider knows " + redirect, "client": "PASS refuses a code", "": "PASS 1 key"}},
		"it approves at once":             {want: map[string]string{"redirect": "PASS the provider knows"}},
		"it does not say what it can":     {faults: emulator.Faults{Document: map[string]any{"code_challenge_methods_supported": nil, "response_types_supported": nil, "id_token_signing_alg_values_supported": nil}}, want: map[string]string{"": "PASS"}},
		"another issuer":                  {faults: document("issuer", "https://login.example/{tenantid}/v2.0"), want: map[string]string{"": "FAIL the id of the tenant", "redirect": "", "client": ""}},
		"a final slash":                   {change: func(c *oidc.Config) { c.Issuer += "/" }, want: map[string]string{"": "FAIL final slash", "redirect": "", "client": ""}},
		"nobody listens":                  {change: func(c *oidc.Config) { c.Issuer = "http://127.0.0.1:1" }, want: map[string]string{"": "FAIL cannot be reached", "redirect": "", "client": ""}},
		"no document":                     {faults: answer("/.well-known/openid-configuration", 404), want: map[string]string{"": "FAIL 404", "redirect": "", "client": ""}},
		"a redirect":                      {faults: answer("/.well-known/openid-configuration", 302), want: map[string]string{"": "FAIL 302", "redirect": "", "client": ""}},
		"no token endpoint":               {faults: document("token_endpoint", nil), want: map[string]string{"": "FAIL token_endpoint", "redirect": "", "client": ""}},
		"an endpoint without TLS":         {faults: document("jwks_uri", "http://id.example/keys"), want: map[string]string{"": "FAIL jwks_uri", "redirect": "", "client": ""}},
		"no code flow":                    {faults: document("response_types_supported", []string{"id_token"}), want: map[string]string{"": "FAIL code flow"}},
		"no signature":                    {faults: document("id_token_signing_alg_values_supported", []string{"HS256", "none"}), want: map[string]string{"": "FAIL HS256"}},
		"no S256":                         {faults: document("code_challenge_methods_supported", []string{"plain"}), want: map[string]string{"": "FAIL PKCE with S256"}},
		"no keys":                         {faults: answer("/keys", 500), want: map[string]string{"": "FAIL 500"}},
		"the keys elsewhere":              {faults: document("jwks_uri", "http://127.0.0.1:1/keys"), want: map[string]string{"": "FAIL refused"}},
		"another redirect URI":            {provider: emulator.Config{RedirectURIs: []string{"https://old.example/signin/callback"}}, want: map[string]string{"redirect": "FAIL register " + redirect}},
		"another redirect URI, on a page": {provider: emulator.Config{RedirectURIs: []string{"https://old.example/signin/callback"}}, faults: emulator.Faults{ErrorPages: true}, want: map[string]string{"redirect": "FAIL register " + redirect}},
		"a page":                          {faults: answer("/authorize", 200), want: map[string]string{"redirect": "PASS in a browser only"}},
		"a page elsewhere":                {faults: answer("/authorize", 302), want: map[string]string{"redirect": "PASS in a browser only"}},
		"no programs":                     {faults: answer("/authorize", 403), want: map[string]string{"redirect": "WARN with a browser"}},
		"its page is not for us":          {faults: document("authorization_endpoint", "http://127.0.0.1:1/"), want: map[string]string{"redirect": "WARN from here"}},
		"no public URL":                   {public: "-", want: map[string]string{"redirect": "WARN set public-url", "client": "PASS"}},
		"http":                            {public: "http://lms.example", want: map[string]string{"redirect": "WARN not https"}},
		"http on this machine":            {public: "http://127.0.0.1:8080/", want: map[string]string{"redirect": "PASS http://127.0.0.1:8080/signin/callback"}},
		"http, and not registered":        {public: "http://lms.example", provider: emulator.Config{RedirectURIs: []string{redirect}}, want: map[string]string{"redirect": "FAIL register http://lms.example/signin/callback"}},
		"another client":                  {change: func(c *oidc.Config) { c.ClientID = "other" }, want: map[string]string{"redirect": "FAIL oidc-client-id", "client": "FAIL oidc-client-id"}},
		"another secret":                  {change: func(c *oidc.Config) { c.ClientSecret = "hidden" }, want: map[string]string{"client": "FAIL oidc-client-secret"}},
		"no secret":                       {change: func(c *oidc.Config) { c.ClientSecret = "" }, want: map[string]string{"client": "FAIL oidc-client-secret"}},
		"no answer to codes":              {faults: document("token_endpoint", "http://127.0.0.1:1/"), want: map[string]string{"client": "FAIL reach"}},
		"the token endpoint is busy":      {faults: answer("/token", 503), want: map[string]string{"client": "WARN wait"}},
		"another error about codes":       {faults: answer("/token", 400), want: map[string]string{"client": "WARN is not known"}},
		"a clock 50 s ahead":              {ahead: 50 * time.Second, want: map[string]string{"clock": "WARN NTP"}},
		"a clock 70 s behind":             {ahead: -70 * time.Second, want: map[string]string{"clock": "FAIL sign-ins within 60 s"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.provider.ClientSecret = "hidden secret"
			c.provider.Now = func() time.Time { return time.Now().Add(c.ahead) }
			provider, err := emulator.Start(c.provider)
			if err != nil {
				t.Fatal(err)
			}
			defer provider.Close()
			provider.SetFaults(c.faults)
			cfg := oidc.Config{Issuer: provider.URL, ClientID: emulator.ClientID, ClientSecret: c.provider.ClientSecret, Scopes: "openid email"}
			if c.change != nil {
				c.change(&cfg)
			}
			base := public
			if c.public != "" {
				base = strings.TrimPrefix(c.public, "-")
			}
			var r Report
			r.OIDC(t.Context(), cfg, base)
			found := map[string]string{}
			for _, f := range r.Findings() {
				text := string(f.Status) + " " + f.Detail + " → " + f.Fix
				found[strings.TrimSpace(strings.TrimPrefix(f.Check, nameOIDC))] = text
				if strings.Contains(text, "hidden") || f.Status != Pass && f.Fix == "" {
					t.Errorf("a secret, or no remedy, in %s", text)
				}
			}
			for check, want := range c.want {
				status, says, _ := strings.Cut(want, " ")
				if text := found[check]; !strings.HasPrefix(text, status) || !strings.Contains(text, says) || status == "" && text != "" {
					t.Errorf("%q: %s, want %s", check, text, want)
				}
				delete(found, check)
			}
			for check, text := range found {
				if !strings.HasPrefix(text, "PASS ") {
					t.Errorf("blamed although healthy: %q: %s", check, text)
				}
			}
		})
	}
	var r Report
	r.OIDC(t.Context(), oidc.Config{}, public)
	if f := last(t, &r); f.Status != Pass || f.Detail != "not configured" {
		t.Errorf("%+v", f)
	}
}

// TestOIDCWithoutASecret: a public client, and the errors that only some providers give.
func TestOIDCWithoutASecret(t *testing.T) {
	for _, c := range []struct{ authorize, token, redirect, client string }{
		{"login_required", `{"error": "invalid_grant"}`, "PASS the provider knows", "PASS which has no secret"},
		{"unauthorized_client", `{"error": "unauthorized_client"}`, "FAIL authorization code flow", "FAIL authorization code flow"},
		{"invalid_scope", `{"error": "unsupported_grant_type"}`, "FAIL oidc-scopes", "FAIL authorization code flow"},
		{"temporarily_unavailable", `{"error": "invalid_request"}`, "PASS the provider knows", "WARN is not known"},
	} {
		mux := http.NewServeMux()
		provider, err := emulator.Start(emulator.Config{Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		defer provider.Close()
		server := httptest.NewServer(mux)
		defer server.Close()
		odd := server.URL
		provider.SetFaults(emulator.Faults{Document: map[string]any{"authorization_endpoint": odd + "/authorize", "token_endpoint": odd + "/token", "token_endpoint_auth_methods_supported": []string{"none"}}})
		mux.HandleFunc("/authorize", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Query().Get("redirect_uri")+"?error="+c.authorize, http.StatusSeeOther)
		})
		mux.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) {
			if _, _, basic := r.BasicAuth(); basic || r.PostFormValue("client_id") != "public" {
				t.Error("a public client authenticates")
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(c.token))
		})
		var r Report
		r.OIDC(t.Context(), oidc.Config{Issuer: provider.URL, ClientID: "public", Scopes: "openid"}, "https://lms.example")
		for _, f := range r.Findings() {
			text := string(f.Status) + " " + f.Detail + " → " + f.Fix
			for check, want := range map[string]string{nameOIDCRedirect: c.redirect, nameOIDCClient: c.client} {
				status, says, _ := strings.Cut(want, " ")
				if f.Check == check && (!strings.HasPrefix(text, status) || !strings.Contains(text, says)) {
					t.Errorf("%s: %s, want %s", check, text, want)
				}
			}
		}
		if n := len(r.Findings()); n != 4 {
			t.Errorf("%d findings", n)
		}
	}
}
