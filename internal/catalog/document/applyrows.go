package document

import (
	"context"
	"database/sql"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
)

// cells collects the columns a document mentions.
type cells []cell

func (c *cells) text(name, column string, v *string) {
	if v != nil {
		*c = append(*c, cell{name: name, column: column, value: *v})
	}
}

func (c *cells) flag(name, column string, v *bool) {
	if v != nil {
		*c = append(*c, cell{name: name, column: column, value: *v})
	}
}

func (c *cells) number(name, column string, v *int64) {
	if v != nil {
		*c = append(*c, cell{name: name, column: column, value: *v})
	}
}

func (c *cells) time(name, column string, v *moment) {
	if v != nil {
		*c = append(*c, cell{name: name, column: column, value: catalog.DBTime(*v)})
	}
}

// id adds a reference that was resolved; NULL for 0.
func (c *cells) id(name, column string, id int64) {
	*c = append(*c, cell{name: name, column: column, value: optionalID(id)})
}

// or is the text, or another when the document does not mention it.
func or[T ~string](v *T, otherwise string) string {
	if v == nil {
		return otherwise
	}
	return string(*v)
}

func (a *applier) person(ctx context.Context, place string, p personDoc) (err error) {
	if err := word(place, "role", p.Role, string(media.RoleStudent), string(media.RoleTeacher), string(media.RoleAdmin)); err != nil {
		return err
	}
	e := entry{place: place, kind: "person", table: "accounts_customuser", id: p.ID, name: or(p.Email, "")}
	switch {
	case p.ID != 0:
		e.found, err = a.byID(ctx, place, e.table, p.ID)
	case e.name == "":
		return wrong(place, "give an email or an id")
	default:
		e.found, err = a.first(ctx, personByEmail, e.name)
	}
	if err != nil {
		return err
	}
	var c cells
	c.text("email", "email", p.Email)
	c.text("role", "role", p.Role)
	c.flag("active", "is_active", p.Active)
	c.text("first_name", "first_name", p.FirstName)
	c.text("last_name", "last_name", p.LastName)
	c.text("middle_name", "middle_name", p.MiddleName)
	c.text("zoom_account_id", "zoom_account_id", p.ZoomAccountID)
	c.text("zoom_client_id", "zoom_client_id", p.ZoomClientID)
	c.text("zoom_user_id", "zoom_user_id", p.ZoomUserID)
	c.text("gdrive_folder_id", "gdrive_folder_id", p.DriveFolder)
	if p.ZoomClientSecret != nil {
		c = append(c, cell{name: "zoom_client_secret", column: "zoom_client_secret", value: *p.ZoomClientSecret, secret: true})
	}
	if e.cells = c; e.found == 0 && len(c) == 0 {
		return wrong(place, "a new person needs an email")
	}
	_, note, err := a.put(ctx, e)
	if err == nil {
		a.close(note)
	}
	return err
}

// first is the first id a query finds, 0 for none.
func (a *applier) first(ctx context.Context, query string, args ...any) (int64, error) {
	found, err := a.ids(ctx, query, args...)
	if err != nil || len(found) == 0 {
		return 0, err
	}
	return found[0], nil
}

func (a *applier) group(ctx context.Context, place string, g groupDoc) (err error) {
	e := entry{place: place, kind: "group", table: "schedule_group", id: g.ID, name: or(g.Name, "")}
	var (
		c       cells
		teacher int64
	)
	if g.Teacher != nil {
		if teacher, err = a.personRef(ctx, place+".teacher", *g.Teacher); err != nil {
			return err
		}
		c = append(c, cell{name: "teacher", column: "teacher_id", value: teacher})
	}
	if e.found, err = a.findGroup(ctx, place, g, teacher); err != nil {
		return err
	}
	if e.found == 0 && (g.Teacher == nil || e.name == "") {
		return wrong(place, "a new group needs a name and a teacher")
	}
	c.text("name", "name", g.Name)
	c.text("description", "description", g.Description)
	e.cells = c
	id, note, err := a.put(ctx, e)
	if err != nil {
		return err
	}
	if g.Students != nil {
		students, err := refs(ctx, place+".students", *g.Students, a.personRef)
		if err != nil {
			return err
		}
		if err := a.list(ctx, note, "students", linkStudents, id, students); err != nil {
			return err
		}
	}
	a.close(note)
	return nil
}

// findGroup finds by id, else by name; where several teachers have a group of
// that name, the teacher decides.
func (a *applier) findGroup(ctx context.Context, place string, g groupDoc, teacher int64) (int64, error) {
	if g.ID != 0 {
		return a.byID(ctx, place, "schedule_group", g.ID)
	}
	if or(g.Name, "") == "" {
		return 0, wrong(place, "give a name or an id")
	}
	found, err := a.ids(ctx, groupByName, *g.Name)
	if err != nil || len(found) == 0 {
		return 0, err
	}
	if len(found) == 1 {
		return found[0], nil
	}
	found, err = a.ids(ctx, `SELECT id FROM public.schedule_group WHERE name = $1 AND teacher_id = $2 ORDER BY id`, *g.Name, teacher)
	if err == nil && len(found) != 1 {
		err = wrong(place, "several groups are called %q: give the id", *g.Name)
	}
	if err != nil {
		return 0, err
	}
	return found[0], nil
}

func (a *applier) lesson(ctx context.Context, place string, l lessonDoc) (err error) {
	if l.Start != nil && l.End != nil && l.End.Before(l.Start.Time) {
		return wrong(place+".end", "the lesson ends before it starts")
	}
	e := entry{place: place, kind: "lesson", table: "schedule_lesson", id: l.ID, name: or(l.Title, "")}
	var (
		c              cells
		group, teacher int64
	)
	if l.Group != nil {
		if group, err = a.groupRef(ctx, place+".group", *l.Group); err != nil {
			return err
		}
		c = append(c, cell{name: "group", column: "group_id", value: group})
	}
	switch {
	case l.ID != 0:
		e.found, err = a.byID(ctx, place, e.table, l.ID)
	case group == 0 || l.Start == nil:
		return wrong(place, "give a group and a start, or an id")
	default:
		e.found, err = a.lessonAt(ctx, group, e.name, catalog.DBTime(*l.Start))
	}
	if err != nil {
		return err
	}
	if e.found == 0 && (group == 0 || l.Start == nil || l.End == nil || l.Start.IsZero() || l.End.IsZero()) {
		return wrong(place, "a new lesson needs a group, a start and an end")
	}
	switch {
	case l.Teacher != nil:
		teacher, err = a.personRef(ctx, place+".teacher", *l.Teacher)
	case e.found == 0:
		teacher, err = a.first(ctx, `SELECT teacher_id FROM public.schedule_group WHERE id = $1`, group)
	}
	if err != nil {
		return err
	}
	if teacher != 0 {
		c = append(c, cell{name: "teacher", column: "teacher_id", value: teacher})
	}
	c.text("title", "title", l.Title)
	c.time("start", "start_time", l.Start)
	c.time("end", "end_time", l.End)
	c.time("ended", "ended_at", l.Ended)
	if l.ZoomMeetingID != nil {
		c = append(c, cell{name: "zoom_meeting_id", column: "zoom_meeting_id", value: optionalText(string(*l.ZoomMeetingID))})
	}
	c.flag("record", "record_lesson", l.Record)
	c.number("available_days", "recording_available_for_days", l.AvailableDays)
	c.flag("quick", "is_quick_lesson", l.Quick)
	c.text("notes", "notes", l.Notes)
	e.cells = c
	_, note, err := a.put(ctx, e)
	if err == nil {
		a.close(note)
	}
	return err
}

// lessonAt finds a group's lesson by title and start. Starts are compared as
// moments, not as text: SQLite's may be written in several ways.
func (a *applier) lessonAt(ctx context.Context, group int64, title string, start catalog.DBTime) (id int64, err error) {
	err = a.x.Each(ctx, `SELECT id, start_time FROM public.schedule_lesson WHERE group_id = $1 AND title = $2 ORDER BY id DESC`,
		[]any{group, title}, func(scan func(...any) error) error {
			var (
				row int64
				at  catalog.DBTime
			)
			err := scan(&row, &at)
			if at.Equal(start.Time) {
				id = row
			}
			return err
		})
	return id, err
}

func (a *applier) recording(ctx context.Context, place string, r recordingDoc) (err error) {
	if err := recordingWords(place, r); err != nil {
		return err
	}
	e := entry{place: place, kind: "recording", table: "schedule_lessonrecording", id: r.ID, name: or(r.Title, "")}
	var (
		c                          cells
		lesson, teacher, deletedBy int64
	)
	for _, to := range []struct {
		key, column string
		ref         *ref
		find        func(context.Context, string, ref) (int64, error)
		id          *int64
	}{
		{"lesson", "lesson_id", r.Lesson, a.lessonRef, &lesson},
		{"teacher", "teacher_id", r.Teacher, a.personRef, &teacher},
		{"deleted_by", "deleted_by_id", r.DeletedBy, a.personRef, &deletedBy},
	} {
		if to.ref == nil {
			continue
		}
		if *to.id, err = to.find(ctx, place+"."+to.key, *to.ref); err != nil {
			return err
		}
		c.id(to.key, to.column, *to.id)
	}
	if e.found, err = a.findRecording(ctx, place, r, lesson, teacher); err != nil {
		return err
	}
	if err := a.recordingLocation(ctx, e.found, r, &c); err != nil {
		return err
	}
	recordingCells(r, &c)
	e.cells = c
	id, note, err := a.put(ctx, e)
	if err != nil {
		return err
	}
	if err := a.recordingLists(ctx, place, r, note, id, lesson); err != nil {
		return err
	}
	a.close(note)
	return nil
}

func recordingWords(place string, r recordingDoc) error {
	if err := word(place, "status", r.Status, string(media.StatusProcessing), string(media.StatusReady),
		string(media.StatusArchived), string(media.StatusFailed), string(media.StatusDeleted)); err != nil {
		return err
	}
	if err := word(place, "visibility", r.Visibility, string(media.VisibleLessonGroup), string(media.VisibleAllGroups),
		string(media.VisibleCustomGroups), string(media.VisibleCustomStudents)); err != nil {
		return err
	}
	return word(place, "provider", r.Provider, media.ProviderDrive, media.ProviderS3, media.ProviderAzure,
		media.ProviderLocal, media.ProviderZoom)
}

// findRecording finds by id, else among the recordings of the same lesson (or,
// without a lesson, of the same teacher) that are not deleted: by Zoom's file
// where it is named, else by title, and by key among several of one title.
func (a *applier) findRecording(ctx context.Context, place string, r recordingDoc, lesson, teacher int64) (int64, error) {
	if r.ID != 0 {
		return a.byID(ctx, place, "schedule_lessonrecording", r.ID)
	}
	if lesson == 0 && teacher == 0 {
		return 0, wrong(place, "give a lesson, a teacher or an id")
	}
	const where = `SELECT id FROM public.schedule_lessonrecording WHERE is_deleted = FALSE
		AND ((lesson_id IS NULL AND $1 = 0 AND teacher_id = $2) OR lesson_id = $1)`
	if zoomID := or(r.ZoomRecordingID, ""); zoomID != "" {
		return a.first(ctx, where+` AND zoom_recording_id = $3 ORDER BY id`, lesson, teacher, zoomID)
	}
	found, err := a.ids(ctx, where+` AND title = $3 ORDER BY id`, lesson, teacher, or(r.Title, ""))
	if err == nil && len(found) > 1 {
		found, err = a.ids(ctx, where+` AND title = $3 AND (archive_key = $4 OR gdrive_file_id = $4) ORDER BY id`,
			lesson, teacher, or(r.Title, ""), or(r.Key, ""))
		if err == nil && len(found) > 1 {
			err = wrong(place, "several recordings are like this one: give the id")
		}
	}
	if err != nil || len(found) == 0 {
		return 0, err
	}
	return found[0], nil
}

// recordingLocation adds the columns that say where the bytes lie. On Drive the
// file id stands in a column of its own, which the platform's player reads, and
// archive_key, when set, has to agree.
func (a *applier) recordingLocation(ctx context.Context, found int64, r recordingDoc, c *cells) error {
	if r.Provider == nil && r.Key == nil {
		return nil
	}
	provider, file, key := media.ProviderDrive, "", ""
	if found != 0 {
		err := a.x.One(ctx, `SELECT storage_provider, gdrive_file_id, archive_key FROM public.schedule_lessonrecording WHERE id = $1`,
			[]any{found}, &provider, &file, &key)
		if err != nil {
			return err
		}
	}
	now := media.StoredAt(provider, file, key)
	want := media.Location{Provider: or(r.Provider, now.Provider), Key: or(r.Key, now.Key)}
	c.text("provider", "storage_provider", &want.Provider)
	if want == now && found != 0 {
		return nil
	}
	drive := ""
	if want.Provider == media.ProviderDrive {
		drive = want.Key
	}
	c.text("key", "archive_key", &want.Key)
	c.text("gdrive_file_id", "gdrive_file_id", &drive)
	return nil
}

// recordingCells adds everything of a recording that needs no look-up.
func recordingCells(r recordingDoc, c *cells) {
	c.text("title", "title", r.Title)
	c.text("status", "status", r.Status)
	c.text("visibility", "visibility", r.Visibility)
	c.text("gdrive_folder_id", "gdrive_folder_id", r.DriveFolder)
	if r.Size != nil {
		*c = append(*c, cell{name: "size", column: "file_size", value: sql.NullInt64{Int64: int64(*r.Size), Valid: true}})
	}
	if r.Duration != nil {
		*c = append(*c, cell{name: "duration", column: "duration", value: sql.NullInt64{Int64: int64(*r.Duration), Valid: true}})
	}
	c.time("start", "recording_start", r.Start)
	c.time("end", "recording_end", r.End)
	c.time("available_until", "available_until", r.AvailableUntil)
	c.text("type", "recording_type", r.Type)
	c.text("zoom_recording_id", "zoom_recording_id", (*string)(r.ZoomRecordingID))
	c.text("play_url", "play_url", r.PlayURL)
	c.text("download_url", "download_url", r.DownloadURL)
	c.text("thumbnail_url", "thumbnail_url", r.ThumbnailURL)
	c.text("archive_url", "archive_url", r.ArchiveURL)
	c.number("views", "views_count", r.Views)
	c.flag("deleted", "is_deleted", r.Deleted)
	c.time("deleted_at", "deleted_at", r.DeletedAt)
	c.text("deletion_reason", "deletion_reason", r.DeletionReason)
	c.time("created", "created_at", r.Created)
}

// recordingLists sets who may watch. A new recording for its lesson's group, of
// which the document lists nobody, allows that group: without a row in the list
// no student would see it.
func (a *applier) recordingLists(ctx context.Context, place string, r recordingDoc, note *Change, id, lesson int64) error {
	visibility := media.Visibility(or(r.Visibility, string(media.VisibleLessonGroup)))
	if note.Action == "add" && lesson != 0 && visibility == media.VisibleLessonGroup && r.AllowedGroups == nil && r.AllowedStudents == nil {
		groups, err := a.ids(ctx, `SELECT group_id FROM public.schedule_lesson WHERE id = $1`, lesson)
		if err != nil {
			return err
		}
		return a.list(ctx, note, "allowed_groups", linkAllowedGroups, id, groups)
	}
	if r.AllowedGroups != nil {
		groups, err := refs(ctx, place+".allowed_groups", *r.AllowedGroups, a.groupRef)
		if err != nil {
			return err
		}
		if err := a.list(ctx, note, "allowed_groups", linkAllowedGroups, id, groups); err != nil {
			return err
		}
	}
	if r.AllowedStudents == nil {
		return nil
	}
	students, err := refs(ctx, place+".allowed_students", *r.AllowedStudents, a.personRef)
	if err != nil {
		return err
	}
	return a.list(ctx, note, "allowed_students", linkAllowedStudents, id, students)
}
