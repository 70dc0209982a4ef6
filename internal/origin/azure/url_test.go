package azure

import (
	"net/url"
	"strings"
	"testing"
)

func TestPlaces(t *testing.T) {
	const key = "c2VjcmV0LWtleQ=="
	for _, c := range []struct{ url, credentials, service, account, prefix string }{
		{"azblob://lessons?storage_account=school", "", "https://school.blob.core.windows.net", "school", ""},
		{"azblob://lessons?storage_account=school&prefix=a%2Fb-", key, "https://school.blob.core.windows.net", "school", "a/b-"},
		{"azblob://lessons?storage_account=school&domain=blob.core.chinacloudapi.cn", key, "https://school.blob.core.chinacloudapi.cn", "school", ""},
		{"azblob://lessons?storage_account=school&domain=127.0.0.1:10000&protocol=http", key, "http://127.0.0.1:10000/school", "school", ""},
		{"azblob://lessons?storage_account=school&domain=azurite:10000&localemu=true", key, "http://azurite:10000/school", "school", ""},
		{"azblob://lessons?storage_account=school&domain=127.0.0.1:10000&protocol=http&localemu=true", key, "http://127.0.0.1:10000/school", "school", ""},
		{"azblob://lessons?storage_account=school&localemu=false", key, "https://school.blob.core.windows.net", "school", ""},
		{"azblob://lessons?storage_account=school&endpoint=https://media.school.example/", key, "https://media.school.example", "school", ""},
		{"azblob://lessons?storage_account=school&endpoint=http://localhost:10000", key, "http://localhost:10000/school", "school", ""},
		{"azblob://lessons?endpoint=http://127.0.0.1:10000/devstoreaccount1", key, "http://127.0.0.1:10000/devstoreaccount1", "devstoreaccount1", ""},
		{"azblob://lessons?endpoint=https://school.blob.core.windows.net", key, "https://school.blob.core.windows.net", "school", ""},
		{"azblob://lessons", "UseDevelopmentStorage=true", "http://127.0.0.1:10000/devstoreaccount1", "devstoreaccount1", ""},
		{"azblob://lessons", "DefaultEndpointsProtocol=https;AccountName=school;AccountKey=" + key + ";EndpointSuffix=core.windows.net", "https://school.blob.core.windows.net", "school", ""},
		{"azblob://lessons?prefix=x/", "AccountName=school;AccountKey=" + key + ";BlobEndpoint=http://10.0.0.1:10000/school;QueueEndpoint=http://10.0.0.1:1/", "http://10.0.0.1:10000/school", "school", "x/"},
		{"azblob://lessons", "BlobEndpoint=https://school.blob.core.windows.net/;SharedAccessSignature=?sv=2024&sig=abc", "https://school.blob.core.windows.net", "school", ""},
		{"azblob://lessons/", " " + "BlobEndpoint=https://school.blob.core.windows.net/;SharedAccessSignature=sv=2024&sig=abc;\n", "https://school.blob.core.windows.net", "school", ""},
	} {
		cfg := Config{URL: c.url, Credentials: c.credentials}
		where, _, err := cfg.parse()
		if err != nil || where.service != c.service || where.account != c.account || where.prefix != c.prefix || where.container != "lessons" {
			t.Errorf("%s with %q: %+v, %v", c.url, c.credentials, where, err)
		}
		if err := cfg.Check(); err != nil {
			t.Error(err)
		}
		if o, err := New(cfg); err != nil {
			t.Errorf("%s: %v", c.url, err)
		} else {
			o.Stop()
		}
	}
	if err := (&Config{}).Check(); err != nil {
		t.Errorf("not configured: %v", err)
	}
}

// TestRefusedSettings: each refusal names the setting, says what is wrong, and quotes no
// value, which may be a secret that was pasted into the wrong place.
func TestRefusedSettings(t *testing.T) {
	const good = "azblob://lessons?storage_account=school"
	for _, c := range []struct{ url, credentials, says string }{
		{"https://hidden.blob.core.windows.net/lessons", "", "azblob://"},
		{"azblob:lessons", "", "azblob://"},
		{"azblob://le%zzhidden", "", "not a URL"},
		{"azblob://lessons", "", "storage_account"},
		{"azblob://Lessons?storage_account=school", "", "container's name"},
		{"azblob://le--ssons?storage_account=school", "", "container's name"},
		{"azblob://" + strings.Repeat("a", 64) + "?storage_account=school", "", "container's name"},
		{"azblob://lessons/hidden?storage_account=school", "", "prefix is a parameter"},
		{"azblob://user:hidden@lessons?storage_account=school", "", "nothing else"},
		{good + "#hidden", "", "nothing else"},
		{good + "&region=hidden", "", `unknown parameter "region"`},
		{good + "&sig=hidden", "", `unknown parameter "sig"`},
		{good + "&prefix=hidden&prefix=b", "", "prefix is given 2 times"},
		{good + "&prefix=..%2Fhidden", "", `".." segment`},
		{good + "&prefix=a%00hidden", "", "control characters"},
		{good + ";prefix=hidden", "", "cannot be read"},
		{good + "&protocol=ftphidden", "", "http or https"},
		{good + "&domain=hidden%2Fx", "", "domain"},
		{good + "&localemu=hidden", "", "localemu"},
		{good + "&endpoint=hidden", "", "endpoint"},
		{good + "&endpoint=https://x/?sig=hidden", "", "without user, query"},
		{good + "&endpoint=https://x/a/hidden", "", "path"},
		{good + "&endpoint=https://x&domain=hidden", "", "one or the other"},
		{"azblob://lessons?storage_account=School-hidden", "", "storage_account"},
		{good, "hidden!", "neither an account key nor"},
		{good, "AccountName=school;AccountKey=hidden!", "not base64"},
		{good, "AccountName=school", "neither an account key nor"},
		{good, "AccountKey=aGlkZGVu", "no account name"},
		{good, "AccountName=school;AccountKey=aGlkZGVu;SharedAccessSignature=sig=hidden", "give one"},
		{good, "AccountName=school;AccountKey=aGlkZGVu;hidden", "neither an account key nor"},
		{good, "AccountName=school;AccountKey=aGlkZGVu;Hidden=x", "neither an account key nor"},
		{good, "AccountName=school;AccountName=hidden;AccountKey=aGlkZGVu", "neither an account key nor"},
		{good, "AccountName=other;AccountKey=aGlkZGVu", "storage_account is not the account"},
		{good, "AccountName=school;SharedAccessSignature=sv=hidden", "no sig"},
		{good, "AccountName=school;AccountKey=aGlkZGVu;BlobEndpoint=hidden", "blob endpoint"},
		{good, "UseDevelopmentStorage=true;AccountKey=aGlkZGVu", "no other parts"},
		{"azblob://lessons", "BlobEndpoint=http://school.blob.core.windows.net;SharedAccessSignature=sig=hidden", "clear text"},
	} {
		err := (&Config{URL: c.url, Credentials: c.credentials}).Check()
		if err == nil || !strings.Contains(err.Error(), c.says) || !strings.HasPrefix(err.Error(), "origin-azure-") {
			t.Errorf("%s with %q: %v, want %q", c.url, c.credentials, err, c.says)
			continue
		}
		if strings.Contains(err.Error(), "idden") || strings.Contains(err.Error(), "aGlkZGVu") {
			t.Errorf("a value in %v", err)
		}
	}
}

// FuzzSettings: whatever is given, it is refused under a setting's name or leads to an https
// or http URL of the account, whose host and path nothing in the URL's other parts decides.
func FuzzSettings(f *testing.F) {
	f.Add("azblob://lessons?storage_account=school&prefix=a/", "c2VjcmV0")
	f.Add("azblob://lessons?storage_account=school&domain=localhost:1&protocol=http", "")
	f.Add("azblob://lessons?endpoint=http://[::1]:10000/devstoreaccount1", "UseDevelopmentStorage=true")
	f.Add("azblob://lessons", "DefaultEndpointsProtocol=https;AccountName=school;AccountKey=c2VjcmV0;EndpointSuffix=core.windows.net")
	f.Add("azblob://lessons", "BlobEndpoint=https://school.blob.core.windows.net/;SharedAccessSignature=?sv=1&sig=a%2B")
	f.Fuzz(func(t *testing.T, text, secret string) {
		cfg := Config{URL: text, Credentials: secret}
		where, parsed, err := cfg.parse()
		if err != nil {
			if !strings.HasPrefix(err.Error(), "origin-azure-url: ") && !strings.HasPrefix(err.Error(), "origin-azure-credentials: ") {
				t.Fatalf("no setting in %q", err)
			}
			return
		}
		u, err := url.Parse(where.service)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			t.Fatalf("service %q, %v", where.service, err)
		}
		if strings.Count(strings.Trim(u.Path, "/"), "/") > 0 || !accountName.MatchString(where.account) || !containerName.MatchString(where.container) {
			t.Fatalf("%+v", where)
		}
		if parsed.key != "" && parsed.sas != "" {
			t.Fatal("two secrets")
		}
		if again, _, err := cfg.parse(); err != nil || again != where {
			t.Fatalf("%+v, then %+v, %v", where, again, err)
		}
		o, err := New(cfg)
		if err != nil {
			t.Fatalf("checked and refused: %v", err)
		}
		o.Stop()
	})
}
