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

// BasicAuth lets in who knows the password of a user (RFC 7617).
type BasicAuth struct {
	Users *Users
	Realm string // told to the browser; empty = Restricted
	// Failures bounds wrong passwords, of each client by [Rate.On]; nil = no bound.
	// What was right takes nothing of it.
	Failures *Rate
	// UserHeader tells upstreams the user's name; empty = they have Authorization. Clients
	// cannot send it.
	UserHeader string
	// Hide takes Authorization off requests before they go upstream.
	Hide bool
}

// Users are the names and password hashes of a file that is read again when it changes.
type Users = access.Users

// OpenUsers reads a file of users, as htpasswd -B writes it. log, which may be nil, is told
// of each time that the file is read again, with an error when it is not good and the
// users before stay.
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

// verify checks a password that was not seen before. Each guess of a client counts until
// it has proved right, so that many at once gain nothing.
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

// challenge is the value of WWW-Authenticate.
func (b *BasicAuth) challenge() string {
	realm := b.Realm
	if realm == "" {
		realm = "Restricted"
	}
	return "Basic realm=" + strconv.Quote(realm) + `, charset="UTF-8"`
}
