// Package zoom is the client of Zoom: signatures and events of webhooks, the recordings API
// with its tokens and rate limits, and downloads. It is the only package that reads Zoom's JSON.
//
// https://developers.zoom.us/docs/api/ (Meetings, Cloud Recording; webhooks)
package zoom
