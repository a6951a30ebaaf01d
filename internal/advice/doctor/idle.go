package doctor

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/internal/advice/finding"
)

// watchIdle determines how long the upstream keeps an idle connection: it reads the
// upstream's own announcement, or waits until the upstream closes one.
func (e *examination) watchIdle(ctx context.Context, p place, a *answer) {
	if a.conn == nil {
		e.step("keep-alive", 0, "the upstream closes the connection after the answer")
		return
	}
	kept, how := announced(a), "says Keep-Alive: timeout="
	switch {
	case kept > 0:
		how += strconv.Itoa(int(kept / time.Second))
		e.step("keep-alive", 0, "the upstream %s", how)
	case e.o.Wait > 0:
		a = e.ask(ctx, p, e.request()) // the first connection has been idle for some time
		defer a.close()
		if a.conn == nil {
			return
		}
		e.o.Progress(fmt.Sprintf("%s: watching an idle connection for up to %s", e.subject(), span(e.o.Wait)))
		if !e.waitEnd(ctx, a) {
			e.step("keep-alive", time.Since(a.idle), "an idle connection was still open after %s", span(e.o.Wait))
			return
		}
		kept = time.Since(a.idle)
		how = fmt.Sprintf("closed an idle connection after %s", span(kept.Round(10*time.Millisecond)))
		e.step("keep-alive", kept, "the upstream %s", how)
	default:
		if e.Keepalive > 0 && !e.Learns {
			e.report.NotKnown("how long %s keeps an idle connection: it does not announce this; --wait 75s finds out", e.URL())
		}
		return
	}
	e.judgeKeepalive(kept, how)
}

// judgeKeepalive compares the idle timeouts of both sides.
func (e *examination) judgeKeepalive(kept time.Duration, how string) {
	if e.Learns || e.Keepalive == 0 || e.Keepalive < kept {
		return
	}
	f := KeepaliveRace(kept, e.Keepalive, e.Words)
	f.Seen = fmt.Sprintf("the upstream %s; the proxy keeps an idle connection for %s", how, span(e.Keepalive))
	e.find(f)
}

// KeepaliveRace returns the finding that the upstream closes idle connections (after
// kept) before the proxy does (after keeps).
func KeepaliveRace(kept, keeps time.Duration, w Words) finding.Finding {
	f := finding.Finding{
		Severity: finding.Warning, Confidence: finding.Certain, Code: "keepalive_race", Reason: reason.ClosedBeforeResponse,
		Means: "the upstream closes a connection just as the proxy sends a request on it: now and then a request fails, more often a POST, because it cannot be retried",
		Do: fmt.Sprintf("make the proxy close first, or make the application keep connections longer than %s (Node: server.keepAliveTimeout = %d)",
			span(keeps), (keeps + 5*time.Second).Milliseconds()),
	}
	f.Directive = set(w.Keepalive, SafeKeepalive(kept))
	return f
}

// SafeKeepalive returns a safe idle timeout for a proxy whose upstream closes
// connections after kept.
func SafeKeepalive(kept time.Duration) time.Duration {
	if kept >= 2*time.Second {
		return min(kept*4/5, kept-time.Second).Truncate(time.Second)
	}
	return max(kept*4/5, time.Millisecond).Truncate(time.Millisecond)
}

// announced returns the timeout parameter of the Keep-Alive header, 0 without one.
func announced(a *answer) time.Duration {
	for part := range strings.SplitSeq(a.response.Header.Get("Keep-Alive"), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		if strings.EqualFold(name, "timeout") {
			n, err := strconv.Atoi(strings.TrimSpace(value))
			if err == nil && n > 0 && n < 1<<20 {
				return time.Duration(n) * time.Second
			}
		}
	}
	return 0
}

// waitEnd reports whether the upstream closes the connection within Wait.
func (e *examination) waitEnd(ctx context.Context, a *answer) bool {
	a.conn.SetDeadline(a.idle.Add(e.o.Wait))
	stop := context.AfterFunc(ctx, func() { a.conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	_, err := a.rest.Peek(1)
	return err != nil && !isTimeout(err)
}
