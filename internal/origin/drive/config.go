package drive

// Config of the Google Drive origin.
type Config struct {
	// Credentials is a path of, or the JSON of, a service account or authorised
	// user; "none" sends no authentication (emulators); "" = Drive is not used.
	Credentials string `name:"credentials" secret:"" placeholder:"FILE|JSON|none" help:"Service account or authorised user: path of the JSON file, or the JSON itself; none sends no authentication."`
	// Subject is the user a service account with domain-wide delegation acts for.
	Subject string `name:"subject" placeholder:"EMAIL" help:"User to act for, by domain-wide delegation."`
	// Endpoint replaces Google's, with or without a final slash.
	Endpoint string `name:"endpoint" placeholder:"URL" help:"API endpoint instead of Google's, for example of an emulator."`
}
