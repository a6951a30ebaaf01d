package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"syscall"
)

// dialReason tells why a connection could not be made.
func dialReason(err error) Reason {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		if dns.IsTimeout {
			return DNSTimeout
		}
		return DNSError
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOENT): // ENOENT: no such socket file
		return ConnectRefused
	case timedOut(err):
		return ConnectTimeout
	}
	return ConnectUnreachable
}

// timedOut reports whether err is a deadline's. Unlike os.IsTimeout it sees
// through what http.Transport wraps errors in.
func timedOut(err error) bool {
	e, ok := errors.AsType[net.Error](err)
	return ok && e.Timeout()
}

// tlsReason tells why a TLS handshake failed: over the certificate, or
// otherwise.
func tlsReason(err error) Reason {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return TLSCertificate
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return TLSCertificate
	}
	return TLSHandshake
}

// classify tells what became of a try that brought no response. It asks, in
// this order, who ended it, whether there was a connection, and what the
// connection saw.
func (l *link) classify(ctx context.Context, t *trace, err error) *Error {
	e := &Error{Reason: l.failure(ctx, t, err), Sent: t.wasSent(), Err: err}
	if dial, ok := errors.AsType[*Error](err); ok {
		e.Err = dial.Err
	}
	return e
}

func (l *link) failure(ctx context.Context, t *trace, err error) Reason {
	if r := contextReason(ctx); r == ResponseTimeout && t.conn == nil {
		return ConnectTimeout
	} else if r != None {
		return r
	}
	if dial, ok := errors.AsType[*Error](err); ok {
		return dial.Reason
	}
	if t.conn == nil {
		return ConnectUnreachable
	}
	switch {
	case timedOut(err):
		return ResponseTimeout
	case t.bytesReceived() >= l.opts.MaxResponseHeader:
		return ResponseHeaderTooLarge
	case t.bytesReceived() == 0 || t.conn.ended.Load():
		return ClosedBeforeResponse
	}
	return ResponseMalformed
}

// contextReason tells who ended a context, [None] if it has not ended.
func contextReason(ctx context.Context) Reason {
	switch cause := context.Cause(ctx); {
	case cause == nil:
		return None
	case errors.Is(cause, errDeadline), errors.Is(cause, errPerTry):
		return ResponseTimeout
	}
	return ClientGone
}

// clientError is an error in reading the client's request body.
type clientError struct{ err error }

func (e *clientError) Error() string { return "reading the request body: " + e.err.Error() }
func (e *clientError) Unwrap() error { return e.err }

// clientReason tells how a client failed to send its request, [None] when err
// is not about that.
func clientReason(err error) Reason {
	c, ok := errors.AsType[*clientError](err)
	if !ok {
		return None
	}
	if _, ok := errors.AsType[*http.MaxBytesError](c.err); ok {
		return RequestTooLarge
	}
	if timedOut(c.err) {
		return RequestTimeout
	}
	if _, ok := errors.AsType[net.Error](c.err); ok || errors.Is(c.err, io.ErrUnexpectedEOF) {
		return ClientGone
	}
	return RequestMalformed
}
