package catalog

import (
	"context"
	"fmt"
	"strings"
	"unicode"

	"github.com/lectiospace/lectern/internal/media"
)

const selectActiveByEmail = `
SELECT id, email FROM public.accounts_customuser WHERE lower(email) IN (lower($1), $2) AND is_active`

// UserByEmail is the id of the only active user with an address, letter case aside. Kind
// NotFound: there is none, or there are several.
func (s *Store) UserByEmail(ctx context.Context, email string) (int64, error) {
	const op = "catalog: user by e-mail address"
	var found []int64
	err := s.Rows(ctx, op, LookupTimeout, selectActiveByEmail, []any{email, lowerAddress(email)}, func(scan func(...any) error) error {
		var id int64
		var address string
		err := scan(&id, &address)
		if sameAddress(address, email) {
			found = append(found, id)
		}
		return err
	})
	switch {
	case err != nil:
		return 0, err
	case email == "" || len(found) != 1:
		return 0, media.Fault(media.NotFound, op, fmt.Errorf("%d active users have the address", len(found)))
	}
	return found[0], nil
}

// sameAddress compares addresses by lower case. A letter outside ASCII is never equal to one
// within: the Kelvin sign in lower case is a k, and the owner of an address with the one must
// not sign in as the owner of the other.
func sameAddress(a, b string) bool { return lowerAddress(a) == lowerAddress(b) }

func lowerAddress(s string) string {
	return strings.Map(func(r rune) rune {
		if lower := unicode.ToLower(r); r <= unicode.MaxASCII || lower > unicode.MaxASCII {
			return lower
		}
		return r
	}, s)
}
