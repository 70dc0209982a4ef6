package media

// Reasons why an edit is refused, as Error.Reason. The API translates them.
const (
	ReasonSubscription = "subscription"   // the teacher's subscription is not active
	ReasonNotOwner     = "not_owner"      // the recording belongs to somebody else, or to nobody
	ReasonPurged       = "purged"         // the bytes are deleted, or about to be
	ReasonQuota        = "quota_exceeded" // the teacher's quota has no room; an ingest resumes by itself
	ReasonNoMeeting    = "no_meeting"     // the recording does not come from Zoom
	ReasonNoAccount    = "no_account"     // the teacher has configured no Zoom app
	ReasonGoneAtZoom   = "gone_at_zoom"   // deleted at Zoom, also before it was archived
)
