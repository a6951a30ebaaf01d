package nginxlog

import (
	"bytes"
	"cmp"
	"io"
	"slices"
	"time"

	"github.com/goodgate/goodgate/internal/advice/logs"
)

// ErrorTally counts the failures in error logs. Create it with [NewErrorTally].
type ErrorTally struct {
	Lines   int64 // lines of error logs
	Strange int64 // other lines
	Bytes   int64
	Unknown Unknown        // lines about upstreams without a matching row
	End     time.Time      // time of the last line of any kind
	Zone    *time.Location // zone of the log's times; nil = unknown, this machine's is used
	Window  time.Duration  // window before the end that counts as recent; 0 = everything

	byCause  [NumCauses]map[string]*Failures
	rows     *matcher
	clock    clock
	envelope logs.Envelope
}

// NewErrorTally returns an empty tally.
func NewErrorTally() *ErrorTally {
	t := &ErrorTally{rows: newMatcher()}
	for i := range t.byCause {
		t.byCause[i] = map[string]*Failures{}
	}
	return t
}

// Read adds a log. It may be called several times.
func (t *ErrorTally) Read(r io.Reader) error {
	n, err := logs.Scan(r, func(line []byte) {
		text, at := t.envelope.Strip(line)
		if len(text) > 0 && !t.Line(text, at) {
			t.Strange++
		}
	})
	t.Bytes += n
	return err
}

// Failures returns the counts, sorted by frequency in descending order.
func (t *ErrorTally) Failures() []*Failures {
	var all []*Failures
	for _, m := range t.byCause[Other+1:] {
		for _, f := range m {
			g := *f
			g.Finish(t.End, t.Window)
			g.First, g.Last, g.Since = t.local(f.First), t.local(f.Last), t.local(f.Since)
			g.Series = f.Series.moved(g.First.Sub(f.First))
			all = append(all, &g)
		}
	}
	slices.SortFunc(all, func(a, b *Failures) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Cause, b.Cause), cmp.Compare(a.Upstream, b.Upstream))
	})
	return all
}

// Ended returns the time of the last line.
func (t *ErrorTally) Ended() time.Time { return t.local(t.End) }

// EndsAt sets a later end, known from another log of the same nginx.
func (t *ErrorTally) EndsAt(end time.Time) {
	end = end.In(cmp.Or(t.Zone, time.Local))
	wall := time.Date(end.Year(), end.Month(), end.Day(), end.Hour(), end.Minute(), end.Second(), 0, time.UTC)
	if wall.After(t.End) {
		t.End = wall
	}
}

// local adds nginx's zone to a time of the log, which has none.
func (t *ErrorTally) local(at time.Time) time.Time {
	if at.IsZero() {
		return at
	}
	return time.Date(at.Year(), at.Month(), at.Day(), at.Hour(), at.Minute(), at.Second(), at.Nanosecond(), cmp.Or(t.Zone, time.Local))
}

// Line adds a line without its envelope; around is the time in the envelope, zero =
// none. It reports whether the line is of an error log.
func (t *ErrorTally) Line(line []byte, around time.Time) bool {
	e, ok := parse(line)
	if !ok {
		return t.bare(line, around)
	}
	t.Lines++
	at := t.at(e.time, around)
	row := t.rows.match(e.head, string(e.level))
	if row == nil {
		if e.matters() {
			t.unknown(&e, at)
		}
		return true
	}
	if row.Cause != Other {
		t.count(row, &e, at)
	}
	return true
}

// bare adds a line with only a message, as people copy it. The message must be about
// upstreams.
func (t *ErrorTally) bare(line []byte, around time.Time) bool {
	if !has(line[:min(len(line), messageHead)], "upstream") {
		return false
	}
	e := bare(line)
	if !has(action(e.head), "upstream") && !bytes.HasPrefix(e.head, []byte("host not found in upstream ")) {
		return false
	}
	row := t.rows.match(e.head, "error")
	if row == nil || row.Cause == Other {
		return false
	}
	t.Lines++
	t.count(row, &e, t.at(nil, around))
	return true
}

// at returns the time of a line on nginx's clock: from the line itself, else from the
// envelope.
func (t *ErrorTally) at(stamp []byte, around time.Time) time.Time {
	var at time.Time
	if stamp != nil {
		at = t.clock.at(stamp)
		if !around.IsZero() && t.Zone == nil && !at.IsZero() {
			t.Zone = zoneBetween(at, around)
		}
	} else if !around.IsZero() {
		at = around.UTC()
	}
	if at.After(t.End) {
		t.End = at
	}
	return at
}

// zoneBetween returns the zone of a clock that shows at when the time is around. Zones
// are multiples of 15 minutes, up to 14 hours; it returns nil for anything else.
func zoneBetween(at, around time.Time) *time.Location {
	const quarter = 15 * time.Minute
	offset := at.Sub(around).Round(quarter)
	if offset > 14*time.Hour || offset < -14*time.Hour {
		return nil
	}
	return time.FixedZone("", int(offset.Seconds()))
}

// unknown counts a line without a matching row. nginx's errors at its start explain
// themselves, so they count as ConfigRefused.
func (t *ErrorTally) unknown(e *entry, at time.Time) {
	if string(e.level) == "emerg" {
		t.count(&Message{Cause: ConfigRefused}, e, at)
		return
	}
	t.Unknown.Add(string(e.head))
}

func (t *ErrorTally) count(row *Message, e *entry, at time.Time) {
	field := after(e.rest, ` upstream: "`, '"')
	upstream, path := upstreamOf(field)
	switch row.Cause {
	case NotResolved, ResolveTimeout, NoResolver, NotResolvedAtStart, ResolverFailed, ResolverRefuses:
		upstream = nameOf(row.Cause, e.head)
	case ResolverDown, ResolverOdd:
		upstream = after(e.rest, ` resolver: `, ',')
	}
	f := t.failures(row.Cause, upstream)
	if f.Count == 0 {
		f.Sample = string(e.head)
		if scheme, _, ok := bytes.Cut(field, []byte("://")); ok {
			f.Scheme = string(scheme)
		}
	}
	f.Add(at, t.Window)
	if len(path) == 0 {
		path = requested(e.rest)
	}
	if len(path) > 0 {
		f.addPath(path, isSafe(e.rest))
	}
	if row.Cause == BodyTooLarge {
		f.Most = max(f.Most, number(after(e.head, "body: ", ' ')))
	}
}

// Unknown has the lines without a matching row.
type Unknown struct {
	Count   int64
	Samples []string // the first few different lines
}

// Add counts a line.
func (u *Unknown) Add(says string) {
	const most, alike, longest = 3, 24, 200
	u.Count++
	if len(u.Samples) >= most {
		return
	}
	for _, s := range u.Samples {
		if s[:min(len(s), alike)] == says[:min(len(says), alike)] {
			return
		}
	}
	u.Samples = append(u.Samples, says[:min(len(says), longest)])
}

func (t *ErrorTally) failures(c Cause, upstream []byte) *Failures {
	m := t.byCause[c]
	if f, known := m[string(upstream)]; known {
		return f
	}
	name := string(upstream)
	if len(m) >= maxKeys {
		name = "others"
		if f, known := m[name]; known {
			return f
		}
	}
	f := &Failures{Cause: c, Upstream: name}
	m[name] = f
	return f
}

// clock parses the time at the beginning of a line, as UTC. Many lines have the same
// minute, so it remembers the last one.
type clock struct {
	text   [17]byte // "2006/01/02 15:04:"
	minute time.Time
}

func (c *clock) at(stamp []byte) time.Time {
	if !bytes.Equal(stamp[:17], c.text[:]) {
		t, err := time.Parse("2006/01/02 15:04:", string(stamp[:17]))
		if err != nil {
			return time.Time{}
		}
		copy(c.text[:], stamp)
		c.minute = t
	}
	return c.minute.Add(time.Duration(number(stamp[17:19])) * time.Second)
}
