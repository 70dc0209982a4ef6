//go:build failpoint

package catalog

import (
	"errors"
	"sync"

	sqlitedriver "modernc.org/sqlite"

	"github.com/lectiospace/lectern/internal/failpoint"
)

// hookCommits makes every commit to a SQLite file a point, the job queue's too: an error
// there rolls the transaction back.
var hookCommits = sync.OnceFunc(func() {
	sqlitedriver.RegisterConnectionHook(func(conn sqlitedriver.ExecQuerierContext, _ string) error {
		c, ok := conn.(sqlitedriver.HookRegisterer)
		if !ok {
			return errors.New("connections of SQLite have no hooks")
		}
		c.RegisterCommitHook(func() int32 {
			if failpoint.Err("sqlite.commit") != nil {
				return 1
			}
			return 0
		})
		return nil
	})
})
