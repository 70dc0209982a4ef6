package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
)

// The statements of this file use River's private tables, for what its API does not
// offer. They were checked against River v0.51.2: read its migrations before raising the
// version.

// RequeueJob takes a running job from a worker that has died and makes it available. It
// was begun and not ended by the worker's own fault: the attempt does not count.
func RequeueJob(ctx context.Context, x Session, job int64) error {
	_, err := x.Exec(ctx, `UPDATE lectern.river_job SET state = 'available', attempt = CASE WHEN attempt > 0 THEN attempt - 1 ELSE 0 END WHERE id = $1 AND state = 'running'`, job)
	return err
}

// ResignLeadership ends the leadership of a client that has died, so that another may lead
// before its term is over.
func ResignLeadership(ctx context.Context, x Session, client string) error {
	_, err := x.Exec(ctx, `DELETE FROM lectern.river_leader WHERE leader_id = $1`, client)
	return err
}

// JobQueued reports whether a job of a kind that is not over carries this number.
func JobQueued(ctx context.Context, x Session, kind, arg string, id int64) (bool, error) {
	var n int64
	err := x.One(ctx, `SELECT COUNT(*) FROM lectern.river_job WHERE kind = $1 AND state IN ('available', 'pending', 'retryable', 'running', 'scheduled') AND CAST(args ->> $2 AS text) = $3`,
		[]any{kind, arg, strconv.FormatInt(id, 10)}, &n)
	return n > 0, err
}

// WaitingJobs counts the jobs that are not running and not over, by kind.
func WaitingJobs(ctx context.Context, x Session) (map[string]int64, error) {
	out := map[string]int64{}
	err := x.Each(ctx, `SELECT kind, COUNT(*) FROM lectern.river_job WHERE state IN ('available', 'pending', 'retryable', 'scheduled') GROUP BY kind`, nil, func(scan func(...any) error) error {
		var (
			kind string
			n    int64
		)
		err := scan(&kind, &n)
		out[kind] = n
		return err
	})
	return out, err
}

// JobAvailable reports whether a queue has a job that is available, now or from a moment on
// that its row names. It is a look-up in an index, by a statement that is prepared once.
func JobAvailable(ctx context.Context, db *catalog.Store, queue string) (found bool, err error) {
	err = db.Row(ctx, "syncer: look for an available job", `SELECT EXISTS (SELECT 1 FROM lectern.river_job WHERE state = 'available' AND queue = $1)`, []any{queue}, &found)
	return found, err
}

// CountDueJobs counts the jobs of a queue that run or could.
func CountDueJobs(ctx context.Context, x Session, queue string) (n int, err error) {
	err = x.One(ctx, `SELECT COUNT(*) FROM lectern.river_job WHERE queue = $1 AND state IN ('available', 'running')`, []any{queue}, &n)
	return n, err
}

// ForeignQueue describes what another program does in the job queue: an instance that leads it
// and is none of the syncers, and unfinished jobs of kinds that are not among kinds. It is ""
// when there is neither.
func ForeignQueue(ctx context.Context, x Session, kinds []string) (string, error) {
	var found []string
	err := x.Each(ctx, `SELECT leader_id, expires_at FROM lectern.river_leader WHERE leader_id NOT IN (SELECT id FROM lectern.lectern_syncers)`,
		nil, func(scan func(...any) error) error {
			var (
				leader string
				until  catalog.DBTime
			)
			err := scan(&leader, &until)
			if until.After(time.Now()) {
				found = append(found, leader+" leads it and is no syncer of this database")
			}
			return err
		})
	if err != nil {
		return "", err
	}
	waiting, err := WaitingJobs(ctx, x)
	for _, kind := range slices.Sorted(maps.Keys(waiting)) {
		if !slices.Contains(kinds, kind) {
			found = append(found, fmt.Sprintf("%d job(s) of the unknown kind %s wait in it", waiting[kind], kind))
		}
	}
	return strings.Join(found, "; "), err
}

// MoveJob moves a job that does not run to another queue.
func MoveJob(ctx context.Context, x Session, job int64, queue string) error {
	_, err := x.Exec(ctx, `UPDATE lectern.river_job SET queue = $2 WHERE id = $1 AND state <> 'running'`, job, queue)
	return err
}

// CountLate counts the ingests that were requested before a moment and that have not been
// archived yet, by the platform neither. Not among them are those of backfills, which wait behind all others, and
// those that have failed, which wait for people.
func CountLate(ctx context.Context, x Session, before time.Time) (n int, err error) {
	err = x.One(ctx, `SELECT COUNT(*) FROM lectern.lectern_ingests i WHERE i.verified_at IS NULL AND i.state NOT IN ('done', 'removed', 'failed') AND i.created_at < $1
		AND NOT EXISTS (SELECT 1 FROM lectern.river_job j WHERE j.kind = 'ingest' AND j.queue = 'backfill' AND CAST(j.args ->> 'ingest_id' AS text) = CAST(i.id AS text)
			AND j.state IN ('available', 'pending', 'retryable', 'running', 'scheduled'))`, []any{stamp(before)}, &n)
	return n, err
}
