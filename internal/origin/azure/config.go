package azure

// Config of the origin and archive in a container of Azure Blob Storage.
type Config struct {
	// URL names the container, as azblob://CONTAINER?storage_account=NAME; "" = Azure is not
	// used. parseURL has the parameters.
	URL string `name:"url" needed:"to play recordings from Azure Blob Storage and to archive there" placeholder:"azblob://CONTAINER?…" help:"Provider azure: the container, with storage_account, endpoint, domain, protocol and prefix as parameters."`
	// Credentials are the account's key or a connection string. "" means the SDK's own
	// sources: environment, workload identity, managed identity.
	Credentials string `name:"credentials" secret:"" reload:"the same account's only" placeholder:"KEY|CONNECTION-STRING" help:"Provider azure: account key or connection string (default: Azure's environment variables, workload identity, managed identity)."`
}

// Check refuses a URL or credentials that cannot be used. Nothing is sent. The text begins
// with the setting's name and quotes no secret.
func (c *Config) Check() error {
	if c.URL == "" {
		return nil
	}
	_, _, err := c.parse()
	return err
}

// parse reads both settings and combines them.
func (c *Config) parse() (place, credentials, error) {
	where, err := parseURL(c.URL)
	if err != nil {
		return place{}, credentials{}, err
	}
	secret, err := parseCredentials(c.Credentials)
	if err != nil {
		return place{}, credentials{}, err
	}
	where, err = where.resolve(secret)
	return where, secret, err
}
