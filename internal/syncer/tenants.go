package syncer

import (
	"context"
	"crypto/rand"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/zoom"
)

const (
	tenantPurpose = "tenant secrets"
	// tenantsFresh is how long the tenants are believed; an unknown one is looked for
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

// tenants knows them all: a webhook must not cost a query. Safe for concurrent use.
type tenants struct {
	store *catalog.Store
	key   []byte
	now   func() time.Time

	mu    sync.Mutex
	known map[string]tenant // replaced, never changed; guarded by mu
	asked time.Time         // guarded by mu
}

func newTenants(store *catalog.Store, key []byte, now func() time.Time) *tenants {
	return &tenants{store: store, key: key, now: now}
}

// find gives a tenant; ok is false when there is none of that id. An error means
// that nobody can say.
func (t *tenants) find(ctx context.Context, id string) (tenant, bool, error) {
	t.mu.Lock()
	known, asked := t.known, t.asked
	t.mu.Unlock()
	one, ok := known[id]
	if age := t.now().Sub(asked); known != nil && (ok && age < tenantsFresh || !ok && age < tenantsPause) {
		return one, ok, nil
	}
	fresh, err := t.load(ctx)
	if err != nil {
		if ok {
			return one, true, nil // better an old secret than no webhook
		}
		return tenant{}, false, err
	}
	t.mu.Lock()
	t.known, t.asked = fresh, t.now()
	t.mu.Unlock()
	one, ok = fresh[id]
	return one, ok, nil
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
	opener, err := newSeal(t.key)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		secrets, err := opener.open(row.SealedSecrets, tenantPurpose)
		if err != nil {
			continue // sealed with another key: this tenant is unknown until it is put again
		}
		out[row.ID] = tenant{row.TeacherID, row.AccountID, zoom.SplitSecrets(secrets)}
	}
	return out, nil
}

// PutTenant gives a teacher a webhook path of their own and returns its id; an
// existing one of that teacher gets the new secrets.
func (s *Syncer) PutTenant(ctx context.Context, teacher int64, account, secrets string) (string, error) {
	const op = "syncer: put a tenant"
	if s.deps.SecretsKey == nil {
		return "", media.Faultf(media.Invalid, op, "LECTERN_SECRETS_KEY is not set: make one with `openssl rand -base64 32`")
	}
	if len(zoom.SplitSecrets(secrets)) == 0 {
		return "", media.Faultf(media.Invalid, op, "the secret is empty")
	}
	closer, err := newSeal(s.deps.SecretsKey)
	if err != nil {
		return "", err
	}
	id := strings.ToLower(rand.Text())
	err = s.deps.Store.Update(ctx, op, func(x store.Session) error {
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
		created := s.now()
		for _, t := range all {
			if t.TeacherID == teacher {
				id, created = t.ID, t.CreatedAt
			}
		}
		return store.PutTenant(ctx, x, store.Tenant{ID: id, TeacherID: teacher, AccountID: account, SealedSecrets: closer.close(secrets, tenantPurpose), CreatedAt: created})
	})
	if err == nil {
		s.log.Info("a tenant was put", slog.Int64("teacher", teacher))
	}
	return id, err
}

// Tenants lists the tenants; their secrets stay sealed.
func (s *Syncer) Tenants(ctx context.Context) (out []store.Tenant, err error) {
	err = s.deps.Store.View(ctx, "syncer: tenants", func(x store.Session) (err error) {
		out, err = store.Tenants(ctx, x)
		return err
	})
	return out, err
}

// DropTenant ends a tenant's path.
func (s *Syncer) DropTenant(ctx context.Context, id string) error {
	return s.deps.Store.Update(ctx, "syncer: drop a tenant", func(x store.Session) error {
		ok, err := store.DropTenant(ctx, x, id)
		if err == nil && !ok {
			return media.Faultf(media.NotFound, "syncer: drop a tenant", "there is none of that id")
		}
		return err
	})
}
