package situation

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"syscall"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/health"
	"github.com/goodgate/goodgate/proxy"
	"github.com/goodgate/goodgate/reason"
)

// byReason maps the reasons that alone determine a situation.
var byReason = map[reason.Reason]ID{
	reason.NoRoute: NoRoute, reason.NoUpstream: NoUpstream, reason.HoldExpired: HoldExpired, reason.RateLimited: RateLimited,
	reason.Overloaded: Overloaded, reason.DNSError: NameUnknown, reason.DNSTimeout: ResolverSilent, reason.ConnectRefused: Refused,
	reason.ConnectUnreachable: Unreachable, reason.ConnectTimeout: ConnectTimeout, reason.TLSHandshake: HandshakeFails,
	reason.TLSCertificate: CertificateBad, reason.ClosedBeforeResponse: ClosedEarly, reason.StreamRefused: StreamRefused,
	reason.ResponseTimeout: ResponseTimeout, reason.ResponseMalformed: NotHTTP, reason.ResponseHeaderTooLarge: HeaderTooLarge,
	reason.ResponseTruncated: Truncated, reason.ResponseStalled: Stalled, reason.UpstreamStatus: AnswersError,
	reason.ClientGone: ClientGone, reason.RequestMalformed: MalformedByPeer, reason.RequestTooLarge: TooLarge,
	reason.RequestTimeout: SentTooSlowly, reason.UpgradeUnsupported: UpgradeFails, reason.LoopDetected: Loop,
	reason.AccessDenied: AccessDenied, reason.Unauthorized: Unauthorized, reason.AuthUnavailable: AuthAway, reason.CrossOrigin: CrossOrigin,
	reason.Paused: Paused, reason.Maintenance: Maintenance, reason.FaultInjected: Faults, reason.ShuttingDown: ShuttingDown, reason.Internal: Internal,
}

// OfReason returns the situation for a reason and the error behind it, which may be nil.
// None gives [Healthy].
func OfReason(why reason.Reason, err error) ID {
	switch why {
	case reason.None:
		return Healthy
	case reason.Overloaded:
		if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
			return OutOfFiles
		}
	case reason.ConnectRefused:
		if errors.Is(err, syscall.ENOENT) {
			return SocketMissing
		}
	case reason.ConnectUnreachable:
		switch {
		case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
			return SocketForbidden
		case errors.Is(err, syscall.EADDRNOTAVAIL):
			return NoLocalPort
		}
	case reason.TLSHandshake:
		if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
			return NotTLS
		}
	case reason.TLSCertificate:
		return ofCertificate(err)
	}
	return byReason[why]
}

// ofCertificate returns the situation for a certificate error.
func ofCertificate(err error) ID {
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		if invalid.Cert != nil && time.Now().Before(invalid.Cert.NotBefore) {
			return CertNotYet
		}
		return CertExpired
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return CertName
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return CertUnknownCA
	}
	return CertificateBad
}

// OfAttempt returns the situation that a failed attempt shows.
func OfAttempt(a *proxy.Attempt) ID {
	if a.Reason == reason.ClosedBeforeResponse && a.Reused && a.Idle >= raceIdle && a.Received == 0 {
		return KeepAliveRace
	}
	return OfReason(a.Reason, a.Err)
}

// raceIdle is the least idle time of a connection after which its end counts as the end
// of keep-alive, and not as a crash.
const raceIdle = 500 * time.Millisecond

// OfCheck returns the situation of a failed health check, and the status of its answer, 0
// if the status was not the failure. A nil error gives [Healthy].
func OfCheck(err error) (id ID, status int) {
	if err == nil {
		return Healthy, 0
	}
	why, status := health.Cause(err)
	switch why {
	case reason.None:
		return CheckWrong, 0
	case reason.UpstreamStatus:
		return CheckStatus, status
	case reason.ResponseTimeout:
		return Hangs, 0
	}
	return OfReason(why, err), 0
}

// OfState returns the situation of an upstream, by its state and the error of its last
// health check; [Healthy] for an upstream that simply takes requests.
func OfState(u *balancer.Upstream, check error) (id ID, status int) {
	switch {
	case u.Operator() == balancer.Drain:
		return Drained, 0
	case u.Operator() == balancer.Off:
		return SwitchedOff, 0
	case u.Lifecycle() == balancer.NotReady:
		return FoundUnready, 0
	case u.Lifecycle() == balancer.Terminating:
		return FoundEnding, 0
	case u.Resting(), u.Health() == balancer.Draining && !u.Trusted():
		return Leaving, 0
	case u.Breaker() == balancer.Open:
		return BreakerOpen, 0
	case u.Trusted():
		return CheckIsWrong, 0
	case u.RefusedLive():
		return Refused, 0
	case u.Health() == balancer.Down, u.Health() == balancer.Checking && check != nil:
		if check == nil {
			return CheckFails, 0
		}
		return OfCheck(check)
	case u.Health() == balancer.Checking:
		return NotChecked, 0
	case u.Early():
		return EarlyTrial, 0
	case u.Breaker() == balancer.HalfOpen:
		return Trial, 0
	case u.Slow():
		return Slow, 0
	case u.Warming():
		return Warming, 0
	}
	return Healthy, 0
}
