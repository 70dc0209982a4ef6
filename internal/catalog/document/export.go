package document

import (
	"context"
	"database/sql"
	"io"

	"go.yaml.in/yaml/v3"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
)

const exportHeader = "# Lectern's catalog, as `gateway catalog apply` takes it. Keep it private: it may hold Zoom client secrets.\n"

// Export writes the whole catalog as the document that Apply takes, rows in
// order of their ids. Applied to an empty catalog it gives one whose export is
// the same, byte for byte. What it reads is one moment of the database.
func Export(ctx context.Context, s *catalog.Store, w io.Writer) error {
	const op = "document: export"
	doc, err := read(ctx, s, op)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(w, exportHeader); err != nil {
		return err
	}
	enc := yaml.NewEncoder(w)
	enc.SetIndent(2)
	if err := enc.Encode(doc); err != nil {
		return err
	}
	return enc.Close()
}

// read reads the whole catalog at one moment.
func read(ctx context.Context, s *catalog.Store, op string) (doc document, err error) {
	err = s.Snapshot(ctx, op, func(x catalog.Session) error {
		e := &exporter{x: x, people: map[int64]ref{}, groups: map[int64]ref{}}
		for _, part := range []func(context.Context, *document) error{e.exportPeople, e.exportGroups, e.exportLessons, e.exportRecordings} {
			if err := part(ctx, &doc); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return document{}, err
	}
	return doc, nil
}

// exporter reads one document. It calls people and groups by name where a name
// is enough, since that is how one would write it.
type exporter struct {
	x              catalog.Session
	people, groups map[int64]ref
}

func (e *exporter) each(ctx context.Context, query string, row func(scan func(...any) error) error) error {
	return e.x.Each(ctx, query, nil, row)
}

// given is a pointer to a value worth writing down, nil for the zero value,
// which a new row has anyway.
func given[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

func givenTime(s catalog.DBTime) *moment {
	if s.IsZero() {
		return nil
	}
	m := moment(s)
	return &m
}

// named fills in how each row is called: by its name, unless that is empty or
// another row's too.
func named(refs map[int64]ref, names map[int64]string) {
	count := map[string]int{}
	for _, name := range names {
		count[name]++
	}
	for id, name := range names {
		refs[id] = ref{ID: id}
		if name != "" && count[name] == 1 {
			refs[id] = ref{Name: name}
		}
	}
}

// called is the reference to a row, nil for none.
func called(refs map[int64]ref, id sql.NullInt64) *ref {
	if !id.Valid {
		return nil
	}
	if r, ok := refs[id.Int64]; ok {
		return &r
	}
	return &ref{ID: id.Int64}
}

func (e *exporter) exportPeople(ctx context.Context, doc *document) error {
	names := map[int64]string{}
	err := e.each(ctx, `SELECT id, email, role, is_active, first_name, last_name, middle_name,
			zoom_account_id, zoom_client_id, zoom_client_secret, zoom_user_id, gdrive_folder_id
		FROM public.accounts_customuser ORDER BY id`, func(scan func(...any) error) error {
		var (
			p                                         personDoc
			email, role, first, last, middle          string
			account, client, secret, zoomUser, folder string
			active                                    bool
		)
		err := scan(&p.ID, &email, &role, &active, &first, &last, &middle, &account, &client, &secret, &zoomUser, &folder)
		names[p.ID] = email
		p.Email, p.Role, p.Active = &email, &role, &active
		p.FirstName, p.LastName, p.MiddleName = given(first), given(last), given(middle)
		p.ZoomAccountID, p.ZoomClientID, p.ZoomClientSecret = given(account), given(client), given(secret)
		p.ZoomUserID, p.DriveFolder = given(zoomUser), given(folder)
		doc.People = append(doc.People, p)
		return err
	})
	named(e.people, names)
	return err
}

func (e *exporter) exportGroups(ctx context.Context, doc *document) error {
	names := map[int64]string{}
	students, err := e.members(ctx, linkStudents, e.people)
	if err != nil {
		return err
	}
	err = e.each(ctx, `SELECT id, name, teacher_id, description FROM public.schedule_group ORDER BY id`, func(scan func(...any) error) error {
		var (
			g                 groupDoc
			name, description string
			teacher           sql.NullInt64
		)
		err := scan(&g.ID, &name, &teacher, &description)
		names[g.ID] = name
		list := students[g.ID]
		g.Name, g.Teacher, g.Description, g.Students = &name, called(e.people, teacher), given(description), &list
		doc.Groups = append(doc.Groups, g)
		return err
	})
	named(e.groups, names)
	return err
}

// members reads a many-to-many table: who belongs to each owner, in order of id.
func (e *exporter) members(ctx context.Context, l link, refs map[int64]ref) (map[int64][]ref, error) {
	out := map[int64][]ref{}
	err := e.each(ctx, `SELECT `+l.owner+`, `+l.member+` FROM public.`+l.table+` ORDER BY 1, 2`, func(scan func(...any) error) error {
		var owner, member sql.NullInt64
		err := scan(&owner, &member)
		if r := called(refs, member); r != nil {
			out[owner.Int64] = append(out[owner.Int64], *r)
		}
		return err
	})
	return out, err
}

func (e *exporter) exportLessons(ctx context.Context, doc *document) error {
	return e.each(ctx, `SELECT id, title, group_id, teacher_id, start_time, end_time, ended_at, zoom_meeting_id,
			record_lesson, recording_available_for_days, is_quick_lesson, notes
		FROM public.schedule_lesson ORDER BY id`, func(scan func(...any) error) error {
		var (
			l                 lessonDoc
			title, notes      string
			group, teacher    sql.NullInt64
			start, end, ended catalog.DBTime
			meeting           sql.NullString
			record, quick     bool
			days              int64
		)
		err := scan(&l.ID, &title, &group, &teacher, &start, &end, &ended, &meeting, &record, &days, &quick, &notes)
		l.Title, l.Group, l.Teacher = &title, called(e.groups, group), called(e.people, teacher)
		l.Start, l.End, l.Ended = givenTime(start), givenTime(end), givenTime(ended)
		l.ZoomMeetingID, l.Record, l.AvailableDays = given(text(meeting.String)), &record, &days
		l.Quick, l.Notes = given(quick), given(notes)
		doc.Lessons = append(doc.Lessons, l)
		return err
	})
}

func (e *exporter) exportRecordings(ctx context.Context, doc *document) error {
	groups, err := e.members(ctx, linkAllowedGroups, e.groups)
	if err != nil {
		return err
	}
	students, err := e.members(ctx, linkAllowedStudents, e.people)
	if err != nil {
		return err
	}
	return e.each(ctx, `SELECT id, lesson_id, teacher_id, title, status, visibility, storage_provider, gdrive_file_id, archive_key,
			gdrive_folder_id, file_size, duration, recording_start, recording_end, available_until, recording_type,
			zoom_recording_id, play_url, download_url, thumbnail_url, archive_url, views_count,
			is_deleted, deleted_at, deleted_by_id, deletion_reason, created_at
		FROM public.schedule_lessonrecording ORDER BY id`, func(scan func(...any) error) error {
		var (
			r                                                  recordingDoc
			lesson, teacher, deletedBy, size, length           sql.NullInt64
			title, status, visibility                          string
			provider, file, key, folder, kind                  string
			zoomID, play, download, thumbnail, archive, reason string
			start, end, until, deletedAt, created              catalog.DBTime
			views                                              int64
			deleted                                            bool
		)
		err := scan(&r.ID, &lesson, &teacher, &title, &status, &visibility, &provider, &file, &key,
			&folder, &size, &length, &start, &end, &until, &kind,
			&zoomID, &play, &download, &thumbnail, &archive, &views,
			&deleted, &deletedAt, &deletedBy, &reason, &created)
		if lesson.Valid {
			r.Lesson = &ref{ID: lesson.Int64}
		}
		r.Teacher, r.Title, r.Status, r.Visibility = called(e.people, teacher), &title, &status, &visibility
		where := text(media.StoredAt(provider, file, key).Key)
		r.Provider, r.Key, r.DriveFolder = &provider, &where, given(folder)
		if size.Valid {
			r.Size = (*byteCount)(&size.Int64)
		}
		if length.Valid {
			r.Duration = (*seconds)(&length.Int64)
		}
		r.Start, r.End, r.AvailableUntil, r.Created = givenTime(start), givenTime(end), givenTime(until), givenTime(created)
		allowedGroups, allowedStudents := groups[r.ID], students[r.ID]
		r.AllowedGroups, r.AllowedStudents = &allowedGroups, &allowedStudents
		r.Type, r.ZoomRecordingID = &kind, given(text(zoomID))
		r.PlayURL, r.DownloadURL, r.ThumbnailURL, r.ArchiveURL = given(play), given(download), given(thumbnail), given(archive)
		r.Views, r.Deleted, r.DeletedAt = given(views), given(deleted), givenTime(deletedAt)
		r.DeletedBy, r.DeletionReason = called(e.people, deletedBy), given(reason)
		doc.Recordings = append(doc.Recordings, r)
		return err
	})
}
