package local

// Config of the local-folder origin.
type Config struct {
	// Root is the folder below which archive keys are paths. "" means
	// <data-dir>/recordings, filled in by the caller.
	Root string `name:"root" placeholder:"DIR" help:"Folder of provider local; archive keys are paths below it (default: <data-dir>/recordings)."`
}
