package schema

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
)

// Layout says whose the catalog's tables are.
type Layout string

// The layouts. LayoutNone is a database that has not been migrated.
const (
	LayoutNone       Layout = ""
	LayoutStandalone Layout = "standalone"
	LayoutPlatform   Layout = "platform"
)

// Migration is one version of the schema.
type Migration struct {
	Version int64
	Name    string // the file's name without ending, as 0001_lectern
	Applied bool
	At      time.Time // when it was applied, zero when it is not or nobody knows
}

// String is the migration's name.
func (m Migration) String() string { return m.Name }

// Status compares a database with the versions this program knows.
type Status struct {
	Layout     Layout
	Migrations []Migration
	// Newer are versions in the database that this program does not know, in order: a
	// later Lectern has been here. Fits says whether this one can work with them.
	Newer []int64
	// CompatibleSince is the least version that a program must know to work on the last of
	// Newer; 0 when there is none.
	CompatibleSince int64
	// Known is the last version that this program knows.
	Known int64
}

// Pending are the versions that are not applied, in order.
func (s Status) Pending() []Migration {
	return slices.DeleteFunc(slices.Clone(s.Migrations), func(m Migration) bool { return m.Applied })
}

// String lists the layout and the versions, a line each.
func (s Status) String() string {
	var b strings.Builder
	if s.Layout == LayoutNone {
		b.WriteString("layout: none yet\n")
	} else {
		fmt.Fprintf(&b, "layout: %s\n", s.Layout)
	}
	for _, m := range s.Migrations {
		switch {
		case !m.Applied:
			fmt.Fprintf(&b, "pending  %s\n", m.Name)
		case m.At.IsZero():
			fmt.Fprintf(&b, "applied  %s\n", m.Name)
		default:
			fmt.Fprintf(&b, "applied  %s  %s\n", m.Name, m.At.Format(time.RFC3339))
		}
	}
	for i, v := range s.Newer {
		compatible := ""
		if i == len(s.Newer)-1 {
			compatible = fmt.Sprintf("; programs that know version %d can work with it", s.CompatibleSince)
		}
		fmt.Fprintf(&b, "unknown  %04d  (applied by a newer Lectern%s)\n", v, compatible)
	}
	return b.String()
}

// StatusOf reads what has been applied. It writes nothing.
func StatusOf(ctx context.Context, s *catalog.Store) (st Status, err error) {
	err = s.View(ctx, "schema: status", func(x catalog.Session) error {
		st, err = readStatus(ctx, x)
		return err
	})
	return st, err
}

func readStatus(ctx context.Context, x catalog.Session) (Status, error) {
	applied, err := appliedVersions(ctx, x)
	if err != nil {
		return Status{}, err
	}
	layout, err := layoutOf(ctx, x, applied)
	if err != nil {
		return Status{}, err
	}
	all, err := migrations(x.Dialect(), LayoutStandalone)
	if err != nil {
		return Status{}, err
	}
	since, err := compatibleSince(ctx, x)
	if err != nil {
		return Status{}, err
	}
	st := Status{Known: all[len(all)-1].Version}
	for _, m := range all {
		at, ok := applied[m.Version]
		delete(applied, m.Version)
		delete(since, m.Version)
		if ok || layout != LayoutPlatform || !strings.HasSuffix(m.Name+".sql", standaloneSuffix) {
			m.Applied, m.At = ok, at
			st.Migrations = append(st.Migrations, m)
		}
	}
	for version := range applied {
		if _, ok := since[version]; !ok {
			since[version] = version
		}
	}
	st.Newer = slices.Sorted(maps.Keys(since))
	if n := len(st.Newer); n > 0 {
		st.CompatibleSince = since[st.Newer[n-1]]
	}
	if len(st.Migrations) > 0 && len(st.Pending()) < len(st.Migrations) {
		st.Layout = layout
	}
	return st, nil
}

// appliedVersions reads goose's table; its zeroth row only says that it exists.
func appliedVersions(ctx context.Context, x catalog.Session) (map[int64]time.Time, error) {
	applied := map[int64]time.Time{}
	ok, err := x.HasTable(ctx, "lectern", versionTable)
	if err != nil || !ok {
		return applied, err
	}
	err = x.Each(ctx, `SELECT version_id, tstamp FROM lectern.`+versionTable+` WHERE version_id > 0 AND is_applied ORDER BY id`, nil,
		func(scan func(...any) error) error {
			var (
				version int64
				at      catalog.DBTime
			)
			err := scan(&version, &at)
			applied[version] = at.Time
			return err
		})
	return applied, err
}

// currentLayout is layoutOf the versions that are applied.
func currentLayout(ctx context.Context, x catalog.Session) (Layout, error) {
	applied, err := appliedVersions(ctx, x)
	if err != nil {
		return LayoutNone, err
	}
	return layoutOf(ctx, x, applied)
}

// layoutOf is the recorded layout, else what an `up` would choose: the platform's,
// when its tables are there and none of our versions has created them.
func layoutOf(ctx context.Context, x catalog.Session, applied map[int64]time.Time) (Layout, error) {
	if x.Dialect() == catalog.SQLite {
		return LayoutStandalone, nil
	}
	recorded, err := x.HasTable(ctx, "lectern", "lectern_layout")
	if err != nil {
		return LayoutNone, err
	}
	if recorded {
		var layout Layout
		err := x.One(ctx, `SELECT layout FROM lectern.lectern_layout WHERE id = 1`, nil, &layout)
		if !errors.Is(err, sql.ErrNoRows) {
			return layout, err
		}
	}
	all, err := migrations(x.Dialect(), LayoutStandalone)
	if err != nil {
		return LayoutNone, err
	}
	for _, m := range all {
		if _, ok := applied[m.Version]; ok && strings.HasSuffix(m.Name+".sql", standaloneSuffix) {
			return LayoutStandalone, nil
		}
	}
	there, err := x.HasTable(ctx, "public", "accounts_customuser")
	if err != nil || !there {
		return LayoutStandalone, err
	}
	return LayoutPlatform, nil
}
