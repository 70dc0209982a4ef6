// Package intake takes in Zoom's webhooks: it checks and stores them, and processes
// what was stored as jobs.
//
// A webhook is answered 200 only when its event and the event's job are durable; many
// that arrive together share one transaction. Otherwise Zoom is asked to send it again
// (503). Zoom resends what was not answered in three seconds, and events come in any
// order, so that processing an event again, or late, must do no harm.
package intake
