package health

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"syscall"

	"github.com/goodgate/goodgate/reason"
)

// Cause returns the reason with which a live request would have failed in place of the
// probe, and the status of an unexpected answer, 0 without one. The reason is None if the
// probe passed or could not be made, or if a live request would have accepted the answer.
func Cause(err error) (why reason.Reason, status int) {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reason, e.Status
	}
	if timedOut(err) {
		return reason.ResponseTimeout, 0
	}
	return reason.None, 0
}

// dialReason returns why the connection failed.
func dialReason(ctx context.Context, err error) reason.Reason {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		if dns.IsTimeout {
			return reason.DNSTimeout
		}
		return reason.DNSError
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOENT): // ENOENT: no such socket file
		return reason.ConnectRefused
	case ctx.Err() != nil, timedOut(err):
		return reason.ConnectTimeout
	}
	return reason.ConnectUnreachable
}

// tlsReason returns why the handshake failed.
func tlsReason(ctx context.Context, err error) reason.Reason {
	if ctx.Err() != nil || timedOut(err) {
		return reason.ConnectTimeout
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return reason.TLSCertificate
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return reason.TLSCertificate
	}
	return reason.TLSHandshake
}

// exchangeReason returns what failed on a connection.
func exchangeReason(ctx context.Context, err error) reason.Reason {
	switch {
	case ctx.Err() != nil, timedOut(err):
		return reason.ResponseTimeout
	case broken(err):
		return reason.ClosedBeforeResponse
	}
	return reason.ResponseMalformed
}
