package azure

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/lectiospace/lectern/internal/media"
)

// place is a container and what is in front of its keys.
type place struct {
	// account is the storage account's name.
	account string
	// service is the URL of the account's blob service, without a final slash.
	service string
	// container is the container's name.
	container string
	// prefix is put in front of each key as it is.
	prefix string

	protocol, domain string // of a URL that names no endpoint
	// emulator has the account in the path, whatever the domain is.
	emulator bool
}

// The parameters of the URL. Those other than endpoint are the Go CDK's.
var urlParameters = []string{"storage_account", "endpoint", "domain", "protocol", "prefix", "localemu"}

var (
	// https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata
	containerName = regexp.MustCompile(`^[a-z0-9](-?[a-z0-9]){2,62}$`)
	// https://learn.microsoft.com/azure/storage/common/storage-account-overview
	accountName = regexp.MustCompile(`^[a-z0-9]{3,24}$`)
	domainName  = regexp.MustCompile(`^[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?$`)
)

// urlFault is a problem of the setting. It never quotes a value, which may be a secret that
// was pasted into the wrong setting.
func urlFault(format string, args ...any) error {
	return fmt.Errorf("origin-azure-url: "+format, args...)
}

// parseURL reads azblob://CONTAINER with these parameters:
//
//	storage_account  the account's name
//	endpoint         URL of its blob service, where that is not https://ACCOUNT.blob.core.windows.net
//	domain           blob service's domain instead of blob.core.windows.net, as of a sovereign cloud
//	protocol         http instead of https
//	prefix           what is put in front of each key, as it is
//	localemu         true: an emulator, with http and the account in the path
//
// A parameter that it does not know is an error.
func parseURL(text string) (place, error) {
	u, err := url.Parse(text)
	if err != nil {
		return place{}, urlFault("not a URL: give azblob://CONTAINER?storage_account=NAME")
	}
	switch {
	case u.Scheme != "azblob" || u.Opaque != "":
		return place{}, urlFault("not a URL that begins with azblob://")
	case u.User != nil || u.Fragment != "" || strings.Trim(u.Path, "/") != "":
		return place{}, urlFault("between azblob:// and ? is the container's name and nothing else: the prefix is a parameter")
	case !containerName.MatchString(u.Host) || len(u.Host) > 63:
		return place{}, urlFault("the container's name has 3 to 63 lower-case letters, digits and single hyphens")
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return place{}, urlFault("the parameters cannot be read: write characters such as %%, & and ; as %%25, %%26 and %%3B")
	}
	for name, values := range query {
		if !slices.Contains(urlParameters, name) {
			return place{}, urlFault("unknown parameter %.40q: the parameters are %s", name, strings.Join(urlParameters, ", "))
		}
		if len(values) != 1 {
			return place{}, urlFault("%s is given %d times", name, len(values))
		}
	}
	where := place{
		account: query.Get("storage_account"), container: u.Host, prefix: query.Get("prefix"),
		protocol: query.Get("protocol"), domain: query.Get("domain"),
	}
	if query.Has("localemu") {
		if where.emulator, err = strconv.ParseBool(query.Get("localemu")); err != nil {
			return place{}, urlFault("localemu is neither true nor false")
		}
	}
	if err := where.check(); err != nil {
		return place{}, err
	}
	return where, where.setEndpoint(query.Get("endpoint"))
}

func (p *place) check() error {
	switch {
	case p.account != "" && !accountName.MatchString(p.account):
		return urlFault("storage_account has 3 to 24 lower-case letters and digits")
	case p.protocol != "" && p.protocol != "http" && p.protocol != "https":
		return urlFault("protocol is http or https")
	case p.domain != "" && !domainName.MatchString(p.domain):
		return urlFault("domain is not a domain: give it as blob.core.windows.net")
	}
	if p.prefix != "" {
		if err := media.CheckObjectKey(p.prefix); err != nil {
			return urlFault("prefix: %w", errors.Unwrap(err))
		}
	}
	return nil
}

// setEndpoint makes the service's URL of an endpoint. Without one it is made of account,
// protocol and domain once the account is known.
func (p *place) setEndpoint(text string) error {
	if text == "" {
		return nil
	}
	if p.domain != "" || p.protocol != "" {
		return urlFault("endpoint takes the place of domain and protocol: give one or the other")
	}
	service, err := serviceURL(text)
	if err != nil {
		return urlFault("endpoint: %w", err)
	}
	p.service = service
	return nil
}

// serviceURL checks the URL of a blob service.
func serviceURL(text string) (string, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "":
		return "", errors.New("not a URL that begins with https:// or http://")
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return "", errors.New("a URL without user, query and fragment")
	case u.RawPath != "" || strings.Count(strings.Trim(u.Path, "/"), "/") > 0:
		return "", errors.New("its path is the account's name or nothing")
	}
	return strings.TrimSuffix(u.Scheme+"://"+u.Host+u.Path, "/"), nil
}

// resolve completes a place by what the credentials say. An emulator's URL has the account
// in its path, where Azure's has it in the host's name.
func (p place) resolve(secret credentials) (place, error) {
	if p.account == "" {
		p.account = secret.account
	}
	switch {
	case p.service != "":
	case secret.endpoint != "" && p.domain == "" && p.protocol == "":
		p.service = secret.endpoint
	case p.account != "":
		p.service = p.defaultService()
	}
	if p.account == "" {
		p.account = accountOf(p.service)
	}
	switch {
	case p.account == "":
		return p, urlFault("no storage account: add storage_account=NAME")
	case secret.account != "" && secret.account != p.account:
		return p, urlFault("storage_account is not the account of origin-azure-credentials")
	}
	u, err := url.Parse(p.service)
	if err != nil {
		return p, urlFault("the endpoint is not a URL")
	}
	if (p.emulator || isAddress(u.Hostname())) && strings.Trim(u.Path, "/") == "" {
		p.service += "/" + p.account
	}
	if secret.sas != "" && u.Scheme == "http" && !isAddress(u.Hostname()) {
		return p, urlFault("a shared access signature would be sent in clear text: use https")
	}
	return p, nil
}

// defaultService is the account's blob service by protocol and domain.
func (p place) defaultService() string {
	protocol, domain := p.protocol, p.domain
	switch {
	case protocol != "":
	case p.emulator:
		protocol = "http"
	default:
		protocol = "https"
	}
	if domain == "" {
		domain = "blob.core.windows.net"
	}
	host, _, err := net.SplitHostPort(domain)
	if err != nil {
		host = domain
	}
	if p.emulator || isAddress(host) {
		return protocol + "://" + domain // resolve adds the account
	}
	return protocol + "://" + p.account + "." + domain
}

// accountOf reads the account from a service's URL: its path, else its host's first label.
// "" when it has none.
func accountOf(service string) string {
	u, err := url.Parse(service)
	if err != nil {
		return ""
	}
	name := strings.Trim(u.Path, "/")
	if name == "" && !isAddress(u.Hostname()) {
		name, _, _ = strings.Cut(u.Hostname(), ".")
	}
	if !accountName.MatchString(name) {
		return ""
	}
	return name
}

// isAddress reports whether a host is an address or this machine, as emulators have, and not
// a name that could begin with an account's.
func isAddress(host string) bool {
	return host == "localhost" || net.ParseIP(host) != nil
}

// blobName is the name of a key's blob. The key is checked by itself and with the prefix,
// with which it may make a segment that neither has.
func (p place) blobName(key string) (string, error) {
	for _, name := range []string{key, p.prefix + key} {
		if err := media.CheckObjectKey(name); err != nil {
			return "", err
		}
	}
	return p.prefix + key, nil
}
