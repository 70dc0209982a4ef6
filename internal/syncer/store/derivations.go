package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
)

// DerivationSound is the kind of derivation that is made only where Zoom gives no sound.
const DerivationSound = "sound"

// Derivation says how far the files of one kind are that the syncer makes of a recording.
type Derivation struct {
	RecordingID int64
	Kind        string
	Revision    int64  // of the program that makes them
	Source      string // the bytes that they were made of: see SourceOf
	TriedAt     time.Time
	MadeAt      time.Time // zero = they could not be made
	Attempts    int64     // failed ones, of this source by this revision
	RetryAt     time.Time // zero = made, or given up
	Reason      string    // media.ReasonOf of the last failed attempt
	Detail      string    // of that; or why none are made
}

// DueAt is when the files of a source are to be made by a revision. never: they are made, or
// were given up.
func (d Derivation) DueAt(source string, revision int64) (at time.Time, never bool) {
	if d.Source != source || d.Revision < revision {
		return time.Time{}, false
	}
	return d.RetryAt, d.RetryAt.IsZero()
}

// SourceOf names the bytes of a recording: it stays the same in a move, and changes when
// another segment is joined. The ingest may be the zero value.
func SourceOf(r Recording, i Ingest) string {
	if i.Archived() && i.MD5 != "" && i.Size == r.Size {
		return SourceOfMD5(i.MD5)
	}
	return fmt.Sprintf("%d bytes, %d s", r.Size, r.Seconds)
}

// sourceMD5 begins a source that is known by its MD5.
const sourceMD5 = "md5 "

// SourceOfMD5 names bytes by their MD5, in lower-case hex.
func SourceOfMD5(md5 string) string { return sourceMD5 + md5 }

// MD5OfSource is the MD5 that a source names, "" for none.
func MD5OfSource(source string) string {
	md5, named := strings.CutPrefix(source, sourceMD5)
	if !named {
		return ""
	}
	return md5
}

// Derivations are those of a recording, by kind.
func Derivations(ctx context.Context, x Session, recording int64) ([]Derivation, error) {
	var out []Derivation
	err := x.Each(ctx, `SELECT recording_id, kind, revision, source, tried_at, made_at, attempts, retry_at, reason, detail
		FROM lectern.lectern_derivations WHERE recording_id = $1 ORDER BY kind`, []any{recording}, func(scan func(...any) error) error {
		var (
			d                  Derivation
			tried, made, retry catalog.DBTime
		)
		err := scan(&d.RecordingID, &d.Kind, &d.Revision, &d.Source, &tried, &made, &d.Attempts, &retry, &d.Reason, &d.Detail)
		d.TriedAt, d.MadeAt, d.RetryAt = tried.Time, made.Time, retry.Time
		out = append(out, d)
		return err
	})
	return out, err
}

// PutDerivation writes a derivation, instead of the one of its recording and kind.
func PutDerivation(ctx context.Context, x Session, d Derivation) error {
	_, err := x.Exec(ctx, `INSERT INTO lectern.lectern_derivations (recording_id, kind, revision, source, tried_at, made_at, attempts, retry_at, reason, detail)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
		ON CONFLICT (recording_id, kind) DO UPDATE SET revision = excluded.revision, source = excluded.source, tried_at = excluded.tried_at, made_at = excluded.made_at,
			attempts = excluded.attempts, retry_at = excluded.retry_at, reason = excluded.reason, detail = excluded.detail`,
		d.RecordingID, d.Kind, d.Revision, d.Source, stamp(d.TriedAt), stamp(d.MadeAt), d.Attempts, stamp(d.RetryAt), clip(d.Reason, 100), clip(d.Detail, 1000))
	return err
}

// DeleteDerivation makes the files of a kind be made of a recording again.
func DeleteDerivation(ctx context.Context, x Session, recording int64, kind string) error {
	_, err := x.Exec(ctx, `DELETE FROM lectern.lectern_derivations WHERE recording_id = $1 AND kind = $2`, recording, kind)
	return err
}

// DeleteDerivations makes all files be made of a recording again.
func DeleteDerivations(ctx context.Context, x Session, recording int64) error {
	_, err := x.Exec(ctx, `DELETE FROM lectern.lectern_derivations WHERE recording_id = $1`, recording)
	return err
}

// DerivationKind is a kind of derivation and the revision of the program that makes it.
type DerivationKind struct {
	Kind     string
	Revision int64
}

// UnderivedRecordings are archived recordings of which files of some kinds have to be made
// now, the newest first, at most limit: those with ids below before, and those with any id
// whose next attempt is due.
func UnderivedRecordings(ctx context.Context, x Session, kinds []DerivationKind, providers []string, before int64, limit int, now time.Time) ([]int64, error) {
	if len(kinds) == 0 || len(providers) == 0 {
		return nil, nil
	}
	args := []any{before, limit, false, stamp(now)}
	arg := func(v any) string {
		args = append(args, v)
		return fmt.Sprintf("$%d", len(args))
	}
	var lacks, in []string
	for _, k := range kinds {
		lacks = append(lacks, `NOT EXISTS (SELECT 1 FROM lectern.lectern_derivations d WHERE d.recording_id = r.id AND d.kind = `+arg(k.Kind)+` AND d.revision >= `+arg(k.Revision)+
			` AND (d.retry_at IS NULL OR d.retry_at > $4))`)
	}
	for _, p := range providers {
		in = append(in, arg(p))
	}
	var out []int64
	err := x.Each(ctx, `SELECT r.id FROM public.schedule_lessonrecording r
		WHERE (r.id < $1 OR EXISTS (SELECT 1 FROM lectern.lectern_derivations d WHERE d.recording_id = r.id AND d.retry_at <= $4)) AND r.is_deleted = $3 AND r.status IN ('ready', 'archived') AND (r.archive_key <> '' OR r.gdrive_file_id <> '')
			AND r.storage_provider IN (`+strings.Join(in, ", ")+`) AND (`+strings.Join(lacks, " OR ")+`)
		ORDER BY r.id DESC LIMIT $2`, args, func(scan func(...any) error) error {
		var id int64
		err := scan(&id)
		out = append(out, id)
		return err
	})
	return out, err
}
