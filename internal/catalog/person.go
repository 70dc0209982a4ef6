package catalog

import (
	"context"
	"strings"
)

// Person is a user with the parts of their name, any of which may be "".
type Person struct {
	ID     int64  `json:"id"`
	First  string `json:"first"`
	Last   string `json:"last"`
	Middle string `json:"middle"`
	Email  string `json:"email"`
}

// FullName is "last first middle", or the address where a name is not known.
func (p Person) FullName() string { return p.named(p.Last, p.First, p.Middle) }

// ShortName is "first last", or the address.
func (p Person) ShortName() string { return p.named(p.First, p.Last) }

func (p Person) named(parts ...string) string {
	var words []string
	for _, part := range parts {
		if part = strings.TrimSpace(part); part != "" {
			words = append(words, part)
		}
	}
	if len(words) == 0 {
		return p.Email
	}
	return strings.Join(words, " ")
}

const selectPerson = `
SELECT coalesce(first_name, ''), coalesce(last_name, ''), coalesce(middle_name, ''), coalesce(email, '')
FROM public.accounts_customuser WHERE id = $1`

// UserName is a user's ShortName. Kind NotFound: there is no such user.
func (s *Store) UserName(ctx context.Context, userID int64) (string, error) {
	p := Person{ID: userID}
	err := s.Row(ctx, "catalog: name of a user", selectPerson, []any{userID}, &p.First, &p.Last, &p.Middle, &p.Email)
	return p.ShortName(), err
}
