package library

import (
	"context"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
)

// Account is a teacher's quota of stored bytes.
type Account struct {
	ID            int64
	Teacher       catalog.Person
	Total, Used   int64
	Recordings    int64
	PurchasedGB   int64
	Warned        bool
	Exceeded      bool
	LastWarningAt time.Time // zero: never
	CreatedAt     time.Time
	UpdatedAt     time.Time
}

// QuotaFilter narrows the list of quotas down; nil and "" do not.
type QuotaFilter struct {
	Search   string // in the teacher's name or address
	Exceeded *bool
	Warned   *bool
	// Sort is a column of QuotaSorts; a leading "-" turns it round.
	Sort string
	Window
}

// QuotaListing is one page of quotas.
type QuotaListing struct {
	Accounts []Account
	Total    int64
}

// Storage is what all quotas come to.
type Storage struct {
	Teachers, Total, Used      int64
	Exceeded, Warned, Recorded int64
	Top                        []Account // by used bytes
}

// quotaShown is a quota q with its teacher t.
const quotaShown = `q.id, q.total_quota_bytes, q.used_bytes, q.recordings_count, q.purchased_gb, q.warning_sent, q.quota_exceeded, q.last_warning_at, q.created_at, q.updated_at,
	t.id, t.first_name, t.last_name, t.middle_name, t.email
	FROM public.schedule_teacherstoragequota q JOIN public.accounts_customuser t ON t.id = q.teacher_id`

func scanAccount(scan func(...any) error, first ...any) (Account, error) {
	var (
		a                        Account
		warned, created, updated catalog.DBTime
	)
	err := scan(append(first, &a.ID, &a.Total, &a.Used, &a.Recordings, &a.PurchasedGB, &a.Warned, &a.Exceeded, &warned, &created, &updated,
		&a.Teacher.ID, &a.Teacher.First, &a.Teacher.Last, &a.Teacher.Middle, &a.Teacher.Email)...)
	a.LastWarningAt, a.CreatedAt, a.UpdatedAt = warned.Time, created.Time, updated.Time
	return a, err
}

// quotaOrders are the orders that a list of quotas may have; most used first
// otherwise. Quotas alike come newest first.
var quotaOrders = map[string]string{
	"used_bytes":         "q.used_bytes, q.id DESC",
	"-used_bytes":        "q.used_bytes DESC, q.id DESC",
	"total_quota_bytes":  "q.total_quota_bytes, q.id DESC",
	"-total_quota_bytes": "q.total_quota_bytes DESC, q.id DESC",
	"usage_percent":      "CASE WHEN q.total_quota_bytes > 0 THEN q.used_bytes * 1.0 / q.total_quota_bytes ELSE 1 END, q.id DESC",
}

// Quotas is a page of the teachers' quotas.
func (l *Reader) Quotas(ctx context.Context, f QuotaFilter) (QuotaListing, error) {
	q := &query{d: l.store.Dialect()}
	where := " WHERE TRUE"
	if f.Search != "" {
		operator, pattern := containing(q.d, f.Search)
		like := " " + operator + " " + q.arg(pattern)
		where += " AND (t.email" + like + " OR t.first_name" + like + " OR t.last_name" + like + ")"
	}
	if f.Exceeded != nil {
		where += " AND q.quota_exceeded = " + q.arg(*f.Exceeded)
	}
	if f.Warned != nil {
		where += " AND q.warning_sent = " + q.arg(*f.Warned)
	}
	order, ok := quotaOrders[f.Sort]
	if !ok {
		order = quotaOrders["-used_bytes"]
	}
	q.text = "SELECT count(*) OVER (), " + quotaShown + where + " ORDER BY " + order
	if f.Limit > 0 {
		q.text += " LIMIT " + q.arg(f.Limit) + " OFFSET " + q.arg(f.Offset)
	}
	var out QuotaListing
	err := l.rows(ctx, "library: quotas", q, func(scan func(...any) error) error {
		a, err := scanAccount(scan, &out.Total)
		out.Accounts = append(out.Accounts, a)
		return err
	})
	return out, err
}

// Quota is one quota. Kind NotFound: there is no such.
func (l *Reader) Quota(ctx context.Context, id int64) (Account, error) {
	const op = "library: a quota"
	var found []Account
	err := l.store.Rows(ctx, op, listTimeout, "SELECT "+quotaShown+" WHERE q.id = $1", []any{id}, func(scan func(...any) error) error {
		a, err := scanAccount(scan)
		found = append(found, a)
		return err
	})
	switch {
	case err != nil:
		return Account{}, err
	case len(found) == 0:
		return Account{}, media.Fault(media.NotFound, op, nil)
	}
	return found[0], nil
}

// Storage is what all quotas come to, with those who use most.
func (l *Reader) Storage(ctx context.Context, top int64) (Storage, error) {
	var out Storage
	err := l.store.Row(ctx, "library: storage", `SELECT count(*), CAST(COALESCE(sum(total_quota_bytes), 0) AS bigint), CAST(COALESCE(sum(used_bytes), 0) AS bigint),
		COALESCE(sum(CASE WHEN quota_exceeded THEN 1 ELSE 0 END), 0), COALESCE(sum(CASE WHEN warning_sent THEN 1 ELSE 0 END), 0), COALESCE(sum(recordings_count), 0)
		FROM public.schedule_teacherstoragequota`, nil, &out.Teachers, &out.Total, &out.Used, &out.Exceeded, &out.Warned, &out.Recorded)
	if err != nil {
		return out, err
	}
	list, err := l.Quotas(ctx, QuotaFilter{Window: Window{Limit: top}})
	out.Top = list.Accounts
	return out, err
}
