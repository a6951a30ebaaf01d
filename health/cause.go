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

// Cause returns the word that a live request would fail with, had it met what a probe
// met, and the status of an answer that did not pass, 0 when there was none. The word
// is None for a probe that passed or could not be made, and for an answer that only
// the probe finds wrong.
func Cause(err error) (why reason.Reason, status int) {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reason, e.Status
	}
	if timedOut(err) {
		return reason.ResponseTimeout, 0
	}
	return reason.None, 0
}

// dialReason tells why there is no connection.
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

// tlsReason tells why a handshake failed.
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

// exchangeReason tells what went wrong on a connection.
func exchangeReason(ctx context.Context, err error) reason.Reason {
	switch {
	case ctx.Err() != nil, timedOut(err):
		return reason.ResponseTimeout
	case broken(err):
		return reason.ClosedBeforeResponse
	}
	return reason.ResponseMalformed
}
