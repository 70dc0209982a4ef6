package media

// The codes of sign-ins that fail. A browser that opens the address of a sign-in gets a page of
// its own for each: no script reads them.
const (
	CodeSignInRefused Code = "sign_in_refused"
	CodeNoAccount     Code = "no_account"
	CodeProviderDown  Code = "sign_in_unavailable"
)
