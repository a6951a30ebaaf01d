package gate

import (
	"errors"
	"net"
	"sync/atomic"

	"github.com/goodgate/goodgate/reason"
)

// lost is the last failure to look a pool's upstreams up; nil = there is none.
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

// missing is the reason for a pool's having no upstreams, None when the cause is
// not a name.
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
