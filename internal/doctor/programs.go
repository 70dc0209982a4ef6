package doctor

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
)

// maxSilence is how old the heartbeat of a program at work may be.
const maxSilence = time.Minute

// program is a gateway or a syncer, as its heartbeat in the database names it.
type program struct {
	id, version, address string // version and address may be ""
	beatAt               time.Time
}

// Gateways names the gateways of the database with version, public address and last
// heartbeat. A silent one, and one of another version than this program's, is a warning.
func (r *Report) Gateways(ctx context.Context, store *catalog.Store, version string) {
	var all []catalog.Gateway
	err := store.View(ctx, "doctor: gateways", func(x catalog.Session) (err error) {
		all, err = catalog.Gateways(ctx, x)
		return err
	})
	if err != nil {
		r.fail(nameGateways, fixDatabase, "%v", err)
		return
	}
	for _, one := range all {
		r.heartbeat(nameGateways, program{id: one.ID, version: one.Version, address: one.Address, beatAt: one.BeatAt}, version,
			"start it again; where another runs in its place, this row goes a day after its last heartbeat")
	}
	if len(all) == 0 {
		r.pass(nameGateways, "none is at work")
	}
}

// heartbeat reports what the heartbeat of a program says, beside this program's version;
// fix says what to do about one that is silent. It returns whether the program is alive.
func (r *Report) heartbeat(check string, p program, version, fix string) (alive bool) {
	of := fmt.Sprintf("version %s, public address %s, last heartbeat %s",
		cmp.Or(p.version, "unknown"), cmp.Or(p.address, "none"), p.beatAt.UTC().Format(time.RFC3339))
	age := time.Since(p.beatAt)
	switch {
	case age >= maxSilence:
		r.warn(check, fix, "%s has been silent for %s: %s", p.id, age.Round(time.Second), of)
	case p.version != version:
		r.warn(check, "upgrade the older one: two versions work side by side during an upgrade only", "%s has another version than this program (%s): %s", p.id, version, of)
	default:
		r.pass(check, "%s: %s", p.id, of)
	}
	return age < maxSilence
}
