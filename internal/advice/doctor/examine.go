package doctor

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/internal/advice/finding"
)

const (
	atOnce     = 16  // targets examined concurrently
	maxTargets = 500 // targets examined in total

	maxSocketPath = 107 // unix(7)
)

// Examine examines targets. It returns soon after ctx has ended.
func Examine(ctx context.Context, targets []Target, o Options) finding.Report {
	o.MaxWait = cmp.Or(o.MaxWait, 10*time.Second)
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	var all finding.Report
	if more := len(targets) - maxTargets; more > 0 {
		targets = targets[:maxTargets]
		all.NotKnown("%d more upstreams: the doctor examines at most %d", more, maxTargets)
	}
	taken := takenPorts(targets, o.Own)
	looks := make([]*examination, len(targets))
	slots := make(chan struct{}, atOnce)
	var wg sync.WaitGroup
	for i, t := range targets {
		slots <- struct{}{}
		looks[i] = &examination{Target: t, o: o, taken: taken}
		wg.Go(func() {
			defer func() { <-slots }()
			looks[i].run(ctx)
		})
	}
	wg.Wait()
	compareMembers(looks)
	for _, e := range looks {
		all.Add(e.report)
		all.Looked = append(all.Looked, e.URL())
	}
	return all
}

// examination is the examination of one target, on one goroutine.
type examination struct {
	Target
	o       Options
	report  finding.Report
	taken   map[string]bool // ports of other servers
	reached bool            // a connection has succeeded
	asked   bool            // the upstream has asked for a client certificate
	paired  bool            // the name has one address of each family, and the proxy uses either
}

func (e *examination) run(ctx context.Context) {
	places := e.lookUp(ctx)
	reached := e.connectAll(ctx, places)
	e.reached = reached != nil
	if reached == nil || e.TLS != nil && !e.handshake(ctx, *reached) {
		return
	}
	if e.Protocol != HTTP {
		e.speak(ctx, *reached)
		if e.Health != nil {
			e.report.NotKnown("the health check of %s: it does not use HTTP/1.1", e.URL())
		}
		return
	}
	a := e.ask(ctx, *reached, e.request())
	defer a.close()
	if !e.judge(ctx, *reached, a) || e.Brief {
		return
	}
	e.checkLimits(ctx, *reached, a)
	e.checkHealth(ctx, *reached)
	e.watchIdle(ctx, *reached, a)
}

// place is a network address of a target.
type place struct{ network, address string }

func (e *examination) subject() string {
	if e.Label == "" {
		return e.URL()
	}
	return e.Label + ", " + e.URL()
}

func (e *examination) step(name string, took time.Duration, format string, args ...any) {
	e.report.Steps = append(e.report.Steps, finding.Step{Subject: e.subject(), Name: name, Took: took, Result: fmt.Sprintf(format, args...)})
}

func (e *examination) failed(name string, took time.Duration, format string, args ...any) {
	e.step(name, took, format, args...)
	e.report.Steps[len(e.report.Steps)-1].Failed = true
}

// find adds a finding about the target.
func (e *examination) find(f finding.Finding) {
	f.Upstream, f.Where = e.URL(), cmp.Or(f.Where, e.Label)
	f.Because = cmp.Or(f.Because, "examined just now")
	e.report.Find(f)
}

// broken returns a finding for requests that certainly fail.
func broken(code string, why reason.Reason) finding.Finding {
	return finding.Finding{Severity: finding.Error, Confidence: finding.Certain, Code: code, Reason: why}
}

// slow reports a step as progress after a second, unless done was called before.
func (e *examination) slow(format string, args ...any) (done func()) {
	told := make(chan struct{})
	timer := time.AfterFunc(time.Second, func() {
		defer close(told)
		e.o.Progress(e.subject() + ": " + fmt.Sprintf(format, args...))
	})
	return func() {
		if !timer.Stop() {
			<-told
		}
	}
}

// dial connects within the proxy's timeout, at most MaxWait.
func (e *examination) dial(ctx context.Context, p place) (net.Conn, error) {
	if p.network == "unix" && len(p.address) > maxSocketPath { // usually a socket in a container's files
		dir, err := os.Open(filepath.Dir(p.address))
		if err != nil {
			return nil, err
		}
		defer dir.Close()
		p.address = fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(p.address))
	}
	c, err := (&net.Dialer{Timeout: e.dialLimit(), KeepAlive: -1}).DialContext(ctx, p.network, p.address)
	if err == nil && len(e.Preface) > 0 {
		if _, err = c.Write(e.Preface); err != nil {
			c.Close()
		}
	}
	return c, err
}

func (e *examination) dialLimit() time.Duration {
	if e.Dial > 0 {
		return min(e.Dial, e.o.MaxWait)
	}
	return e.o.MaxWait
}
