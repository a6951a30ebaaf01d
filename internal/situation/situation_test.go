package situation

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/health"
	"github.com/goodgate/goodgate/proxy"
	"github.com/goodgate/goodgate/reason"
)

// TestEveryRowIsWhole: each row has its texts, and every gap in them has a value.
func TestEveryRowIsWhole(t *testing.T) {
	full := Facts{Pool: "app", Upstream: "a:1", Name: "a", Error: "refused", File: "f.pem", When: "today", Status: 503, N: 1, Of: 2}
	seen := map[ID]bool{}
	for _, row := range All() {
		if seen[row.ID] || Of(row.ID) != row || !Known(row.ID) {
			t.Errorf("%s: there is another of this name", row.ID)
		}
		seen[row.ID] = true
		r := row.With(full)
		if r.Headline == "" || strings.HasSuffix(r.Headline, ".") || len(r.Headline) > 80 {
			t.Errorf("%s: headline %q", r.ID, r.Headline)
		}
		if r.Level > Notice && r.Do == "" {
			t.Errorf("%s: no next step", r.ID)
		}
		if now := regexp.MustCompile(`\b(is|are|does|do|has|takes|answers|comes|fails|fail|shows)\b`); r.Past != "" && r.CausePast == "" && now.MatchString(before(r.Cause)) {
			t.Errorf("%s: %q is in the present tense", r.ID, r.Cause)
		}
		for _, s := range []string{r.Cause, r.Do, r.CausePast, r.DoPast} {
			if s != "" && !strings.HasSuffix(s, ".") || r.Cause == "" {
				t.Errorf("%s: %q is no sentence", r.ID, s)
			}
		}
		if all := r.Headline + r.Past + r.Cause + r.CausePast + r.Do + r.DoPast; strings.ContainsAny(all, "{}") {
			t.Errorf("%s: a gap is left in %s", r.ID, all)
		}
	}
	if Known("nothing") {
		t.Error("there is a row for nothing")
	}
}

// before returns the description of the event, without the explanation after a colon.
func before(s string) string {
	s, _, _ = strings.Cut(s, ":")
	return s
}

// TestEveryReasonHasARow: there is a row for every reason of a failure.
func TestEveryReasonHasARow(t *testing.T) {
	for _, r := range reason.All() {
		id := OfReason(r, nil)
		if !Known(id) || Of(id).Reason != r && id != CertificateBad {
			t.Errorf("%v: %s, whose reason is %v", r, id, Of(id).Reason)
		}
	}
	if got := OfReason(reason.None, nil); got != Healthy {
		t.Errorf("nothing failed: %s", got)
	}
}

func TestOfAttempt(t *testing.T) {
	notYet := x509.CertificateInvalidError{Reason: x509.Expired, Cert: &x509.Certificate{NotBefore: time.Now().Add(time.Hour)}}
	expired := x509.CertificateInvalidError{Reason: x509.Expired, Cert: &x509.Certificate{NotAfter: time.Now().Add(-time.Hour)}}
	wrapped := func(err error) error {
		return fmt.Errorf("certificate of x: %w", &tls.CertificateVerificationError{Err: err})
	}
	for name, c := range map[string]struct {
		a    proxy.Attempt
		want ID
	}{
		"refused":                      {proxy.Attempt{Reason: reason.ConnectRefused, Err: syscall.ECONNREFUSED}, Refused},
		"no socket":                    {proxy.Attempt{Reason: reason.ConnectRefused, Err: &net.OpError{Err: os.NewSyscallError("connect", syscall.ENOENT)}}, SocketMissing},
		"unreachable":                  {proxy.Attempt{Reason: reason.ConnectUnreachable}, Unreachable},
		"no permission":                {proxy.Attempt{Reason: reason.ConnectUnreachable, Err: os.NewSyscallError("connect", syscall.EACCES)}, SocketForbidden},
		"no port":                      {proxy.Attempt{Reason: reason.ConnectUnreachable, Err: os.NewSyscallError("connect", syscall.EADDRNOTAVAIL)}, NoLocalPort},
		"no answer to SYN":             {proxy.Attempt{Reason: reason.ConnectTimeout}, ConnectTimeout},
		"name":                         {proxy.Attempt{Reason: reason.DNSError}, NameUnknown},
		"resolver":                     {proxy.Attempt{Reason: reason.DNSTimeout}, ResolverSilent},
		"plain HTTP":                   {proxy.Attempt{Reason: reason.TLSHandshake, Err: tls.RecordHeaderError{}}, NotTLS},
		"an alert":                     {proxy.Attempt{Reason: reason.TLSHandshake, Err: tls.AlertError(40)}, HandshakeFails},
		"expired":                      {proxy.Attempt{Reason: reason.TLSCertificate, Err: wrapped(expired)}, CertExpired},
		"not yet":                      {proxy.Attempt{Reason: reason.TLSCertificate, Err: wrapped(notYet)}, CertNotYet},
		"another name":                 {proxy.Attempt{Reason: reason.TLSCertificate, Err: wrapped(x509.HostnameError{})}, CertName},
		"another authority":            {proxy.Attempt{Reason: reason.TLSCertificate, Err: wrapped(x509.UnknownAuthorityError{})}, CertUnknownCA},
		"a pin":                        {proxy.Attempt{Reason: reason.TLSCertificate, Err: errors.New("no pin")}, CertificateBad},
		"a crash":                      {proxy.Attempt{Reason: reason.ClosedBeforeResponse}, ClosedEarly},
		"a crash on a busy connection": {proxy.Attempt{Reason: reason.ClosedBeforeResponse, Reused: true, Idle: time.Millisecond}, ClosedEarly},
		"a crash in the header":        {proxy.Attempt{Reason: reason.ClosedBeforeResponse, Reused: true, Idle: time.Minute, Received: 9}, ClosedEarly},
		"an idle connection":           {proxy.Attempt{Reason: reason.ClosedBeforeResponse, Reused: true, Idle: 5 * time.Second}, KeepAliveRace},
		"a stream":                     {proxy.Attempt{Reason: reason.StreamRefused}, StreamRefused},
		"no descriptor":                {proxy.Attempt{Reason: reason.Overloaded, Err: os.NewSyscallError("socket", syscall.EMFILE)}, OutOfFiles},
		"no place":                     {proxy.Attempt{Reason: reason.Overloaded}, Overloaded},
	} {
		if got := OfAttempt(&c.a); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}

func TestOfCheck(t *testing.T) {
	for name, c := range map[string]struct {
		err    error
		want   ID
		status int
	}{
		"passed":         {nil, Healthy, 0},
		"refused":        {&health.Error{Reason: reason.ConnectRefused, Err: errors.New("x")}, Refused, 0},
		"an answer":      {fmt.Errorf("x: %w", &health.Error{Reason: reason.UpstreamStatus, Status: 404, Err: errors.New("x")}), CheckStatus, 404},
		"a wrong body":   {&health.Error{Err: errors.New("x")}, CheckWrong, 0},
		"silence":        {&health.Error{Reason: reason.ResponseTimeout, Err: errors.New("x")}, Hangs, 0},
		"another prober": {context.DeadlineExceeded, Hangs, 0},
	} {
		if id, status := OfCheck(c.err); id != c.want || status != c.status {
			t.Errorf("%s: got %s %d, want %s %d", name, id, status, c.want, c.status)
		}
	}
}

// TestOfState: the operator's word comes before the application's, that before what
// requests and checks have found.
func TestOfState(t *testing.T) {
	refused := &health.Error{Reason: reason.ConnectRefused, Err: errors.New("x")}
	pool := func(t *testing.T, o balancer.Options) *balancer.Upstream {
		o.Name = "app"
		p, err := balancer.NewPool(o)
		if err != nil {
			t.Fatal(err)
		}
		p.Update([]balancer.Spec{{Addr: "a:1"}, {Addr: "b:1"}})
		t.Cleanup(func() { p.Update(nil) })
		members := p.Members()
		members[1].ObserveProbe(balancer.Passed, balancer.Thresholds{})
		return members[0].Upstream
	}
	checked := balancer.Options{Checked: true}
	down := func(u *balancer.Upstream) { u.ObserveProbe(balancer.Refused, balancer.Thresholds{}) }
	for name, c := range map[string]struct {
		options balancer.Options
		do      func(*balancer.Upstream)
		check   error
		want    ID
	}{
		"fine":                       {balancer.Options{}, func(*balancer.Upstream) {}, nil, Healthy},
		"drained":                    {balancer.Options{}, func(u *balancer.Upstream) { u.SetOperator(balancer.Drain) }, refused, Drained},
		"off, and down":              {checked, func(u *balancer.Upstream) { down(u); u.SetOperator(balancer.Off) }, refused, SwitchedOff},
		"it rests":                   {balancer.Options{}, func(u *balancer.Upstream) { u.Rest(time.Minute) }, nil, Leaving},
		"it drains":                  {checked, func(u *balancer.Upstream) { u.ObserveProbe(balancer.Drains, balancer.Thresholds{}) }, nil, Leaving},
		"refused by a check":         {checked, down, refused, Refused},
		"down for an unknown reason": {checked, down, nil, CheckFails},
		"refused, live":              {checked, func(u *balancer.Upstream) { u.ObserveProbe(balancer.Passed, balancer.Thresholds{}); u.Refused() }, nil, Refused},
		"not checked":                {checked, func(*balancer.Upstream) {}, nil, NotChecked},
		"first checks fail":          {checked, func(*balancer.Upstream) {}, refused, Refused},
		"its breaker is open":        {balancer.Options{MaxEjected: 1, Breaker: balancer.BreakerOptions{Enabled: true, Consecutive: 1, OpenFor: time.Minute, MaxOpenFor: time.Minute}}, fail, nil, BreakerOpen},
	} {
		u := pool(t, c.options)
		c.do(u)
		if id, _ := OfState(u, c.check); id != c.want {
			t.Errorf("%s: got %s, want %s", name, id, c.want)
		}
	}
}

// fail makes the upstream's only attempt fail.
func fail(u *balancer.Upstream) {
	for range 2 {
		m := balancer.Member{Upstream: u}
		if lease, ok := m.TryAcquire(); ok {
			lease.Report(balancer.Failure, time.Millisecond)
			lease.Release()
		}
	}
}
