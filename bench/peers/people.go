package peers

import (
	"crypto/rand"
	"time"

	"github.com/lectiospace/lectern/internal/auth"
)

// People are the viewers: so many students of one class, each with a token.
type People struct {
	Secret  string
	Headers []string // each an Authorization line, in the students' order
	ids     []int64
}

// NewPeople makes up students and signs their access tokens.
func NewPeople(n int) (*People, error) {
	p := &People{Secret: rand.Text() + rand.Text()}
	minter, err := auth.NewMinter(auth.Config{JWTSecret: p.Secret, QueryTokens: "any", AccessRule: "strict"}, time.Now)
	if err != nil {
		return nil, err
	}
	for i := range n {
		id := int64(i + 2) // 1 is the teacher
		token, err := minter.Access(id, 24*time.Hour)
		if err != nil {
			return nil, err
		}
		p.ids = append(p.ids, id)
		p.Headers = append(p.Headers, "Authorization: Bearer "+token+"\r\n")
	}
	return p, nil
}
