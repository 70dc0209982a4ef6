package media

// Reasons why a change that somebody asked for is not made, as media.Error.Reason.
const (
	ReasonSubscription = "subscription"   // the teacher's is not active
	ReasonNotOwner     = "not_owner"      // somebody else's recording
	ReasonPurged       = "purged"         // its bytes are gone, or going
	ReasonQuota        = "quota_exceeded" // there is no room for it any more
	ReasonNoMeeting    = "no_meeting"     // it does not come from Zoom
	ReasonNoAccount    = "no_account"     // its teacher has not told of a Zoom app
	ReasonGoneAtZoom   = "gone_at_zoom"
)
