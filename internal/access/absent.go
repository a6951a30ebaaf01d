//go:build minimal

package access

import "errors"

type hash interface {
	matches(password string) bool
	weakness() string
}

func parseHash(string) (hash, error) {
	return nil, errors.New("the minimal edition of goodgate does not have users with passwords")
}
