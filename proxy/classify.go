package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/internal/wire/http1"
)

// dialReason returns the reason why a connection could not be made.
func dialReason(err error) reason.Reason {
	if isShortage(err) {
		return reason.Overloaded
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		if dns.IsTimeout {
			return reason.DNSTimeout
		}
		return reason.DNSError
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOENT): // ENOENT: no such socket file
		return reason.ConnectRefused
	case timedOut(err):
		return reason.ConnectTimeout
	}
	return reason.ConnectUnreachable
}

// isShortage reports whether this machine or process lacked a resource for the
// connection. That says nothing about the upstream.
func isShortage(err error) bool {
	for _, short := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM} {
		if errors.Is(err, short) {
			return true
		}
	}
	return false
}

// timedOut reports whether err is a timeout. Unlike os.IsTimeout it also checks wrapped
// errors.
func timedOut(err error) bool {
	e, ok := errors.AsType[net.Error](err)
	return ok && e.Timeout()
}

// tlsReason returns the reason why a TLS handshake failed: the certificate, or something
// else.
func tlsReason(err error) reason.Reason {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return reason.TLSCertificate
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return reason.TLSCertificate
	}
	return reason.TLSHandshake
}

// whichCertificate adds a description of the certificate to its failure.
func whichCertificate(err error) error {
	failed, ok := errors.AsType[*tls.CertificateVerificationError](err)
	if !ok || len(failed.UnverifiedCertificates) == 0 {
		return err
	}
	c := failed.UnverifiedCertificates[0]
	return fmt.Errorf("certificate of %q for %q, by %q, good until %s: %w", c.Subject.CommonName,
		append(c.DNSNames, ipNames(c.IPAddresses)...), c.Issuer.CommonName, c.NotAfter.UTC().Format(time.RFC3339), err)
}

func ipNames(list []net.IP) []string {
	names := make([]string, len(list))
	for i, ip := range list {
		names[i] = ip.String()
	}
	return names
}

// classify returns the failure of an attempt without a response: by the context if it has
// ended, else by the transport's error.
func (l *endpoint) classify(ctx context.Context, call *http1.Call, err error) *Error {
	e := &Error{
		Reason:   failure(ctx, err),
		Upstream: l.spec.Addr,
		Sent:     call.Sent() && !call.Undelivered,
		Err:      err,
	}
	if dial, ok := errors.AsType[*Error](err); ok {
		e.Err = dial.Err
	}
	if seen, ok := errors.AsType[*http1.Error](err); ok && seen.Kind == http1.Canceled {
		e.Err = seen.Err
	}
	return e
}

func failure(ctx context.Context, err error) reason.Reason {
	dial, dialing := errors.AsType[*Error](err)
	seen, ok := errors.AsType[*http1.Error](err)
	dialing = dialing || ok && seen.Phase == http1.PhaseDial
	switch r := contextReason(ctx); {
	case r == reason.ResponseTimeout && dialing:
		return reason.ConnectTimeout
	case r != reason.None:
		return r
	case dial != nil:
		return dial.Reason
	case !ok:
		return reason.Internal
	case dialing && seen.Kind == http1.Timeout:
		return reason.ConnectTimeout
	}
	return kinds[seen.Kind]
}

// kinds are the reasons for the transport's errors before a response.
var kinds = [...]reason.Reason{
	http1.Failed:         reason.ClosedBeforeResponse,
	http1.Closed:         reason.ClosedBeforeResponse,
	http1.Reset:          reason.ClosedBeforeResponse,
	http1.Timeout:        reason.ResponseTimeout,
	http1.Malformed:      reason.ResponseMalformed,
	http1.HeaderTooLarge: reason.ResponseHeaderTooLarge,
	http1.Canceled:       reason.ClientGone, // an informational response could not be passed on
	http1.RequestBody:    reason.ClientGone,
	http1.Invalid:        reason.RequestMalformed,
	http1.Refused:        reason.StreamRefused,
	http1.NoUpgrade:      reason.UpgradeUnsupported,
}

// contextReason returns why a context has ended, [None] if it has not.
func contextReason(ctx context.Context) reason.Reason {
	switch cause := context.Cause(ctx); {
	case cause == nil:
		return reason.None
	case errors.Is(cause, errDeadline), errors.Is(cause, errPerTry):
		return reason.ResponseTimeout
	case errors.Is(cause, ErrShuttingDown):
		return reason.ShuttingDown
	}
	return reason.ClientGone
}

// clientError is an error from reading the client's request body.
type clientError struct{ err error }

func (e *clientError) Error() string { return "reading the request body: " + e.err.Error() }
func (e *clientError) Unwrap() error { return e.err }

// clientReason returns how a client failed to send its request, [None] when err is not
// about that.
func clientReason(err error) reason.Reason {
	c, ok := errors.AsType[*clientError](err)
	if !ok {
		return reason.None
	}
	if _, ok := errors.AsType[*http.MaxBytesError](c.err); ok {
		return reason.RequestTooLarge
	}
	if timedOut(c.err) {
		return reason.RequestTimeout
	}
	if _, ok := errors.AsType[net.Error](c.err); ok || errors.Is(c.err, io.ErrUnexpectedEOF) {
		return reason.ClientGone
	}
	return reason.RequestMalformed
}
