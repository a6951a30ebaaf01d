package gate

import (
	"errors"
	"net"
	"sync/atomic"

	"github.com/goodgate/goodgate/reason"
)

// lost holds the error of the last lookup of a pool's upstreams; nil = it succeeded.
type lost struct{ err atomic.Pointer[error] }

func (l *lost) set(err error) {
	if err == nil {
		l.err.Store(nil)
		return
	}
	l.err.Store(&err)
}

func (l *lost) get() (text string, why reason.Reason) {
	err := l.err.Load()
	if err == nil {
		return "", reason.None
	}
	return (*err).Error(), missing(*err)
}

// missing returns the reason for a pool without upstreams, None if DNS is not the cause.
func missing(err error) reason.Reason {
	dns, ok := errors.AsType[*net.DNSError](err)
	switch {
	case !ok:
		return reason.None
	case dns.IsTimeout:
		return reason.DNSTimeout
	}
	return reason.DNSError
}
