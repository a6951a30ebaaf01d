package doctor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"syscall"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/internal/advice/finding"
)

// skewed is the smallest reported difference between clocks. Date has whole seconds,
// and the answer takes some time.
const skewed = 30 * time.Second

// clockLeast is the shortest duration of a request that may have ended because of a
// timeout.
const clockLeast = 900 * time.Millisecond

// judge examines the answer to the plain request, and reports whether there was one.
func (e *examination) judge(ctx context.Context, p place, a *answer) bool {
	if a.response == nil {
		e.failed("request", a.took, "%s: %s", a.request, a.trouble())
		switch {
		case e.asked && len(a.first) == 0 && !isTimeout(a.err):
			e.clientCertificate(p, a.err)
		case (a.closed() || len(e.Preface) > 0) && e.wantsPROXY(ctx, p):
		default:
			e.find(e.noAnswer(ctx, p, a))
		}
		return false
	}
	r := a.response
	e.step("request", a.took, "%s: %s, %s, header %d bytes%s", a.request, r.Proto, r.Status, a.header, server(r))
	if e.TLS == nil && r.StatusCode == http.StatusBadRequest && e.speaksTLS(ctx, p) {
		e.find(e.plainToTLS(p, r.Status))
		return false
	}
	e.judgeTime(a)
	e.judgeHeader(a)
	e.judgeStatus(ctx, p, a)
	e.judgeClock(a)
	e.judgeBody(a)
	return true
}

// judgeBody examines the end of the body. A body without a length may be endless, for
// example server-sent events.
func (e *examination) judgeBody(a *answer) {
	f := broken("truncated", reason.ResponseTruncated)
	switch {
	case a.bodyErr == nil:
		return
	case isTimeout(a.bodyErr) && a.response.ContentLength < 0:
		e.step("body", 0, "%d bytes, and no end within %s", len(a.body), span(e.o.MaxWait))
		return
	case isTimeout(a.bodyErr):
		f = finding.Finding{Severity: finding.Warning, Confidence: finding.Likely, Code: "response_stalled", Reason: reason.ResponseStalled}
		f.Seen = fmt.Sprintf("the answer to %s has %d of %d bytes of its body after %s", a.request, len(a.body), a.response.ContentLength, span(e.o.MaxWait))
		f.Means, f.Do = "the application paused in the middle of a response", "find out what the application waits for"
	case errors.Is(a.bodyErr, io.ErrUnexpectedEOF), errors.Is(a.bodyErr, syscall.ECONNRESET):
		f.Seen = fmt.Sprintf("the answer to %s broke off in its body after %d bytes: %v", a.request, len(a.body), a.bodyErr)
		f.Means, f.Do = "the application ended in the middle of the response, or sends fewer bytes than its Content-Length says", "check the application's log"
	default:
		f = broken("invalid_chunks", reason.ResponseMalformed)
		f.Seen = fmt.Sprintf("the body of the answer to %s is not valid after %d bytes: %v", a.request, len(a.body), a.bodyErr)
		f.Means, f.Do = "the application sends the body of a chunked response without chunks, or with invalid ones", "check what the application sends (curl --raw)"
	}
	e.find(f)
}

func server(r *http.Response) string {
	if s := r.Header.Get("Server"); s != "" {
		return ", " + quote([]byte(s))
	}
	return ""
}

func (a *answer) trouble() string {
	switch {
	case len(a.first) > 0:
		return "answered " + quote(a.first)
	case isTimeout(a.err):
		return "no answer within " + span(a.took.Round(time.Millisecond))
	case a.closed():
		return "the connection was closed without an answer"
	}
	return fmt.Sprint(a.err)
}

// closed reports whether the upstream ended the connection instead of answering.
func (a *answer) closed() bool {
	return errors.Is(a.err, io.EOF) || errors.Is(a.err, io.ErrUnexpectedEOF) ||
		errors.Is(a.err, syscall.ECONNRESET) || errors.Is(a.err, syscall.EPIPE)
}

// noAnswer returns the cause of a request without an answer. It first checks whether
// the upstream speaks something other than HTTP/1.1 without TLS.
func (e *examination) noAnswer(ctx context.Context, p place, a *answer) finding.Finding {
	if !isTimeout(a.err) && (e.TLS == nil || len(a.first) == 0) {
		if e.TLS == nil && e.speaksTLS(ctx, p) {
			return e.plainToTLS(p, a.trouble())
		}
		if e.speaks(ctx, p, HTTP2) {
			f := broken("http2_only", reason.ResponseMalformed)
			f.Seen = fmt.Sprintf("%s: %s to an HTTP/1.1 request, but it answers HTTP/2", p.address, a.trouble())
			f.Means = "the upstream speaks only HTTP/2 (like gRPC servers), but the proxy is configured for HTTP/1.1"
			f.Do = "use HTTP/2 for this upstream, or enable HTTP/1.1 in the application"
			f.Directive = set(e.Words.HTTP2, e.Addr)
			if e.TLS != nil {
				f.Directive = set(e.Words.HTTP2TLS, e.Addr)
			}
			return f
		}
		if f, found := e.otherProtocol(ctx, p, a); found && e.TLS == nil {
			return f
		}
	}
	what := fmt.Sprintf("%s at %s: %s", a.request, p.address, a.trouble())
	switch {
	case errors.Is(a.err, errHeaderTooLarge):
		f := broken("header_too_large", reason.ResponseHeaderTooLarge)
		f.Seen, f.Means, f.Do = what, "no proxy accepts a header of this size", "find out in the application what sets so many headers or cookies"
		return f
	case isTimeout(a.err):
		f := broken("no_answer", reason.ResponseTimeout)
		f.Seen = what
		f.Means = "the application accepts connections but does not answer: all its workers are busy, or it hangs"
		f.Do = "find out what the application does (its log, a stack dump); longer timeouts help only if it answers at all"
		if e.Response > e.o.MaxWait {
			f.Severity, f.Confidence = finding.Warning, finding.Likely
			f.Seen += fmt.Sprintf(" (the doctor waits no longer; the proxy waits %s)", span(e.Response))
		}
		return f
	case len(a.first) > 0 && !bytes.HasPrefix(a.first, []byte("HTTP/")):
		f := broken("not_http", reason.ResponseMalformed)
		f.Seen = what
		f.Means = "the program on that port does not speak HTTP: it is another service"
		f.Do = "correct the port"
		return f
	}
	f := broken("closed_without_answer", reason.ClosedBeforeResponse)
	f.Seen = what
	if a.took >= clockLeast {
		f.Code, f.Confidence, f.Because = "worker_timeout", finding.Likely, "a crash usually comes at once"
		f.Seen += fmt.Sprintf(" after %s", span(a.took.Round(time.Millisecond)))
		f.Means = "the application's own timeout stops the worker during the request (gunicorn: --timeout, 30 s unless set; uwsgi: harakiri; PHP-FPM: request_terminate_timeout)"
		f.Do = "make the request faster, or give the worker more time"
		f.Directive = fmt.Sprintf("gunicorn --timeout %d", int((2*a.took+time.Second)/time.Second))
		return f
	}
	f.Means = "the application closes the connection instead of answering: it crashes, or refuses this client"
	f.Do = "check the application's log at this moment"
	return f
}

func (e *examination) speaksTLS(ctx context.Context, p place) bool {
	_, err := e.tryTLS(ctx, p, tlsWait)
	return err == nil
}

func (e *examination) plainToTLS(p place, saw string) finding.Finding {
	f := broken("plain_to_tls_port", reason.ResponseMalformed)
	f.Seen = fmt.Sprintf("%s: %s to a request without TLS, but it completes a TLS handshake", p.address, saw)
	f.Means = "the port speaks TLS, but the proxy is configured for plain HTTP"
	f.Do = "use https:// for this upstream, or the upstream's port without TLS"
	f.Directive = set(e.Words.HTTPS, e.Addr)
	return f
}

// otherProtocol recognizes ports of application servers that do not speak HTTP.
func (e *examination) otherProtocol(ctx context.Context, p place, a *answer) (finding.Finding, bool) {
	for _, o := range []struct {
		protocol Protocol
		code     string
		words    string
	}{{FastCGI, "fastcgi_only", e.Words.FastCGI}, {UWSGI, "uwsgi_only", e.Words.UWSGI}} {
		if !e.speaks(ctx, p, o.protocol) {
			continue
		}
		f := broken(o.code, reason.ResponseMalformed)
		f.Seen = fmt.Sprintf("%s: %s to an HTTP request, but it answers %s", p.address, a.trouble(), o.protocol)
		f.Means = fmt.Sprintf("the port speaks %s, but the proxy is configured for HTTP", o.protocol)
		f.Do = "speak " + o.protocol.String() + " to it, or the application's HTTP port"
		f.Directive = set(o.words, e.Addr)
		return f, true
	}
	return finding.Finding{}, false
}

// judgeTime compares the time to the response header with the proxy's timeout.
func (e *examination) judgeTime(a *answer) {
	if e.Response == 0 || a.took < e.Response/2 {
		return
	}
	enough := (a.took*3/2 + time.Second).Round(time.Second)
	f := finding.Finding{
		Severity: finding.Warning, Confidence: finding.Certain, Code: "slow_answer", Reason: reason.ResponseTimeout,
		Seen:  fmt.Sprintf("%s took %s until the response header; the proxy waits %s", a.request, span(a.took.Round(time.Millisecond)), span(e.Response)),
		Means: "with a little more load, requests time out",
		Do:    "make the request faster (a slow query, a cold cache), or wait longer",
	}
	if a.took >= e.Response {
		f.Severity, f.Means = finding.Error, "the proxy gives up before the application answers"
	}
	f.Directive = set(e.Words.Response, enough)
	e.find(f)
}

func (e *examination) judgeHeader(a *answer) {
	if e.MaxHeader == 0 || a.header <= e.MaxHeader*3/4 {
		return
	}
	f := finding.Finding{
		Severity: finding.Warning, Confidence: finding.Certain, Code: "header_size", Reason: reason.ResponseHeaderTooLarge,
		Seen:  fmt.Sprintf("the response header of %s has %d bytes; the proxy accepts %d", a.request, a.header, e.MaxHeader),
		Means: "with a longer cookie, the proxy will refuse it",
		Do:    "send fewer and smaller headers (usually cookies), or raise the limit",
	}
	if a.header > e.MaxHeader {
		f.Severity, f.Means = finding.Error, "the proxy refuses the response"
	}
	f.Directive = set(e.Words.MaxHeader, headerRoom(a.header)>>10)
	e.find(f)
}

// headerRoom returns a power of two that is at least half as large again as header.
func headerRoom(header int) int {
	size := 4096
	for size < header*3/2 {
		size *= 2
	}
	return size
}

func (e *examination) judgeClock(a *answer) {
	date, err := http.ParseTime(a.response.Header.Get("Date"))
	if err != nil {
		return
	}
	if skew := time.Until(date).Round(time.Second); skew.Abs() > skewed {
		e.find(finding.Finding{
			Severity: finding.Notice, Confidence: finding.Certain, Code: "clock_skew",
			Seen:  fmt.Sprintf("the upstream's clock is %s off (Date: %s)", skew, a.response.Header.Get("Date")),
			Means: "the logs of the two machines do not match, and certificates, tokens and caches may be judged wrongly", Do: "set the clocks (chronyc tracking)",
		})
	}
}
