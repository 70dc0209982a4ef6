package store

import "fmt"

// State is the state of an ingest.
//
//	              Request                Begin
//	(none) ─────────────────▶ Waiting ◀──────────▶ Working ──Archive──▶ Done ─┐ Begin, Pause, Archive:
//	                            ▲  ▲      Pause       │                  ▲ ▲  │ a later segment is
//	                            │  │                  │                  │ └──┘ archived, or is not yet
//	           Request, Refetch │  │                  │ Fail             │
//	                            │  └── Refetch ───────┼──────────────────┤
//	                            │                     ▼                  │
//	                            └────────────────── Failed ◀─ Fail, Lose ┘
//	                                                  ▲ ▲
//	Working, Done ──Remove──▶ Removed ──RestoreFailed─┘ └─ Lose: Waiting
//	                             └────RestoreArchived──▶ Done
//
// A Failed ingest may also Begin at once: an operator ran its job again. A pair that
// is not in transitions is impossible: Transition returns an error for it.
type State string

// The states of an ingest, as the database has them.
const (
	Waiting State = "waiting" // queued, not settled, or between two attempts
	Working State = "working" // a run holds its lease
	Done    State = "done"    // archived and verified; a later segment may come
	Failed  State = "failed"  // until something changes; Ingest.Reason says why
	Removed State = "removed" // the recording was removed here: it is not archived again
)

// IngestEvent is what changes the state of an ingest.
type IngestEvent string

// The events.
const (
	Request         IngestEvent = "request"          // somebody requests the recording, again too
	Begin           IngestEvent = "begin"            // a run has taken the lease
	Pause           IngestEvent = "pause"            // a run ended without a result, or its lease was released
	Archive         IngestEvent = "archive"          // the archive holds what there is, verified
	Fail            IngestEvent = "fail"             // a run failed for good
	Remove          IngestEvent = "remove"           // a run found that the recording was removed here
	Lose            IngestEvent = "lose"             // the archived file is gone, and Zoom's copy too
	Refetch         IngestEvent = "refetch"          // the archived file is gone, Zoom has a copy
	RestoreArchived IngestEvent = "restore-archived" // a removed recording was restored, its bytes are archived
	RestoreFailed   IngestEvent = "restore-failed"   // a removed recording was restored that never was archived
)

// transitions are the possible pairs of a state and an event.
var transitions = map[State]map[IngestEvent]State{
	"":      {Request: Waiting},
	Waiting: {Request: Waiting, Begin: Working, Pause: Waiting, Lose: Failed, Refetch: Waiting},
	// The lease of a Working ingest may have lapsed: then another run begins.
	Working: {Request: Working, Begin: Working, Pause: Waiting, Archive: Done, Fail: Failed, Remove: Removed},
	// A run of a Done ingest archives a later segment; what is archived stays playable.
	Done:   {Request: Done, Begin: Done, Pause: Done, Archive: Done, Fail: Failed, Remove: Removed, Lose: Failed, Refetch: Waiting},
	Failed: {Request: Waiting, Begin: Working, Pause: Failed, Lose: Failed, Refetch: Waiting},
	// A run that found the removal ends as every run does.
	Removed: {Pause: Removed, RestoreArchived: Done, RestoreFailed: Failed},
}

// Transition is the state after an event. An error says that the pair is impossible.
// It is pure, and the only place where an ingest's state is decided.
func Transition(s State, e IngestEvent) (State, error) {
	next, ok := transitions[s][e]
	if !ok {
		return s, fmt.Errorf("BUG: an ingest that is %q cannot %s", s, e)
	}
	return next, nil
}
