// Package syncer archives every recording that Zoom lists exactly once. It wires the
// parts below it, starts and stops them, and supervises what syncers leave behind when
// they die.
//
//	Zoom's webhooks ──▶ intake ──┐ request           ┌──▶ ingest ──▶ archive
//	                             ├────────▶ queue ───┤
//	Zoom's lists ──▶ reconcile ──┘                   └──▶ retention
//
// intake takes webhooks in; reconcile compares what Zoom lists with what is archived;
// both request ingests, and ingest brings one lesson's recording into the archive.
// retention ends recordings. All of them work as jobs of queue, on the tables of store.
// A webhook makes it quick; reconciliation makes it certain.
//
// Several syncers may work on one database. Each writes a heartbeat; the jobs and the
// leases of those that stop doing so are released by the supervisor of another.
package syncer
