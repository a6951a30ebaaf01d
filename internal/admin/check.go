package admin

import (
	"errors"
	"net"
	"syscall"
	"time"

	"github.com/goodgate/goodgate/health"
)

// Check is the result of an upstream's last health check.
type Check struct {
	At     time.Time `json:"at,omitzero"`    // when it ended; zero = there was none
	Since  time.Time `json:"since,omitzero"` // since when all checks have had the same result
	MS     float64   `json:"ms"`
	Passed bool      `json:"passed"`
	Reason string    `json:"reason,omitempty"` // the reason a request would have failed with
	Error  string    `json:"error,omitempty"`
	From   string    `json:"from,omitempty"` // the pool that made it (health.from); empty = the upstream's own

	err error
}

// NewCheck returns the result of a check that has just ended with err; nil = it passed.
func NewCheck(err error, now time.Time, took time.Duration) Check {
	why, _ := health.Cause(err)
	return Check{At: now, Since: now, MS: milliseconds(took), Passed: err == nil, Reason: word(why), Error: text(err), err: err}
}

// by returns in words which pool made the check, empty for the upstream's own.
func (c *Check) by() string {
	if c.From == "" {
		return ""
	}
	return " (from pool " + c.From + ")"
}

// Err returns the error of the check, nil if it passed or there was none.
func (c *Check) Err() error { return c.err }

// unresolved returns the name that a lookup did not find, empty for other errors.
func unresolved(err error) string {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return dns.Name
	}
	return ""
}

// brief returns the essential part of an error, in common words.
func brief(err error) string {
	if err == nil {
		return ""
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return errno.Error()
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return dns.Name + ": " + dns.Err
	}
	return text(err)
}
