package media

// The codes of sign-ins that fail. A browser that opens the address of a sign-in gets a page of
// its own for each: no script reads them.
const (
	CodeSignInRefused Code = "sign_in_refused"
	CodeNoAccount     Code = "no_account"
	CodeProviderDown  Code = "sign_in_unavailable"
)

// RefuseSignIn refuses what a browser brings back from the provider.
func RefuseSignIn() *Refusal {
	return Refuse(CodeSignInRefused, "The sign-in was not completed. Begin it again.")
}

// RefuseAccount refuses a person who has signed in at the provider and has no account here.
func RefuseAccount() *Refusal {
	return Refuse(CodeNoAccount, "No active account belongs to this sign-in.")
}
