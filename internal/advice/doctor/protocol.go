package doctor

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/internal/advice/finding"
)

// Protocol is the protocol between a proxy and an upstream.
type Protocol uint8

const (
	HTTP    Protocol = iota // HTTP/1.1
	HTTP2                   // HTTP/2 from the first byte, or after the TLS handshake
	FastCGI                 //
	UWSGI                   // the protocol of uWSGI
	SCGI                    //
)

func (p Protocol) String() string {
	return [...]string{"HTTP", "HTTP/2", "FastCGI", "uwsgi", "SCGI"}[p]
}

const (
	// probeWait bounds the wait for an optional answer.
	probeWait = 2 * time.Second
	// firstWait is the wait for a mandatory answer before other protocols are tried.
	firstWait = 500 * time.Millisecond
)

// greeting returns bytes that an upstream answers without a request, and a check of the
// beginning of its answer. ok is false if the protocol has no such bytes.
func (p Protocol) greeting() (send []byte, answer func([]byte) bool, ok bool) {
	switch p {
	case HTTP2: // RFC 9113, section 3.4: each side begins with SETTINGS
		const preface, emptySettings, settings = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\x00\x00\x00\x04\x00\x00\x00\x00\x00", 4
		return []byte(preface + emptySettings), func(b []byte) bool {
			return len(b) >= 9 && b[0] == 0 && b[3] == settings && len(bytes.Trim(b[5:9], "\x00")) == 0
		}, true
	case FastCGI: // FastCGI Specification 1.0, section 4.1: FCGI_GET_VALUES
		const version, getValues, result, name = 1, 9, 10, "FCGI_MPXS_CONNS"
		record := []byte{version, getValues, 0, 0, 0, byte(2 + len(name)), 0, 0, byte(len(name)), 0}
		return append(record, name...), func(b []byte) bool { return len(b) >= 2 && b[0] == version && b[1] == result }, true
	case UWSGI: // the uwsgi protocol's modifier1 100: ping, and its answer pong
		const ping = 100
		return []byte{ping, 0, 0, 0}, func(b []byte) bool { return len(b) >= 4 && b[0] == ping && b[3] == 1 }, true
	}
	return nil, nil, false
}

// greet reports whether the listener at p speaks a protocol, and returns the first
// bytes that it sent.
func (e *examination) greet(ctx context.Context, p place, speaks Protocol, wait time.Duration) (first []byte, known bool, err error) {
	send, answers, ok := speaks.greeting()
	if !ok {
		return nil, false, nil
	}
	conn, err := e.openFor(ctx, p, speaks)
	if err != nil {
		return nil, false, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	conn.SetDeadline(time.Now().Add(min(wait, e.o.MaxWait)))
	if _, err := conn.Write(send); err != nil {
		return nil, false, err
	}
	buf := make([]byte, 64)
	n, err := io.ReadAtLeast(conn, buf, 9)
	first = buf[:n]
	if n > 0 && answers(first) {
		return first, true, nil
	}
	return first, false, err
}

func (e *examination) speaks(ctx context.Context, p place, protocol Protocol) bool {
	_, known, _ := e.greet(ctx, p, protocol, probeWait)
	return known
}

// speak checks whether an upstream speaks the proxy's protocol, if that is not
// HTTP/1.1.
func (e *examination) speak(ctx context.Context, p place) {
	began := time.Now()
	defer e.slow("waiting for %s from %s", e.Protocol, p.address)()
	first, known, err := e.greet(ctx, p, e.Protocol, firstWait)
	plain := !known && e.speaksPlain(ctx, p)
	if !known && !plain && isTimeout(err) {
		first, known, err = e.greet(ctx, p, e.Protocol, e.o.MaxWait)
	}
	took := time.Since(began)
	if !known && e.TLS == nil {
		if state, err := e.tryTLS(ctx, p, tlsWait); err == nil {
			e.failed("protocol", took, "TLS")
			f := e.plainToTLS(p, "no answer in "+e.Protocol.String())
			if e.Protocol == HTTP2 && state.NegotiatedProtocol == "h2" {
				f.Directive = set(e.Words.HTTP2TLS, e.Addr)
			}
			e.find(f)
			return
		}
	}
	switch {
	case known:
		e.step("protocol", took, "%s", e.Protocol)
	case plain:
		e.failed("protocol", took, "HTTP/1.1, not %s", e.Protocol)
		f := broken("http_only", reason.ResponseMalformed)
		f.Seen = fmt.Sprintf("%s answers HTTP/1.1, but not %s", p.address, e.Protocol)
		f.Means = fmt.Sprintf("the upstream speaks HTTP/1.1, but the proxy is configured for %s", e.Protocol)
		f.Do = "use HTTP for this upstream, or correct the address"
		f.Directive = set(e.Words.HTTP, e.Addr)
		e.find(f)
	case len(first) > 0:
		e.failed("protocol", took, "answered %s, not %s", quote(first), e.Protocol)
		f := broken("not_"+map[Protocol]string{HTTP2: "http2", FastCGI: "fastcgi", UWSGI: "uwsgi"}[e.Protocol], reason.ResponseMalformed)
		f.Seen = fmt.Sprintf("%s: answered %s", p.address, quote(first))
		f.Means = fmt.Sprintf("the program on that port does not speak %s: it is another service", e.Protocol)
		f.Do = "correct the address"
		e.find(f)
	case isTimeout(err) && e.Protocol != UWSGI:
		e.failed("protocol", took, "no answer within %s", span(took.Round(time.Millisecond)))
		e.find(finding.Finding{
			Severity: finding.Warning, Confidence: finding.Likely, Code: "no_answer", Reason: reason.ResponseTimeout,
			Seen:  fmt.Sprintf("%s accepts connections, but did not answer within %s", p.address, span(took.Round(time.Millisecond))),
			Means: "all workers of the application are busy, or it hangs", Do: "find out what the application does; give it more workers (php-fpm: pm.max_children)",
		})
	default: // not every application answers
		e.step("protocol", took, "connected; its protocol is not known")
		e.report.NotKnown("whether %s speaks %s: it accepts connections, but does not show its protocol", e.URL(), e.Protocol)
	}
}
