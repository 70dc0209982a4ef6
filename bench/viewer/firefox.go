package viewer

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/lectiospace/lectern/internal/emulator/firefox"
)

// forget clears all that Firefox knows of a host. A connection in use is not closed: there is
// none once the page is blank.
const forget = `
	Services.cache2.clear();
	ChromeUtils.clearResourceCache?.();
	Services.cookies.removeAll();
	Services.obs.notifyObservers(null, 'net:prune-all-connections');`

type firefoxBrowser struct{ *firefox.Browser }

// Firefox starts Firefox.
func Firefox(ctx context.Context, dir string, site *url.URL) (Browser, error) {
	profile, extension := filepath.Join(dir, "profile"), filepath.Join(dir, "extension")
	for _, one := range []string{profile, extension} {
		if err := os.MkdirAll(one, 0o700); err != nil {
			return nil, err
		}
	}
	b, err := firefox.Start(ctx, "firefox-esr", profile, map[string]string{
		"dom.securecontext.allowlist": strconv.Quote(site.Hostname()),
		// A secure page's video would be requested by https only, which the site does not speak.
		"security.mixed_content.upgrade_display_content": "false",
	})
	if err != nil {
		return nil, err
	}
	if err := b.AddContentScript(extension, marksScript); err != nil {
		b.Close()
		return nil, err
	}
	return firefoxBrowser{b}, nil
}

func (b firefoxBrowser) Forget() error {
	if err := b.blank(); err != nil {
		return err
	}
	return b.RunPrivileged(forget)
}

func (b firefoxBrowser) Open(address string) error {
	if err := b.blank(); err != nil { // only the fragment differing would be no navigation
		return err
	}
	return b.Navigate(address)
}

// blank leaves the page, and waits until it has left.
func (b firefoxBrowser) blank() error {
	if err := b.Navigate("about:blank"); err != nil {
		return err
	}
	for end := time.Now().Add(visitTimeout); ; time.Sleep(50 * time.Millisecond) {
		var address string
		err := b.Run("location.href", &address)
		if err == nil && address == "about:blank" || time.Now().After(end) {
			return err
		}
	}
}
