package nginxlog

import (
	"bytes"
	"cmp"
	"io"
	"slices"
	"time"

	"github.com/goodgate/goodgate/internal/advice/logs"
)

// ErrorTally counts what error logs tell. The zero value is not ready: see
// [NewErrorTally].
type ErrorTally struct {
	Lines   int64 // of error logs
	Strange int64 // others
	Bytes   int64
	Unknown Unknown        // lines about upstreams that no row has
	End     time.Time      // of the last line, whatever it says
	Zone    *time.Location // in which nginx wrote; nil = not known, and taken for this machine's
	Window  time.Duration  // before the end, for what is recent; 0 = all of it

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

// Read adds a log. It may be called for one after the other.
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

// Failures returns what was counted, the most frequent first.
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

// Ended is the time of the last line.
func (t *ErrorTally) Ended() time.Time { return t.local(t.End) }

// EndsAt sets a later end, which another log of the same nginx shows.
func (t *ErrorTally) EndsAt(end time.Time) {
	end = end.In(cmp.Or(t.Zone, time.Local))
	wall := time.Date(end.Year(), end.Month(), end.Day(), end.Hour(), end.Minute(), end.Second(), 0, time.UTC)
	if wall.After(t.End) {
		t.End = wall
	}
}

// local gives a time of the log, which has no zone, that of nginx.
func (t *ErrorTally) local(at time.Time) time.Time {
	if at.IsZero() {
		return at
	}
	return time.Date(at.Year(), at.Month(), at.Day(), at.Hour(), at.Minute(), at.Second(), at.Nanosecond(), cmp.Or(t.Zone, time.Local))
}

// Line adds a line that is out of its envelope, on which the time was around;
// zero = none. It reports whether the line is one of an error log.
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

// bare adds a line that is a message alone, as people copy it. It has to be one
// about upstreams.
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

// at is when a line was written: what it says itself, else what the envelope
// says, both as on nginx's clock.
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

// zoneBetween is the zone of a clock that shows at when it is around. Zones are
// whole quarters of an hour, up to 14 hours; anything else is no zone.
func zoneBetween(at, around time.Time) *time.Location {
	const quarter = 15 * time.Minute
	offset := at.Sub(around).Round(quarter)
	if offset > 14*time.Hour || offset < -14*time.Hour {
		return nil
	}
	return time.FixedZone("", int(offset.Seconds()))
}

// unknown counts a line that no row has. What nginx says when it does not start
// explains itself.
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

// Unknown are lines that no row has.
type Unknown struct {
	Count   int64
	Samples []string // the first few that differ
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

// clock reads the time at the beginning of a line, as if it were UTC. Lines of the
// same minute are many, so that the last is remembered.
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
