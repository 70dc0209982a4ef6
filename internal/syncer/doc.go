// Package syncer sees to it that every recording Zoom lists is archived exactly
// once: it takes Zoom's webhooks, matches meetings to lessons, downloads, joins and
// uploads, and reconciles all of it with Zoom every half hour. The webhook makes it
// quick; reconciliation makes it certain.
//
// An ingest is how one lesson gets its recording:
//
//	            asked for                 archive verified
//	(nothing) ───────────▶ waiting ─▶ working ─▶ done ─┐
//	                          ▲  ▲       │             │ a segment came later
//	          passing fault,  │  └───────┘             │
//	          still settling  └────────────────────────┘
//	                                  │ permanent fault, or 48 h of passing ones
//	                                  ▼
//	  removed ◀── removed here      failed ──▶ waiting: room came, asked for again
//
// Whoever works on one is its owner; every step is written only while that holds, so
// that a syncer that was taken for dead changes nothing when it wakes.
package syncer
