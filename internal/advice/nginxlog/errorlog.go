package nginxlog

import (
	"bytes"
	"cmp"
	"io"
	"slices"
	"time"
)

const (
	maxKeys  = 4096 // upstreams told apart for each cause; the rest is counted as one
	maxPaths = 64   // paths told apart for each cause and upstream
	// quiet is how long nothing may have happened for what comes next to be a new
	// run of failures.
	quiet = time.Hour
)

// Failures are the lines of one cause about one upstream.
type Failures struct {
	Cause       Cause
	Upstream    string // "http://10.0.0.1:80", "unix:/path", a group's or host's name; "" = none
	Count       int64
	First, Last time.Time // in this machine's time zone: the log has none
	Since       time.Time // when the last run of failures without a quiet hour began
	Peak        int64     // most within one minute
	Most        int64     // largest number in the message: the bytes of a body that is too large
	GET         bool      // the most frequent path was asked for with GET or HEAD

	paths     map[string]*pathCount
	minute    int64
	perMinute int64
}

type pathCount struct {
	n    int64
	safe bool
}

// Path returns the path asked for most often, without query; "" when not known.
func (f *Failures) Path() string {
	best, most := "", &pathCount{}
	for path, c := range f.paths {
		if c.n > most.n || c.n == most.n && path < best {
			best, most = path, c
		}
	}
	f.GET = most.safe
	return best
}

// ErrorTally counts what error logs tell. The zero value is not ready: see
// [NewErrorTally].
type ErrorTally struct {
	Lines int64 // of error logs; others are not counted
	Bytes int64

	byCause [numCauses]map[string]*Failures
	clock   clock
}

// NewErrorTally returns an empty tally.
func NewErrorTally() *ErrorTally {
	t := &ErrorTally{clock: clock{zone: time.Local}}
	for i := range t.byCause {
		t.byCause[i] = map[string]*Failures{}
	}
	return t
}

// Read adds a log. It may be called for one after the other.
func (t *ErrorTally) Read(r io.Reader) error {
	n, err := scan(r, t.line)
	t.Bytes += n
	return err
}

// Failures returns what was counted, the most frequent first.
func (t *ErrorTally) Failures() []*Failures {
	var all []*Failures
	for _, m := range t.byCause[Other+1:] {
		for _, f := range m {
			all = append(all, f)
		}
	}
	slices.SortFunc(all, func(a, b *Failures) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Cause, b.Cause), cmp.Compare(a.Upstream, b.Upstream))
	})
	return all
}

func (t *ErrorTally) line(line []byte) {
	m := message(line)
	if m == nil {
		return
	}
	t.Lines++
	head, rest := cut(m)
	cause := classify(head)
	if cause == Other {
		return
	}
	upstream, path := upstreamOf(after(rest, ` upstream: "`, '"'))
	if cause == NotResolved || cause == ResolveTimeout || cause == NoResolver {
		upstream = nameOf(cause, head)
	}
	f := t.failures(cause, upstream)
	f.count(t.clock.at(line))
	if len(path) > 0 {
		f.countPath(path, rest)
	}
	if cause == BodyTooLarge {
		f.Most = max(f.Most, number(after(head, "body: ", ' ')))
	}
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

func (f *Failures) count(at time.Time) {
	f.Count++
	if at.IsZero() {
		return
	}
	if f.First.IsZero() || at.Before(f.First) {
		f.First = at
	}
	if f.Last.IsZero() || at.Sub(f.Last) > quiet {
		f.Since = at
	}
	if at.After(f.Last) {
		f.Last = at
	}
	if minute := at.Unix() / 60; minute != f.minute {
		f.minute, f.perMinute = minute, 0
	}
	f.perMinute++
	f.Peak = max(f.Peak, f.perMinute)
}

func (f *Failures) countPath(path, m []byte) {
	if c, known := f.paths[string(path)]; known {
		c.n++
		return
	}
	if len(f.paths) >= maxPaths {
		return
	}
	if f.paths == nil {
		f.paths = map[string]*pathCount{}
	}
	method := after(m, `, request: "`, ' ')
	safe := bytes.Equal(method, []byte("GET")) || bytes.Equal(method, []byte("HEAD"))
	f.paths[string(path)] = &pathCount{1, safe}
}

// clock reads the time at the beginning of a line. Lines of the same minute are
// many, so that the last is remembered.
type clock struct {
	zone   *time.Location
	text   [17]byte // "2006/01/02 15:04:"
	minute time.Time
}

func (c *clock) at(line []byte) time.Time {
	if !bytes.Equal(line[:17], c.text[:]) {
		t, err := time.ParseInLocation("2006/01/02 15:04:", string(line[:17]), c.zone)
		if err != nil {
			return time.Time{}
		}
		copy(c.text[:], line)
		c.minute = t
	}
	return c.minute.Add(time.Duration(number(line[17:19])) * time.Second)
}
