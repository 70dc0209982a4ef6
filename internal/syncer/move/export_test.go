package move

import (
	"context"
)

// KeepLeases is keepLeases.
func (m *Mover) KeepLeases(ctx context.Context) (context.Context, func()) { return m.keepLeases(ctx) }

// OnStep calls f after each step that a kill may follow.
func (m *Mover) OnStep(f func(name string)) { m.step = f }

// Steps are the names of these steps, in order.
var Steps = []string{"leased", "key recorded", "fetched", "uploaded", "verified", "switched"}

// NobodyServes says that no syncer lives.
func (m *Mover) NobodyServes() {
	m.deps.OthersAlive = func(context.Context) (bool, error) { return false, nil }
}
