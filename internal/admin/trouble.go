package admin

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/goodgate/goodgate/reason"
)

// Trouble is something that makes requests fail or slow, or is about to, in
// plain words.
type Trouble struct {
	Level    string `json:"level"` // error: clients see it; warning: they do not, or not yet
	Pool     string `json:"pool,omitempty"`
	Upstream string `json:"upstream,omitempty"`
	Reason   string `json:"reason,omitempty"` // the word of log and metrics, when there is one
	Text     string `json:"text"`             // what is seen
	Do       string `json:"do"`               // what to look at
}

const (
	isError   = "error"
	isWarning = "warning"
)

// What is slow enough to be told of, for those who have not said what slow is.
const slowRequests = time.Second

// symptom is what a reason means to who looks after an upstream.
type symptom struct{ text, do string }

// symptoms has all reasons that are an upstream's fault.
var symptoms = map[reason.Reason]symptom{
	reason.NoUpstream:             {"no upstream was available", "Look at what is said of each upstream."},
	reason.HoldExpired:            {"no upstream became available in time", "Look at what is said of each upstream."},
	reason.DNSError:               {"its name could not be resolved", "Check the name, and the resolver of this machine (/etc/resolv.conf)."},
	reason.DNSTimeout:             {"the resolver did not answer", "Check the resolver of this machine (/etc/resolv.conf)."},
	reason.ConnectRefused:         {"it refuses connections: nothing listens at that address", "Start the application there, or correct the address."},
	reason.ConnectUnreachable:     {"there is no way to it in the network", "Check the address, the routes, and firewalls."},
	reason.ConnectTimeout:         {"it does not take connections in time", "Its machine is away, a firewall drops packets, or it has too many connections waiting."},
	reason.TLSHandshake:           {"TLS with it fails", "Does it speak TLS at that port, and which versions? goodgate doctor looks."},
	reason.TLSCertificate:         {"its certificate is not accepted", "Check its names, its end and who signed it, and tls.ca and tls.server_name of the pool."},
	reason.ClosedBeforeResponse:   {"it closes connections without an answer", "It crashes, restarts, or kills its workers: look into its own log."},
	reason.StreamRefused:          {"it turns streams away", "It restarts, or allows fewer streams than it gets."},
	reason.ResponseTimeout:        {"it does not answer in time", "It is too slow for timeouts.response_header or retry.per_try: look at what it waits for."},
	reason.ResponseMalformed:      {"its answers are no HTTP", "Does this port belong to the application, and does it speak the pool's protocol?"},
	reason.ResponseHeaderTooLarge: {"its answers have too large a header", "Look for cookies that grow."},
	reason.ResponseTruncated:      {"its answers break off", "It crashes or is killed in the middle of an answer: look into its own log."},
	reason.ResponseStalled:        {"its answers stop in the middle", "Look at what it waits for; timeouts.idle is the longest pause."},
	reason.UpstreamStatus:         {"it answers with an error itself", "The error is the application's own: look into its log."},
}

// troubles finds what is wrong, the worst first.
func troubles(s *Status) []Trouble {
	list := []Trouble{}
	if s.Config.Error != "" {
		list = append(list, Trouble{Level: isWarning, Text: "The configuration could not be reloaded; the last good one stays in use: " + s.Config.Error,
			Do: "Correct the file and reload; goodgate check says whether it is right."})
	}
	for i := range s.Pools {
		list = append(list, s.Pools[i].troubles()...)
	}
	slices.SortStableFunc(list, func(a, b Trouble) int { return cmp.Compare(a.Level, b.Level) })
	return list
}

func (p *Pool) troubles() (list []Trouble) {
	add := func(t Trouble) {
		t.Pool = p.Name
		list = append(list, t)
	}
	if p.SourceError != "" {
		t := Trouble{Level: isError, Reason: word(p.missing), Text: "Its upstreams could not be looked up: " + p.SourceError,
			Do: cmp.Or(symptoms[p.missing].do, "Correct what is said of them, or where they are looked up.")}
		if p.Available > 0 {
			t.Level, t.Text = isWarning, t.Text+". Those known before are used."
		}
		add(t)
	}
	if p.Available == 0 && len(p.Upstreams) > 0 {
		add(Trouble{Level: isError, Reason: reason.NoUpstream.String(), Text: "No upstream takes requests: they wait, and then fail.", Do: symptoms[reason.NoUpstream].do})
	}
	if n := p.sum.overloaded; n > 0 {
		add(p.overload(n))
	}
	for i := range p.Upstreams {
		if t, ok := p.Upstreams[i].trouble(p); ok {
			add(t)
		}
	}
	if t, ok := p.slowness(); ok {
		add(t)
	}
	return list
}

func (p *Pool) overload(refused uint64) Trouble {
	t := Trouble{
		Level: isError, Reason: reason.Overloaded.String(),
		Text: fmt.Sprintf("Overloaded: %d of %d requests in the last minute were refused, since more come than the upstreams may have.", refused, p.sum.requests),
		Do:   "Add upstreams, make them faster, or raise the limit that is full (max_in_flight, concurrency.max, limits.max_requests) if they can take more.",
	}
	if p.Places > 0 {
		t.Text += fmt.Sprintf(" Now %d of %d places are taken, and %d wait.", p.InFlight, p.Places, p.Demand.Queued)
	}
	return t
}

// trouble says what is wrong with an upstream.
func (u *Upstream) trouble(p *Pool) (Trouble, bool) {
	t := Trouble{Level: isWarning, Upstream: u.Address}
	m := &u.Minute
	operator := u.Operator != "ready"
	switch {
	case m.Failed > 0:
		t.Reason = mostOf(m.Reasons)
		sick := symptomOf(t.Reason)
		what := sick.text
		if m.Status != 0 && t.Reason == reason.UpstreamStatus.String() {
			what = fmt.Sprintf("it answers %d itself", m.Status)
		}
		t.Text = fmt.Sprintf("%d of %d attempts on it in the last minute failed: %s.", m.Failed, m.Attempts, what)
		t.Do = sick.do
		switch {
		case p.sum.escaped > 0:
			t.Level = isError
			t.Text += fmt.Sprintf(" %d of %d requests to the pool ended with an error.", p.sum.escaped, p.sum.requests)
		default:
			t.Text += " Clients noticed nothing."
		}
		if !u.Available {
			t.Text += " Now: " + u.Why + "."
		}
	case !u.Available && !operator && !u.Resting:
		t.Text, t.Do = "It gets no requests: "+u.Why+".", "See what it answers to the check; docs/health.md says how checks work."
	case u.Trusted:
		t.Text, t.Do = "It is "+u.Why+".", "Is the health check right?"
	default:
		return t, false
	}
	return t, true
}

// slowness says that the pool, or one of its upstreams, takes long to answer.
func (p *Pool) slowness() (Trouble, bool) {
	slowest, fastest := (*Upstream)(nil), (*Upstream)(nil)
	for i := range p.Upstreams {
		u := &p.Upstreams[i]
		switch {
		case u.Minute.MeanMS == 0:
			continue
		case slowest == nil || u.Minute.MeanMS > slowest.Minute.MeanMS:
			slowest = u
		}
		if fastest == nil || u.Minute.MeanMS < fastest.Minute.MeanMS {
			fastest = u
		}
	}
	if slowest == nil || p.sum.p99 < slowRequests && !slowest.Slow {
		return Trouble{}, false
	}
	t := Trouble{
		Level: isWarning, Upstream: slowest.Address, Do: "Look at what it waits for: its database, its processors, another service.",
		Text: fmt.Sprintf("Slow: it answers after %s on average. Of the requests to the pool one in a hundred takes %s or longer.", inWords(slowest.Minute.MeanMS), inWords(milliseconds(p.sum.p99))),
	}
	if fastest != slowest {
		t.Text += fmt.Sprintf(" The fastest, %s, answers after %s.", fastest.Address, inWords(fastest.Minute.MeanMS))
	}
	return t, true
}

func inWords(ms float64) string {
	if ms >= 1000 {
		return fmt.Sprintf("%.1f s", ms/1000)
	}
	return fmt.Sprintf("%.3g ms", ms)
}

// mostOf returns the most frequent key.
func mostOf(reasons map[string]int) string {
	return slices.MaxFunc(slices.Sorted(maps.Keys(reasons)), func(a, b string) int { return cmp.Compare(reasons[a], reasons[b]) })
}

func symptomOf(why string) symptom {
	for r, s := range symptoms {
		if r.String() == why {
			return s
		}
	}
	return symptom{strings.ReplaceAll(why, "_", " "), "docs/reasons.md tells of " + why + "."}
}
