package intake

import (
	"context"
	"crypto/rand"
	"log/slog"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/secretbox"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/zoom"
)

const (
	tenantPurpose = "tenant secrets"
	// tenantsFresh is how long loaded tenants are used; an unknown one makes them be loaded
	// again at once, but not more often than tenantsPause.
	tenantsFresh = 30 * time.Second
	tenantsPause = time.Second
)

// tenant is a Zoom app with a secret token of its own, opened.
type tenant struct {
	teacher int64
	account string
	secrets zoom.Secrets
}

// tenants holds all tenants in memory: a webhook must not cost a query. Safe for
// concurrent use.
type tenants struct {
	store *catalog.Store
	key   []byte
	now   func() time.Time

	loads singleflight.Group // one load at a time, however many unknown ids are tried

	mu     sync.Mutex
	known  map[string]tenant // replaced, never changed; guarded by mu
	loaded time.Time         // guarded by mu
}

func newTenants(store *catalog.Store, key []byte, now func() time.Time) *tenants {
	return &tenants{store: store, key: key, now: now}
}

// lookup finds a tenant; ok is false when there is none of that id. An error means that
// the database is needed and away.
func (t *tenants) lookup(ctx context.Context, id string) (tenant, bool, error) {
	t.mu.Lock()
	known, loaded := t.known, t.loaded
	t.mu.Unlock()
	one, ok := known[id]
	if age := t.now().Sub(loaded); known != nil && (ok && age < tenantsFresh || !ok && age < tenantsPause) {
		return one, ok, nil
	}
	fresh, err := t.loadOnce(ctx)
	if err != nil {
		if ok {
			return one, true, nil // better an old secret than no webhook
		}
		return tenant{}, false, err
	}
	one, ok = fresh[id]
	return one, ok, nil
}

// loadOnce loads the tenants, or waits for the load that runs. It does not end with the
// request that began it: others wait for it.
func (t *tenants) loadOnce(ctx context.Context) (map[string]tenant, error) {
	loaded := t.loads.DoChan("", func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeWithin)
		defer cancel()
		fresh, err := t.load(ctx)
		if err == nil {
			t.mu.Lock()
			t.known, t.loaded = fresh, t.now()
			t.mu.Unlock()
		}
		return fresh, err
	})
	select {
	case l := <-loaded:
		fresh, _ := l.Val.(map[string]tenant)
		return fresh, l.Err
	case <-ctx.Done():
		return nil, media.Fault(media.Timeout, "syncer: tenants", ctx.Err())
	}
}

func (t *tenants) load(ctx context.Context) (map[string]tenant, error) {
	var rows []store.Tenant
	err := t.store.View(ctx, "syncer: tenants", func(x store.Session) (err error) {
		rows, err = store.Tenants(ctx, x)
		return err
	})
	if err != nil {
		return nil, err
	}
	out := map[string]tenant{}
	if len(rows) == 0 {
		return out, nil
	}
	if t.key == nil {
		return nil, media.Faultf(media.Invalid, "syncer: tenants", "there are tenants and LECTERN_SECRETS_KEY is not set")
	}
	opener, err := secretbox.New(t.key)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		secrets, err := opener.Open(row.SealedSecrets, tenantPurpose)
		if err != nil {
			continue // sealed with another key: this tenant is unknown until it is put again
		}
		out[row.ID] = tenant{row.TeacherID, row.AccountID, zoom.SplitSecrets(secrets)}
	}
	return out, nil
}

// PutTenant gives a teacher a webhook path of their own and returns its id; an
// existing one of that teacher gets the new secrets.
func (in *Intake) PutTenant(ctx context.Context, teacher int64, account, secrets string) (string, error) {
	const op = "syncer: put a tenant"
	if in.deps.SecretsKey == nil {
		return "", media.Faultf(media.Invalid, op, "LECTERN_SECRETS_KEY is not set: make one with `openssl rand -base64 32`")
	}
	if len(zoom.SplitSecrets(secrets)) == 0 {
		return "", media.Faultf(media.Invalid, op, "the secret is empty")
	}
	box, err := secretbox.New(in.deps.SecretsKey)
	if err != nil {
		return "", err
	}
	id := strings.ToLower(rand.Text())
	err = in.deps.Store.Update(ctx, op, func(x store.Session) error {
		if _, err := store.LoadTeacher(ctx, x, teacher); err != nil {
			if catalog.IsNotFound(err) {
				return media.Faultf(media.NotFound, op, "there is no user %d", teacher)
			}
			return err
		}
		all, err := store.Tenants(ctx, x)
		if err != nil {
			return err
		}
		created := in.now()
		for _, t := range all {
			if t.TeacherID == teacher {
				id, created = t.ID, t.CreatedAt
			}
		}
		return store.PutTenant(ctx, x, store.Tenant{ID: id, TeacherID: teacher, AccountID: account, SealedSecrets: box.Seal(secrets, tenantPurpose), CreatedAt: created})
	})
	if err == nil {
		in.log.Info("tenant: stored", slog.Int64("teacher", teacher))
	}
	return id, err
}

// Tenants lists the tenants; their secrets stay sealed.
func (in *Intake) Tenants(ctx context.Context) (out []store.Tenant, err error) {
	err = in.deps.Store.View(ctx, "syncer: tenants", func(x store.Session) (err error) {
		out, err = store.Tenants(ctx, x)
		return err
	})
	return out, err
}

// DropTenant removes a tenant and its path. media.NotFound: there is none of that id.
func (in *Intake) DropTenant(ctx context.Context, id string) error {
	return in.deps.Store.Update(ctx, "syncer: drop a tenant", func(x store.Session) error {
		ok, err := store.DropTenant(ctx, x, id)
		if err == nil && !ok {
			return media.Faultf(media.NotFound, "syncer: drop a tenant", "there is none of that id")
		}
		return err
	})
}
