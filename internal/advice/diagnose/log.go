package diagnose

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/goodgate/goodgate/internal/advice/finding"
	"github.com/goodgate/goodgate/internal/advice/logs"
	"github.com/goodgate/goodgate/internal/advice/nginxlog"
	"github.com/goodgate/goodgate/internal/advice/proxylog"
)

// ErrNothingRead is the error for logs without lines.
var ErrNothingRead = errors.New("the logs have no lines")

// Logs finds out why a proxy answers with bad gateways from its logs alone (s.Logs),
// for any supported proxy. The name "-" is standard input.
func Logs(ctx context.Context, s Sources) (finding.Report, error) {
	c := newLogCase(s)
	c.tells = true
	lines := int64(0)
	for _, name := range s.Logs {
		n, err := c.read(ctx, name)
		if err != nil {
			return c.report, err
		}
		lines += n
	}
	if lines == 0 {
		return c.report, ErrNothingRead
	}
	c.align()
	c.conclude()
	c.report.Rank()
	return c.report, nil
}

// logCase has the evidence in logs.
type logCase struct {
	errors   *nginxlog.ErrorTally
	access   *nginxlog.AccessTally
	others   *proxylog.Tally
	format   *nginxlog.Format // format of access logs; nil = recognize it
	envelope logs.Envelope
	joiner   logs.Joiner
	goesOn   bool         // the last line of an error log continues in the next one
	tells    bool         // report the kind of each log
	progress func(string) // may be nil
	report   finding.Report
}

func newLogCase(s Sources) *logCase {
	c := &logCase{errors: nginxlog.NewErrorTally(), access: nginxlog.NewAccessTally(), progress: s.Look.Progress}
	c.others = proxylog.New(c.access)
	c.errors.Window, c.access.Window, c.others.Window = s.Since, s.Since, s.Since
	return c
}

// counted has the counts of one log.
type counted struct {
	lines, read int64
	kinds       map[string]int64
	strange     string // the first unreadable line
}

// read adds a log, and returns its number of lines.
func (c *logCase) read(ctx context.Context, name string) (lines int64, err error) {
	in, err := logs.Open(ctx, name)
	if err != nil {
		return 0, err
	}
	defer in.Close()
	n := counted{kinds: map[string]int64{}}
	watch := watchReading(in.Name, c.progress)
	_, err = logs.Scan(watch.reader(in), func(line []byte) { c.line(line, &n) })
	watch.stop()
	if err != nil {
		return n.lines, fmt.Errorf("%s: %w", in.Name, err)
	}
	n.lose(c.joiner.End())
	c.goesOn = false
	for _, note := range in.Notes() {
		c.report.NotKnown("%s", note)
	}
	c.told(in.Name, &n)
	return n.lines, nil
}

// lose counts unreadable lines.
func (n *counted) lose(p logs.Piece) {
	n.lines += p.Lost
	if n.strange == "" && p.Lost > 0 {
		n.strange = shown(string(p.First))
	}
}

func (c *logCase) line(line []byte, n *counted) {
	c.envelope.Inside = c.joiner.Open()
	text, at := c.envelope.Strip(line)
	c.envelope.Inside = false
	if len(text) == 0 {
		return
	}
	p := c.joiner.Add(text)
	n.lose(p)
	for i, r := range p.Records {
		lines := int64(1)
		if i == 0 {
			lines = p.Lines
		}
		inner, within := c.envelope.Strip(r)
		if within.IsZero() {
			within = at
		}
		c.record(inner, within, lines, n)
	}
	if !p.Taken {
		c.record(text, at, 1, n)
	}
}

// record adds a record of one or more lines.
func (c *logCase) record(text []byte, at time.Time, lines int64, n *counted) {
	n.lines += lines
	kind := ""
	switch {
	case c.errors.Line(text, at):
		kind = "nginx error log"
	case c.goesOn:
		n.read += lines
		c.goesOn = !bytes.Contains(text, []byte(`" while `))
		return
	case c.format != nil && c.access.Line(text, c.format):
		kind = "access log"
	case c.others.Line(text, at):
		kind = "another proxy's log"
	case c.access.Line(text, nil):
		kind = "access log"
	case starting(text):
		kind = "nginx container"
	default:
		if n.strange == "" {
			n.strange = shown(string(text))
		}
		return
	}
	c.goesOn = kind == "nginx error log" && nginxlog.GoesOn(text)
	n.read += lines
	n.kinds[kind]++
}

// starting reports whether a line is from the start of nginx's official image.
func starting(text []byte) bool {
	name, _, ok := bytes.Cut(text[:min(len(text), 64)], []byte(".sh: "))
	return ok && (bytes.HasSuffix(name, []byte("docker-entrypoint")) || len(name) > 3 && name[2] == '-')
}

// shown returns a line of a log in a form that may be shown: without query strings, and
// not too long.
func shown(text string) string {
	const longest, looked = 160, 2048
	text = text[:min(len(text), looked)]
	for from := 0; ; {
		i := strings.IndexByte(text[from:], '?')
		if i < 0 {
			break
		}
		i += from + 1
		end := i
		for end < len(text) && text[end] != ' ' && text[end] != '"' {
			end++
		}
		text, from = text[:i]+text[end:], i
	}
	if len(text) > longest {
		text = strings.ToValidUTF8(text[:longest], "") + "..."
	}
	return text
}

// told reports the kind of a log, and whether too many lines were unreadable.
func (c *logCase) told(name string, n *counted) {
	var kinds []string
	for _, k := range slices.Sorted(maps.Keys(n.kinds)) {
		if k == "another proxy's log" {
			k = strings.Join(slices.Sorted(maps.Keys(c.others.Lines)), ", ")
		}
		kinds = append(kinds, k)
	}
	what := strings.Join(kinds, ", ")
	if what == "" {
		what = "of no known format"
	}
	if c.tells {
		c.report.Steps = append(c.report.Steps, finding.Step{Subject: "logs", Name: "log", Result: fmt.Sprintf("%s: %d lines, %s", name, n.lines, what)})
		if n.lines == 0 {
			c.report.NotKnown("%s: it has no lines", name)
		}
	}
	if f, ok := unreadable(name, n.lines, n.read, n.strange); ok {
		c.report.Find(f)
	} else if n.read < n.lines {
		c.report.NotKnown("%d of %d lines of %s: their format is unknown, for example %q", n.lines-n.read, n.lines, name, n.strange)
	}
}

// unreadable returns the finding for a log with less than half of its lines readable.
func unreadable(name string, lines, read int64, strange string) (f finding.Finding, ok bool) {
	if lines == 0 || 2*read >= lines {
		return f, false
	}
	return finding.Finding{
		Severity: finding.Warning, Confidence: finding.Certain, Code: "log_unreadable", Where: name,
		Seen:  fmt.Sprintf("could not read %d of %d lines of %s, such as %q", lines-read, lines, name, strange),
		Means: "the doctor could not read most of this log: it is not from nginx, HAProxy, Caddy, Traefik, Envoy or goodgate, or has a custom format",
		Do:    "give the error log (nginx: error_log); for a custom log_format, give the configuration that defines it: --nginx nginx.conf --log FILE",
	}, true
}

// align gives all logs the same end, if the zone of nginx's clock is known.
func (c *logCase) align() { alignEnds(c.errors, c.access) }

func alignEnds(e *nginxlog.ErrorTally, a *nginxlog.AccessTally) {
	e.Zone = cmp.Or(e.Zone, a.Zone)
	if e.Lines == 0 || a.End.IsZero() || e.Zone == nil {
		return
	}
	e.EndsAt(a.End)
	if end := e.Ended(); end.After(a.End) {
		a.End = end
	}
}

// conclude turns the counts into findings.
func (c *logCase) conclude() {
	var list []finding.Finding
	for _, f := range c.errors.Failures() {
		if n, ok := ofFailures(f, c.errors.Window); ok {
			c.report.Timeline = append(c.report.Timeline, span(&n, f))
			list = append(list, n)
		}
	}
	for _, e := range c.others.Ended() {
		n := ofEnded(e, c.others.Window)
		c.report.Timeline = append(c.report.Timeline, span(&n, &e.Failures))
		list = append(list, n)
	}
	list = crashLoop(list)
	list = c.clockwork(list)
	share(list, c.access)
	list = append(list, c.unexplained(list, asUpstream)...)
	for _, f := range list {
		c.report.Find(f)
	}
	c.untimed(list)
	for _, u := range []nginxlog.Unknown{c.errors.Unknown, c.others.Unknown} {
		if f, ok := notUnderstood(u); ok {
			c.report.Find(f)
		}
	}
}

// untimed notes the missing data that would distinguish a worker's timeout from a
// crash.
func (c *logCase) untimed(list []finding.Finding) {
	broken := func(f finding.Finding) bool {
		return f.Severity == finding.Error && (f.Code == "closed_before_response" || f.Code == "gateway_errors")
	}
	if c.access.Lines > 0 && !c.access.Timed && slices.ContainsFunc(list, broken) {
		c.report.NotKnown("the time after which requests failed: add $upstream_response_time and $upstream_addr to log_format")
	}
}

// notUnderstood returns the finding for lines without a matching row.
func notUnderstood(u nginxlog.Unknown) (f finding.Finding, ok bool) {
	if u.Count == 0 {
		return f, false
	}
	var samples []string
	for _, s := range u.Samples {
		samples = append(samples, fmt.Sprintf("%q", shown(s)))
	}
	return finding.Finding{
		Severity: finding.Warning, Confidence: finding.Certain, Code: "not_understood", Count: u.Count,
		Seen:  "unknown messages about upstreams, for example " + strings.Join(samples, ", "),
		Means: "something failed, but the doctor does not know these messages",
		Do:    "read them in the log; they may explain what the other findings do not",
	}, true
}
