package s3

import (
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/lectiospace/lectern/internal/media"
)

// Place is a bucket and the part of it that is used.
type Place struct {
	Bucket string
	// Region signs requests; "" means the SDK's usual sources.
	Region string
	// Endpoint replaces AWS's, as http://127.0.0.1:9000; "" = AWS's.
	Endpoint string
	// PathStyle puts the bucket into the path of requests instead of the host name.
	PathStyle bool
	// Prefix is what archive keys are appended to, as it is.
	Prefix string
}

var (
	// bucketName is what AWS and compatible services take (3 to 63 characters), and the older
	// names of AWS with capitals, underscores and up to 255 characters.
	bucketName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]$`)
	regionName = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)
)

// ParseURL reads s3://BUCKET?region=R&endpoint=URL&use_path_style=true&prefix=P/. A
// parameter that it does not know, or that comes twice, is refused with its name. The Go CDK's
// other names for the same, s3ForcePathStyle, hostname_immutable, disableSSL, disable_https and
// awssdk, are taken too, so that URLs written for it work (https://pkg.go.dev/gocloud.dev/aws). Errors
// begin with the setting's name and do not quote the URL, in which somebody may have put a
// secret.
func ParseURL(text string) (Place, error) {
	refuse := func(format string, args ...any) (Place, error) {
		return Place{}, fmt.Errorf("origin-s3-url: "+format, args...)
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return refuse("is not a URL: give s3://BUCKET?region=REGION")
	case u.Scheme != "s3" || u.Opaque != "":
		return refuse("must begin with s3://, as s3://BUCKET?region=REGION")
	case u.User != nil:
		return refuse("credentials belong in origin-s3-credentials")
	case u.Fragment != "" || strings.Contains(text, "#"):
		return refuse("has a #: write it as %%23 in a parameter")
	case u.Path != "" && u.Path != "/":
		return refuse("has a path: the part of the bucket to use is the parameter prefix, as prefix=lessons/")
	case !bucketName.MatchString(u.Host) || strings.Contains(u.Host, ".."):
		return refuse("names no bucket: give s3://BUCKET?region=REGION")
	}
	if _, err := netip.ParseAddr(u.Host); err == nil {
		return refuse("a bucket's name cannot be an IP address: that is the parameter endpoint")
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return refuse("its parameters cannot be read: separate them by & and escape other characters by %%")
	}
	if isClear(query) && !strings.Contains(query.Get("endpoint"), "://") && query.Has("endpoint") {
		query["endpoint"][0] = "http://" + query["endpoint"][0]
	}
	p := Place{Bucket: u.Host}
	names := make([]string, 0, len(query))
	for name := range query {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if len(query[name]) > 1 {
			return refuse("the parameter %.40q is given twice", name)
		}
		if err := p.set(name, query[name][0]); err != nil {
			return refuse("%w", err)
		}
	}
	return p, nil
}

// isClear reports whether an endpoint without a scheme is one of http.
func isClear(query url.Values) bool {
	for _, name := range []string{"disableSSL", "disable_https"} {
		if on, err := strconv.ParseBool(query.Get(name)); err == nil && on {
			return true
		}
	}
	return false
}

// set takes one parameter.
func (p *Place) set(name, value string) error {
	switch name {
	case "region":
		if !regionName.MatchString(value) {
			return fmt.Errorf("the parameter region is no region's name, as eu-central-1")
		}
		p.Region = value
	case "endpoint":
		e, err := url.Parse(value)
		if err != nil || e.Scheme != "http" && e.Scheme != "https" || e.Hostname() == "" || e.User != nil || e.RawQuery != "" || e.ForceQuery || strings.Contains(value, "#") {
			return fmt.Errorf("the parameter endpoint is not an http or https URL, as https://s3.example.org")
		}
		p.Endpoint = value
	case "use_path_style", "s3ForcePathStyle", "hostname_immutable", "disableSSL", "disable_https":
		on, err := strconv.ParseBool(value)
		if err != nil {
			return fmt.Errorf("the parameter %s is neither true nor false", name)
		}
		if !strings.HasPrefix(name, "disable") { // what isClear has read
			p.PathStyle = p.PathStyle || on
		}
	case "awssdk":
		if value != "v1" && value != "v2" {
			return fmt.Errorf("the parameter awssdk is neither v1 nor v2")
		}
	case "prefix":
		if value != "" {
			if err := media.CheckObjectKey(value); err != nil {
				return fmt.Errorf("the parameter prefix cannot begin keys: %w", err)
			}
		}
		p.Prefix = value
	default:
		return fmt.Errorf("the parameter %.40q is not known: there are region, endpoint, use_path_style and prefix", name)
	}
	return nil
}

// key is the object's key in the bucket of an archive's key.
func (p Place) key(archiveKey string) (string, error) {
	if err := media.CheckObjectKey(archiveKey); err != nil {
		return "", err
	}
	key := p.Prefix + archiveKey
	// The two may make a segment together that neither has.
	return key, media.CheckObjectKey(key)
}

// String is the place as ParseURL reads it.
func (p Place) String() string {
	q := url.Values{}
	for name, value := range map[string]string{"region": p.Region, "endpoint": p.Endpoint, "prefix": p.Prefix} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if p.PathStyle {
		q.Set("use_path_style", "true")
	}
	u := url.URL{Scheme: "s3", Host: p.Bucket, RawQuery: q.Encode()}
	return u.String()
}
