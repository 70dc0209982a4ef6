package azure

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
)

// credentials are what the setting holds. The zero value means the SDK's own sources.
type credentials struct {
	account  string // of a connection string, else ""
	endpoint string // of a connection string, else ""
	key      string // the account's key, base64
	sas      string // a shared access signature, as the query of a URL
}

// The emulators' account, whose key is public.
// https://learn.microsoft.com/azure/storage/common/storage-connect-azurite
const (
	developmentAccount  = "devstoreaccount1"
	developmentKey      = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
	developmentEndpoint = "http://127.0.0.1:10000/" + developmentAccount
)

var (
	errCredentials = errors.New("origin-azure-credentials: neither an account key nor a connection string, as the portal shows them under Access keys")
	errDevelopment = errors.New("origin-azure-credentials: UseDevelopmentStorage takes no other parts")
	errTwoSecrets  = errors.New("origin-azure-credentials: the connection string has both an account key and a shared access signature: give one")
	errNoSecret    = errors.New("origin-azure-credentials: the connection string has neither an account key nor a shared access signature")
	errKeyAccount  = errors.New("origin-azure-credentials: the connection string has an account key but no account name")
)

// parseCredentials reads an account key or a connection string. Errors quote nothing of it.
func parseCredentials(text string) (credentials, error) {
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return credentials{}, nil
	case strings.ContainsAny(strings.TrimRight(text, "="), ";="):
		return parseConnectionString(text)
	case !isKey(text):
		return credentials{}, errCredentials
	}
	return credentials{key: text}, nil
}

// isKey reports whether a text is base64 of something.
func isKey(text string) bool {
	key, err := base64.StdEncoding.DecodeString(text)
	return err == nil && len(key) > 0
}

// parseConnectionString reads Name=Value pairs between semicolons.
// https://learn.microsoft.com/azure/storage/common/storage-configure-connection-string
func parseConnectionString(text string) (credentials, error) {
	parts := map[string]string{}
	for part := range strings.SplitSeq(strings.TrimRight(text, ";"), ";") {
		name, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		if _, twice := parts[name]; !ok || twice || !connectionPart(name) {
			return credentials{}, errCredentials
		}
		parts[name] = value
	}
	if use, ok := parts["UseDevelopmentStorage"]; ok {
		if len(parts) > 1 || use != "true" {
			return credentials{}, errDevelopment
		}
		return credentials{account: developmentAccount, endpoint: developmentEndpoint, key: developmentKey}, nil
	}
	out := credentials{account: parts["AccountName"], key: parts["AccountKey"], sas: strings.TrimPrefix(parts["SharedAccessSignature"], "?")}
	if err := out.check(); err != nil {
		return credentials{}, err
	}
	endpoint, err := connectionEndpoint(parts)
	out.endpoint = endpoint
	return out, err
}

// connectionPart reports whether a connection string may have a part of a name. Endpoints of
// the account's other services are not used.
func connectionPart(name string) bool {
	switch name {
	case "DefaultEndpointsProtocol", "EndpointSuffix", "AccountName", "AccountKey", "SharedAccessSignature", "UseDevelopmentStorage":
		return true
	}
	return strings.HasSuffix(name, "Endpoint")
}

func (c credentials) check() error {
	switch {
	case c.account != "" && !accountName.MatchString(c.account):
		return errors.New("origin-azure-credentials: the account name has other than 3 to 24 lower-case letters and digits")
	case c.key != "" && c.sas != "":
		return errTwoSecrets
	case c.key == "" && c.sas == "":
		return errNoSecret
	case c.key != "" && c.account == "":
		return errKeyAccount
	case c.key != "" && !isKey(c.key):
		return errors.New("origin-azure-credentials: the account key is not base64")
	}
	if c.sas != "" {
		if query, err := url.ParseQuery(c.sas); err != nil || query.Get("sig") == "" {
			return errors.New("origin-azure-credentials: the shared access signature has no sig")
		}
	}
	return nil
}

// connectionEndpoint is the blob service that a connection string names, or "".
func connectionEndpoint(parts map[string]string) (string, error) {
	endpoint, account := parts["BlobEndpoint"], parts["AccountName"]
	if endpoint == "" {
		if account == "" {
			return "", nil
		}
		protocol, suffix := parts["DefaultEndpointsProtocol"], parts["EndpointSuffix"]
		if protocol == "" {
			protocol = "https"
		}
		if suffix == "" {
			suffix = "core.windows.net"
		}
		endpoint = protocol + "://" + account + ".blob." + suffix
	}
	service, err := serviceURL(endpoint)
	if err != nil {
		return "", errors.New("origin-azure-credentials: the connection string's blob endpoint is not a URL of https or http")
	}
	return service, nil
}

// newClient makes the client of a container. Retries belong to origin.Retry and to Archive.
// It sends nothing. Errors quote no secret.
func newClient(where place, secret credentials, client *http.Client) (*container.Client, error) {
	options := azcore.ClientOptions{
		Transport: client,
		Retry:     policy.RetryOptions{MaxRetries: -1},
		Telemetry: policy.TelemetryOptions{ApplicationID: "lectern"},
	}
	target := where.service + "/" + where.container
	switch {
	case secret.sas != "":
		out, err := container.NewClientWithNoCredential(target+"?"+secret.sas, &container.ClientOptions{ClientOptions: options})
		return out, credentialFault(err)
	case secret.key != "":
		shared, err := container.NewSharedKeyCredential(where.account, secret.key)
		if err != nil {
			return nil, credentialFault(err)
		}
		out, err := container.NewClientWithSharedKeyCredential(target, shared, &container.ClientOptions{ClientOptions: options})
		return out, credentialFault(err)
	}
	token, err := azidentity.NewDefaultAzureCredential(&azidentity.DefaultAzureCredentialOptions{ClientOptions: azcore.ClientOptions{Transport: client}})
	if err != nil {
		return nil, credentialFault(err)
	}
	out, err := container.NewClient(target, tokenSource{token}, &container.ClientOptions{ClientOptions: options})
	return out, credentialFault(err)
}

// errNoToken marks that a request was not sent for want of an access token.
var errNoToken = errors.New("no access token")

// tokenSource is the SDK's credential with its errors marked. They list what each of its
// sources answered.
type tokenSource struct{ azcore.TokenCredential }

// GetToken implements azcore.TokenCredential.
func (t tokenSource) GetToken(ctx context.Context, options policy.TokenRequestOptions) (azcore.AccessToken, error) {
	token, err := t.TokenCredential.GetToken(ctx, options)
	if err != nil && ctx.Err() == nil {
		err = errNoToken
	}
	return token, err
}

// credentialFault replaces the SDK's error, which may quote what it was given.
func credentialFault(err error) error {
	if err == nil {
		return nil
	}
	return errors.New("origin-azure-credentials: the SDK refuses them")
}
