package s3

import (
	"errors"
	"strings"
)

// Config of the S3 origin and archive.
type Config struct {
	// URL is s3://BUCKET with parameters, see ParseURL; "" = S3 is not used.
	URL string `name:"url" placeholder:"URL" help:"Bucket as s3://BUCKET?region=…&endpoint=…&use_path_style=true&prefix=lessons/; archive keys are appended to the prefix (default: S3 is not used)."`
	// Credentials are KEY_ID:SECRET[:TOKEN]; "none" sends unsigned requests; "" means the
	// SDK's usual sources.
	Credentials string `name:"credentials" secret:"" reload:"" placeholder:"KEY_ID:SECRET[:TOKEN]" help:"Credentials of the bucket; none sends unsigned requests (default: the AWS SDK's usual sources: environment, shared files, the role of the container or machine)."`
	// PartSize is that of the parts of uploads in bytes; 0 = 16 MiB. Services take no smaller
	// ones than 5 MiB; tests have small files.
	PartSize int64 `kong:"-"`
}

// Check refuses a URL or credentials that cannot be read. Nothing is sent. The text begins
// with the setting's name and quotes no secret.
func (c *Config) Check() error {
	if c.URL == "" {
		if c.Credentials != "" {
			return errors.New("origin-s3-credentials: need a bucket in origin-s3-url")
		}
		return nil
	}
	if _, err := ParseURL(c.URL); err != nil {
		return err
	}
	_, err := c.static()
	return err
}

// anonymous says that no authentication is sent.
const anonymous = "none"

// staticKeys are credentials that do not change; nil when another source has them.
type staticKeys struct{ id, secret, token string }

// static reads the credentials that the setting itself holds.
func (c *Config) static() (*staticKeys, error) {
	if c.Credentials == "" || c.Credentials == anonymous {
		return nil, nil
	}
	id, rest, _ := strings.Cut(c.Credentials, ":")
	secret, token, hasToken := strings.Cut(rest, ":")
	if id == "" || secret == "" || hasToken && token == "" || strings.ContainsAny(c.Credentials, " \t\r\n") {
		return nil, errors.New("origin-s3-credentials: give KEY_ID:SECRET or KEY_ID:SECRET:TOKEN")
	}
	return &staticKeys{id, secret, token}, nil
}
