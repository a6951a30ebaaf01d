package diagnose

import (
	"context"
	"fmt"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/advice/finding"
)

// Running asks a running goodgate for upstreams that it does not use, with the causes,
// for a failed reload, and for the latest failures. If it does not answer, the report
// says so.
//
// flags are the flags that commands for it need, such as "-c FILE".
func Running(ctx context.Context, c admin.Client, flags string) finding.Report {
	var r finding.Report
	var s admin.Status
	if err := c.Get(ctx, "/v1/status", &s); err != nil {
		r.NotKnown("the running goodgate: %v", err)
		return r
	}
	r.Steps = append(r.Steps, finding.Step{Subject: "the running goodgate", Name: "status", Result: fmt.Sprintf("version %s, pid %d, %s, %d recent failures", s.Version, s.PID, s.State, len(s.Failures))})
	if s.Config.Error != "" {
		r.Find(finding.Finding{
			Severity: finding.Warning, Confidence: finding.Certain, Code: "reload_failed", First: s.Config.Failed, Last: s.Config.Failed, Count: 1,
			Seen: "the last reload failed: " + s.Config.Error, Means: "the running goodgate has an older configuration than the file", Do: "correct the file (goodgate check), and reload",
			Directive: "goodgate reload " + flags,
		})
	}
	for _, p := range s.Pools {
		for _, u := range p.Upstreams {
			unused(&r, p, u, flags)
		}
	}
	failures(&r, s.Failures, flags)
	return r
}

// unused adds the cause if an upstream gets no requests or fewer than normal.
func unused(r *finding.Report, p admin.Pool, u admin.Upstream, flags string) {
	f := finding.Finding{
		Severity: finding.Warning, Confidence: finding.Certain, Upstream: "http://" + u.Address, Where: "pool " + p.Name,
		Seen: fmt.Sprintf("pool %s, %s: %s", p.Name, u.Address, u.Why),
	}
	switch {
	case u.Operator == "drain" || u.Operator == "off":
		f.Severity, f.Code = finding.Notice, "drained"
		f.Means, f.Do, f.Directive = "it gets no new requests because an operator took it out of service", "put it back into service when it is ready", "goodgate undrain "+u.Address+" "+flags
	case u.Trusted:
		f.Code, f.Reason = "checks_fail", reason.NoUpstream
		f.Means, f.Do = "the health check is wrong, or part of the application is broken", "look at the answer to the check"
	case u.Available || u.Resting:
		return
	default:
		f.Code, f.Reason = "left_out", reason.NoUpstream
		f.Means, f.Do = "it gets no requests until it is healthy again", "read the other findings about it, and its own log"
	}
	if p.Available == 0 && f.Severity == finding.Warning {
		f.Severity = finding.Error
		f.Means = "no upstream of the pool is available: requests wait, then get 503"
	}
	r.Find(f)
}

// failures counts the latest failures by reason and upstream.
func failures(r *finding.Report, list []*admin.Request, flags string) {
	byName := map[string]reason.Reason{}
	for _, why := range reason.All() {
		byName[why.String()] = why
	}
	type key struct{ reason, upstream string }
	at := map[key]*finding.Finding{}
	var order []key
	for _, q := range list {
		why, known := byName[q.Reason]
		if !known || why.Fault() == reason.FaultClient {
			continue
		}
		k := key{q.Reason, q.Upstream}
		f := at[k]
		if f == nil {
			f = &finding.Finding{
				Severity: finding.Error, Confidence: finding.Possible, Code: "recent_failures", Reason: why, Where: "pool " + q.Pool,
				Means: why.Text() + " (docs/502.md has the causes)", Do: "look at one of them", Directive: "goodgate why " + q.ID + " " + flags,
				Last: q.Start,
			}
			if q.Upstream != "" {
				f.Upstream = "http://" + q.Upstream
			}
			at[k], order = f, append(order, k)
		}
		f.Count++
		f.First = q.Start // the latest is first
		f.Seen = fmt.Sprintf("the running goodgate has had %s with the reason %s", plural(int(f.Count), "recent failure"), q.Reason)
	}
	for _, k := range order {
		r.Find(*at[k])
	}
}
