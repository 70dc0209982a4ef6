// Package zoom is everything Lectern knows of Zoom: how a webhook is signed, what
// an event and a recording look like, the API with its tokens and limits, and how
// a recording is downloaded. It is the only package that reads Zoom's JSON.
//
// https://developers.zoom.us/docs/api/ (Meetings, Cloud Recording; webhooks)
package zoom
