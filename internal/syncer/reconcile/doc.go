// Package reconcile compares what Zoom lists with what is archived and requests what
// is missing. Webhooks only make it quicker: reconciliation makes it certain.
//
// It also matches meetings again whose lesson was not there, requests ingests again
// that failed for a passing reason, and compares the archive with what should be in it.
// A teacher that cannot be reconciled never stops the others.
package reconcile
