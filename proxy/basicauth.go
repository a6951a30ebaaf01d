package proxy

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/goodgate/goodgate/internal/access"
	"github.com/goodgate/goodgate/internal/wire/header"
	"github.com/goodgate/goodgate/reason"
)

// BasicAuth admits users with their passwords (RFC 7617).
type BasicAuth struct {
	Users *Users
	Realm string // name for the browser; empty = Restricted
	// Failures limits the wrong passwords of each client, identified by [Rate.On]; nil =
	// no limit. Right passwords do not count.
	Failures *Rate
	// UserHeader is the field with the user's name for upstreams. Clients cannot send it.
	// Empty = no such field.
	UserHeader string
	// Hide removes Authorization from requests for upstreams.
	Hide bool
}

// Users are the names and password hashes from a file. The file is read again when it
// changes.
type Users = access.Users

// OpenUsers reads a file of users with bcrypt hashes (htpasswd -B) or argon2 hashes. If log
// is not nil, it is called after each later read of the file. An error means that the file
// is invalid and that the earlier users stay.
func OpenUsers(file string, log func(error)) (*Users, error) { return access.Open(file, log) }

var errCredentials = errors.New("access.basic: a user and a password are needed")

// basic checks the request's user and password.
func (x *exchange) basic(b *BasicAuth) *Error {
	user, password, ok := x.request.BasicAuth()
	if !ok || x.request.Count(header.Authorization) != 1 {
		return &Error{Reason: reason.Unauthorized, Err: errCredentials}
	}
	now := time.Now()
	if b.Users.Known(user, password, now) != access.Right {
		if err := x.verify(b, user, password, now); err != nil {
			return err
		}
	}
	if b.UserHeader != "" {
		x.vouch(identityField{b.UserHeader, user})
	}
	return nil
}

// verify checks a password that has not been checked before. Each attempt of a client
// counts until it has proved right, so parallel guesses gain nothing.
func (x *exchange) verify(b *BasicAuth, user, password string, now time.Time) *Error {
	giveBack := func() {}
	if f := b.Failures; f != nil {
		key := uint64(1)
		if f.On != nil {
			key = max(f.On(x.request, x.record.Client), 1)
		}
		v, back := f.rates.Reserve(key, now)
		if !v.OK {
			return &Error{Reason: reason.RateLimited, RetryAfter: v.Retry, Err: fmt.Errorf("access.basic: too many wrong passwords, %s are let pass", f.policy)}
		}
		giveBack = back
	}
	switch b.Users.Verify(x.ctx, user, password) {
	case access.Right:
		giveBack()
		return nil
	case access.Busy:
		giveBack()
		return &Error{Reason: reason.Overloaded, Err: errors.New("access.basic: too many passwords are being checked")}
	}
	return &Error{Reason: reason.Unauthorized, Err: fmt.Errorf("access.basic: no such user, or another password: %q", user)}
}

// challenge returns the value of WWW-Authenticate.
func (b *BasicAuth) challenge() string {
	realm := b.Realm
	if realm == "" {
		realm = "Restricted"
	}
	return "Basic realm=" + strconv.Quote(realm) + `, charset="UTF-8"`
}
