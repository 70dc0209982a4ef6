package schema_test

import (
	"testing"

	"github.com/lectiospace/lectern/internal/catalog/catalogtest"
	"github.com/lectiospace/lectern/internal/pgtest"
)

// TestThePlatformDeletesRecordings: the platform deletes a recording with searchable captions
// as a role without any right to Lectern's schema.
func TestThePlatformDeletesRecordings(t *testing.T) {
	url := pgtest.Start(t)
	pgtest.Load(t, url, catalogtest.PlatformSQL)
	s := catalogtest.Migrate(t, catalogtest.Open(t, url))
	pgtest.Exec(t, url, `DO $$ BEGIN CREATE ROLE platform_deletes; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
		GRANT SELECT, DELETE ON ALL TABLES IN SCHEMA public TO platform_deletes;
		INSERT INTO lectern.lectern_search_blocks (id, transcripts) VALUES (1, '');
		INSERT INTO lectern.lectern_captions (recording_id, lang, label, body, updated_at) SELECT id, 'und', '', '', now() FROM public.schedule_lessonrecording;
		INSERT INTO lectern.lectern_transcripts (id, recording_id, lang, captions_at, block, cues) SELECT id, id, 'und', now(), 1, '' FROM public.schedule_lessonrecording`)
	all := s.Count(t, `SELECT count(*) FROM public.schedule_lessonrecording`)
	pgtest.Exec(t, url, `SET ROLE platform_deletes;
		DELETE FROM public.schedule_lessonrecording_allowed_groups; DELETE FROM public.schedule_lessonrecording_allowed_students;
		DELETE FROM public.schedule_lessonrecording`)
	if gone := s.Count(t, `SELECT count(*) FROM lectern.lectern_search_gone`); all == 0 || gone != all {
		t.Errorf("%d of %d transcripts are known to be gone", gone, all)
	}
}
