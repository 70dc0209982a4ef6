package drive

import (
	"fmt"
	"net/http"
	"os"
	"strings"
)

// Config of the Google Drive origin.
type Config struct {
	// Credentials is a path of, or the JSON of, a service account or authorised
	// user; "none" sends no authentication (emulators); "" = Drive is not used.
	Credentials string `name:"credentials" secret:"" reload:"its file is read again" needed:"to play recordings from Google Drive and to archive there" placeholder:"FILE|JSON|none" help:"Provider gdrive: service account or authorised user, as the path of its JSON file or the JSON itself; none sends no authentication, for emulators."`
	// Subject is the user a service account with domain-wide delegation acts for.
	Subject string `name:"subject" placeholder:"EMAIL" help:"User whom the service account acts for, by domain-wide delegation."`
	// Endpoint replaces Google's, with or without a final slash.
	Endpoint string `name:"endpoint" placeholder:"URL" help:"API endpoint instead of Google's, for example of an emulator."`
}

// Check refuses credentials that cannot be read or used. Their file is read, nothing is
// sent. The text begins with the setting's name and quotes no secret.
func (c *Config) Check() error {
	if c.Credentials == "" || c.Credentials == "none" {
		return nil
	}
	_, err := tokenSource(*c, http.DefaultClient)
	return err
}

// credentials are the JSON of the credentials.
func (c *Config) credentials() ([]byte, error) {
	if strings.HasPrefix(strings.TrimSpace(c.Credentials), "{") {
		return []byte(c.Credentials), nil
	}
	data, err := os.ReadFile(c.Credentials)
	if err != nil {
		return nil, fmt.Errorf("origin-drive-credentials: the file cannot be read: %w", err)
	}
	return data, nil
}
