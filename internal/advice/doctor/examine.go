package doctor

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/internal/advice/finding"
)

// atOnce bounds how many targets are examined side by side.
const atOnce = 16

// Examine looks at targets. It returns soon after ctx has ended.
func Examine(ctx context.Context, targets []Target, o Options) finding.Report {
	o.MaxWait = cmp.Or(o.MaxWait, 10*time.Second)
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	reports := make([]finding.Report, len(targets))
	slots := make(chan struct{}, atOnce)
	var wg sync.WaitGroup
	for i, t := range targets {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			e := &examination{Target: t, o: o}
			e.run(ctx)
			reports[i] = e.report
		})
	}
	wg.Wait()
	var all finding.Report
	for _, r := range reports {
		all.Add(r)
	}
	return all
}

// examination is one look at one target, on one goroutine.
type examination struct {
	Target
	o      Options
	report finding.Report
	paired bool // the name has one address of each family, and the proxy goes by either
}

func (e *examination) run(ctx context.Context) {
	places := e.lookUp(ctx)
	reached := e.connectAll(ctx, places)
	if reached == nil {
		return
	}
	if e.TLS != nil && !e.handshake(ctx, *reached) {
		return
	}
	a := e.ask(ctx, *reached, e.request())
	defer a.close()
	if !e.judge(ctx, *reached, a) {
		return
	}
	e.checkLimits(ctx, *reached, a)
	e.checkHealth(ctx, *reached)
	e.watchIdle(ctx, *reached, a)
}

// place is where a target can be reached.
type place struct{ network, address string }

func (e *examination) subject() string {
	if e.Label == "" {
		return e.url()
	}
	return e.Label + ", " + e.url()
}

func (e *examination) step(name string, took time.Duration, format string, args ...any) {
	e.report.Steps = append(e.report.Steps, finding.Step{Subject: e.subject(), Name: name, Took: took, Result: fmt.Sprintf(format, args...)})
}

func (e *examination) failed(name string, took time.Duration, format string, args ...any) {
	e.step(name, took, format, args...)
	e.report.Steps[len(e.report.Steps)-1].Failed = true
}

// find adds a finding about this target.
func (e *examination) find(f finding.Finding) {
	f.Upstream, f.Where = e.url(), cmp.Or(f.Where, e.Label)
	e.report.Find(f)
}

// broken is a finding of which requests fail for sure.
func broken(code string, why reason.Reason) finding.Finding {
	return finding.Finding{Severity: finding.Error, Confidence: finding.Certain, Code: code, Reason: why}
}

// dial connects, within what the proxy allows or MaxWait if that is less.
func (e *examination) dial(ctx context.Context, p place) (net.Conn, error) {
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
