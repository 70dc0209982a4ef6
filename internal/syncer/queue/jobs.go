package queue

import (
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

// The queues of the queue's library: ingests have one of their own, so that a long
// download delays nothing else, and those of backfills another, so that they never delay
// an ingest of something new.
const (
	ingestQueue   = "ingest"
	backfillQueue = "backfill"
	// companionQueue is that of companions: other views of a lesson may take as long to
	// download as the lesson, and neither ingests nor webhooks wait behind them.
	companionQueue = "companion"
	// deriveQueue is that of files that are made of recordings, one recording at a time.
	deriveQueue  = "derive"
	defaultQueue = river.QueueDefault
)

// unfinished are the states in which a second job of the same arguments is not
// inserted.
var unfinished = []rivertype.JobState{
	rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRunning, rivertype.JobStateRetryable, rivertype.JobStateScheduled,
}

// unique makes a job unique among the unfinished ones of its arguments. attempts
// bounds its attempts, 0 for the library's default.
func unique(queue string, attempts int) river.InsertOpts {
	return river.InsertOpts{Queue: queue, MaxAttempts: attempts, UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: unfinished}}
}

// Args are a job's arguments; their Kind says which handler gets them.
type Args = river.JobArgs

// Kinds are the kinds of jobs there are.
var Kinds = []string{"event", "ingest", "captions", "companions", "derive", "zoom_trash", "reconcile", "usage", "cleanup", "purge", "resync", "alert", "backfill"}

// EventArgs processes a stored webhook.
type EventArgs struct {
	EventID int64 `json:"event_id"`
}

// Kind implements river.JobArgs.
func (EventArgs) Kind() string { return "event" }

// IngestArgs brings a lesson's recording into the archive.
type IngestArgs struct {
	IngestID int64 `json:"ingest_id"`
	// Again tells a job from one of the same ingest that is just ending: see
	// Queue.EnqueueIngest.
	Again int64 `json:"again,omitempty"`
}

// Kind implements river.JobArgs.
func (IngestArgs) Kind() string { return "ingest" }

// InsertOpts implements river.JobArgsWithInsertOpts.
func (IngestArgs) InsertOpts() river.InsertOpts { return unique(ingestQueue, 10_000) }

// CaptionsArgs stores a lesson's transcripts with its recording.
type CaptionsArgs struct {
	IngestID int64 `json:"ingest_id"`
	// Again tells a job from one of the same ingest that runs already: see
	// Queue.EnqueueCaptions.
	Again int64 `json:"again,omitempty"`
}

// Kind implements river.JobArgs.
func (CaptionsArgs) Kind() string { return "captions" }

// InsertOpts implements river.JobArgsWithInsertOpts.
func (CaptionsArgs) InsertOpts() river.InsertOpts { return unique(defaultQueue, 0) }

// CompanionsArgs archives what Zoom lists of a lesson's meetings beside the recording.
type CompanionsArgs struct {
	IngestID int64 `json:"ingest_id"`
	// Again tells a job from one of the same ingest that runs already: see
	// Queue.EnqueueCompanions.
	Again int64 `json:"again,omitempty"`
}

// Kind implements river.JobArgs.
func (CompanionsArgs) Kind() string { return "companions" }

// InsertOpts implements river.JobArgsWithInsertOpts.
func (CompanionsArgs) InsertOpts() river.InsertOpts { return unique(companionQueue, 10_000) }

// DeriveArgs makes files of a recording.
type DeriveArgs struct {
	RecordingID int64 `json:"recording_id"`
	// Again tells a job from one of the same recording that runs already: see
	// Queue.EnqueueDerive.
	Again int64 `json:"again,omitempty"`
}

// Kind implements river.JobArgs.
func (DeriveArgs) Kind() string { return "derive" }

// InsertOpts implements river.JobArgsWithInsertOpts.
func (DeriveArgs) InsertOpts() river.InsertOpts { return unique(deriveQueue, 10_000) }

// ZoomTrashArgs moves Zoom's copy of what is archived to Zoom's trash.
type ZoomTrashArgs struct {
	IngestID int64 `json:"ingest_id"`
	// Again tells a job from one of the same ingest that runs already: see
	// Queue.EnqueueTrash.
	Again int64 `json:"again,omitempty"`
}

// Kind implements river.JobArgs.
func (ZoomTrashArgs) Kind() string { return "zoom_trash" }

// InsertOpts implements river.JobArgsWithInsertOpts.
func (ZoomTrashArgs) InsertOpts() river.InsertOpts { return unique(defaultQueue, 0) }

// ReconcileArgs compares everything with what Zoom lists.
type ReconcileArgs struct{}

// Kind implements river.JobArgs.
func (ReconcileArgs) Kind() string { return "reconcile" }

// InsertOpts implements river.JobArgsWithInsertOpts.
func (ReconcileArgs) InsertOpts() river.InsertOpts { return unique(defaultQueue, 3) }

// UsageArgs recomputes used storage.
type UsageArgs struct{}

// Kind implements river.JobArgs.
func (UsageArgs) Kind() string { return "usage" }

// InsertOpts implements river.JobArgsWithInsertOpts.
func (UsageArgs) InsertOpts() river.InsertOpts { return unique(defaultQueue, 3) }

// CleanupArgs removes expired recordings.
type CleanupArgs struct{}

// Kind implements river.JobArgs.
func (CleanupArgs) Kind() string { return "cleanup" }

// InsertOpts implements river.JobArgsWithInsertOpts.
func (CleanupArgs) InsertOpts() river.InsertOpts { return unique(defaultQueue, 5) }

// PurgeArgs deletes the bytes of recordings that were removed long enough ago.
type PurgeArgs struct{}

// Kind implements river.JobArgs.
func (PurgeArgs) Kind() string { return "purge" }

// InsertOpts implements river.JobArgsWithInsertOpts.
func (PurgeArgs) InsertOpts() river.InsertOpts { return unique(defaultQueue, 5) }

// ResyncArgs looks for a lesson's recording at Zoom again, at a teacher's request.
type ResyncArgs struct {
	LessonID    int64 `json:"lesson_id"`
	RecordingID int64 `json:"recording_id"`
}

// Kind implements river.JobArgs.
func (ResyncArgs) Kind() string { return "resync" }

// InsertOpts implements river.JobArgsWithInsertOpts.
func (ResyncArgs) InsertOpts() river.InsertOpts { return unique(defaultQueue, 5) }

// BackfillArgs lists recordings of past years and requests them, a step at a time.
type BackfillArgs struct{}

// Kind implements river.JobArgs.
func (BackfillArgs) Kind() string { return "backfill" }

// InsertOpts implements river.JobArgsWithInsertOpts.
func (BackfillArgs) InsertOpts() river.InsertOpts { return unique(defaultQueue, 0) }

// AlertArgs sends an alert to operators.
type AlertArgs struct {
	Key      string    `json:"key"`
	State    string    `json:"state"`
	Severity string    `json:"severity"`
	Title    string    `json:"title"`
	Text     string    `json:"text"`
	Since    time.Time `json:"since"`
	At       time.Time `json:"at"`
}

// Kind implements river.JobArgs.
func (AlertArgs) Kind() string { return "alert" }

// InsertOpts implements river.JobArgsWithInsertOpts.
func (AlertArgs) InsertOpts() river.InsertOpts { return river.InsertOpts{MaxAttempts: 12} }
