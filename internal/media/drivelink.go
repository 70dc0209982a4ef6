package media

import "strings"

// DriveDownloadURL is Google Drive's public download link of a file, as the platform
// stores and plays it.
func DriveDownloadURL(fileID string) string {
	return "https://drive.google.com/uc?export=download&id=" + fileID
}

// IsDriveURL reports whether a link leads to a host of Google Drive.
func IsDriveURL(link string) bool {
	for _, host := range []string{"https://drive.google.com/", "https://docs.google.com/", "https://drive.usercontent.google.com/"} {
		if strings.HasPrefix(link, host) {
			return true
		}
	}
	return false
}
