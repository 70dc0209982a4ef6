package document

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/catalog/schema"
	"github.com/lectiospace/lectern/internal/media"
)

// Change is one thing Apply did, or in a dry run would do.
type Change struct {
	Action  string // "add" or "change"
	Kind    string // "person", "group", "lesson", "recording"
	Name    string // how a reader knows it, with its id
	Details []string
}

// String is the change as one line.
func (c Change) String() string {
	line := c.Action + " " + c.Kind + " " + c.Name
	if len(c.Details) > 0 {
		line += ": " + strings.Join(c.Details, ", ")
	}
	return line
}

// Apply brings a standalone catalog to what a YAML document says: rows are added
// or changed, never removed, and what the document does not mention stays. All
// of it happens, or on an error nothing; in a dry run nothing does, and the
// changes are those that would have happened. A document applied again changes
// nothing.
//
// Kind Invalid is a document that cannot be, with the place named, or a catalog
// that is the platform's and not to be written this way.
func Apply(ctx context.Context, s *catalog.Store, doc io.Reader, dryRun bool) ([]Change, error) {
	const op = "document: apply"
	wanted, err := readDocument(doc)
	if err != nil {
		return nil, err
	}
	st, err := schema.StatusOf(ctx, s)
	if err != nil {
		return nil, err
	}
	if st.Layout == schema.LayoutPlatform {
		return nil, media.Faultf(media.Invalid, op, "the people, lessons and recordings here are the platform's: change them there")
	}
	var changes []Change
	err = s.Update(ctx, op, func(x catalog.Session) error {
		a := &applier{rows: newRows(x), seen: map[string]string{}}
		if err := a.all(ctx, wanted); err != nil {
			return err
		}
		changes = a.changes
		if dryRun {
			return catalog.ErrDryRun
		}
		return a.finish(ctx)
	})
	if err != nil {
		return nil, err
	}
	return changes, nil
}

// applier is one run of Apply.
type applier struct {
	*rows
	changes []Change
	// seen remembers which entry of the document spoke of a row: two that speak of
	// one would undo each other at every run.
	seen map[string]string
}

// wrong is an error about a place in the document.
func wrong(place, format string, args ...any) error {
	return media.Faultf(media.Invalid, "document: apply", "%s: %s", place, fmt.Sprintf(format, args...))
}

// all goes in the order of references: an entry may name anything before it.
func (a *applier) all(ctx context.Context, doc document) error {
	for i, p := range doc.People {
		if err := a.person(ctx, fmt.Sprintf("people[%d]", i), p); err != nil {
			return err
		}
	}
	for i, g := range doc.Groups {
		if err := a.group(ctx, fmt.Sprintf("groups[%d]", i), g); err != nil {
			return err
		}
	}
	for i, l := range doc.Lessons {
		if err := a.lesson(ctx, fmt.Sprintf("lessons[%d]", i), l); err != nil {
			return err
		}
	}
	for i, r := range doc.Recordings {
		if err := a.recording(ctx, fmt.Sprintf("recordings[%d]", i), r); err != nil {
			return err
		}
	}
	return nil
}

// entry is what put needs to know of one entry of the document.
type entry struct {
	place, kind, table string
	name               string
	id                 int64 // of the document; 0 = not given
	found              int64 // the row it speaks of; 0 = a new one
	cells              []cell
}

// put inserts or updates the row of an entry and notes the change. The returned
// note is still open for details: the lists that belong to the row.
func (a *applier) put(ctx context.Context, e entry) (id int64, note *Change, err error) {
	note = &Change{Action: "change", Kind: e.kind}
	if id = e.found; id == 0 {
		note.Action = "add"
		if id, err = a.insert(ctx, e.table, e.id, e.cells); err != nil {
			return 0, nil, refused(e.place, err)
		}
	} else if note.Details, err = a.update(ctx, e.table, id, e.cells); err != nil {
		return 0, nil, refused(e.place, err)
	}
	key := fmt.Sprintf("%s/%d", e.table, id)
	if before, ok := a.seen[key]; ok {
		return 0, nil, wrong(e.place, "the same %s as %s", e.kind, before)
	}
	a.seen[key] = e.place
	note.Name = fmt.Sprintf("%d %q", id, e.name)
	return id, note, nil
}

// close notes a change that was one.
func (a *applier) close(note *Change) {
	if note.Action == "add" || len(note.Details) > 0 {
		a.changes = append(a.changes, *note)
	}
}

// refused names the place of an error that the database's own guards gave.
func refused(place string, err error) error {
	if kind := media.KindOf(catalog.WrapError(context.Background(), "document: apply", err)); kind != media.Other || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return media.Faultf(media.Invalid, "document: apply", "%s: %w", place, err)
}

// list makes the members of a list those the document names.
func (a *applier) list(ctx context.Context, note *Change, name string, l link, owner int64, want []int64) error {
	added, removed, err := a.relink(ctx, l, owner, want)
	if err != nil {
		return err
	}
	// A new row's lists are part of what is new.
	if note.Action == "change" {
		for _, id := range added {
			note.Details = append(note.Details, fmt.Sprintf("%s + %d", name, id))
		}
		for _, id := range removed {
			note.Details = append(note.Details, fmt.Sprintf("%s − %d", name, id))
		}
	}
	return nil
}

// byID is the row an entry with an id speaks of, 0 when it will be a new one.
func (a *applier) byID(ctx context.Context, place, table string, id int64) (int64, error) {
	if id < 0 {
		return 0, wrong(place+".id", "%d is not an id", id)
	}
	there, err := a.exists(ctx, table, id)
	if err != nil || !there {
		return 0, err
	}
	return id, nil
}

// word checks a value of a closed vocabulary.
func word(place, key string, value *string, allowed ...string) error {
	if value == nil || slices.Contains(allowed, *value) {
		return nil
	}
	return wrong(place+"."+key, "%q is not one of %s", *value, strings.Join(allowed, ", "))
}

// resolve finds the row a reference names. query finds ids by name.
func (a *applier) resolve(ctx context.Context, place, kind, table, query string, r ref) (int64, error) {
	if r.ID != 0 {
		there, err := a.exists(ctx, table, r.ID)
		if err == nil && !there {
			err = wrong(place, "no %s %s", kind, r)
		}
		return r.ID, err
	}
	found, err := a.ids(ctx, query, r.Name)
	switch {
	case err != nil:
		return 0, err
	case len(found) == 0:
		return 0, wrong(place, "no %s %s", kind, r)
	case len(found) > 1:
		return 0, wrong(place, "%d %ss are called %s: give the id (%d, …)", len(found), kind, r, found[0])
	}
	return found[0], nil
}

const (
	personByEmail = `SELECT id FROM public.accounts_customuser WHERE lower(email) = lower($1) AND email <> '' ORDER BY id`
	groupByName   = `SELECT id FROM public.schedule_group WHERE name = $1 ORDER BY id`
	lessonByTitle = `SELECT id FROM public.schedule_lesson WHERE title = $1 ORDER BY id`
)

func (a *applier) personRef(ctx context.Context, place string, r ref) (int64, error) {
	return a.resolve(ctx, place, "person", "accounts_customuser", personByEmail, r)
}

func (a *applier) groupRef(ctx context.Context, place string, r ref) (int64, error) {
	return a.resolve(ctx, place, "group", "schedule_group", groupByName, r)
}

func (a *applier) lessonRef(ctx context.Context, place string, r ref) (int64, error) {
	return a.resolve(ctx, place, "lesson", "schedule_lesson", lessonByTitle, r)
}

// refs resolves a list.
func refs(ctx context.Context, place string, list []ref, one func(context.Context, string, ref) (int64, error)) ([]int64, error) {
	var out []int64
	for i, r := range list {
		id, err := one(ctx, fmt.Sprintf("%s[%d]", place, i), r)
		if err != nil {
			return nil, err
		}
		out = append(out, id)
	}
	return out, nil
}
