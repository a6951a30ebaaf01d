package nginxlog

import (
	"bytes"
	"cmp"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goodgate/goodgate/internal/advice/logs"
)

// Traffic is the content of access logs about one upstream.
type Traffic struct {
	Upstream string // address of the last attempt; "" = none, or not in the format
	Requests int64
	Errors   [600]int64 // counts by status, only for 499 and 502 to 504
	First    time.Time  // time of the first gateway error
	Last     time.Time
	Recent   int64  // gateway errors in the window before the log's end
	Path     string // path of the first gateway error, without query

	Slowest     time.Duration // slowest successful answer; 0 = not in the format
	SlowestPath string        // its path, without query

	// Failed has the durations of requests that ended with 502, Late of those with 504.
	// Nearly equal durations point to a timeout.
	Failed Times
	Late   Times

	Series Series // gateway errors over time
	window window
}

// Times summarizes the durations of some requests.
type Times struct {
	N        int64
	Min, Max time.Duration
	sum      time.Duration
}

// Mean returns the mean duration, 0 without requests.
func (t Times) Mean() time.Duration {
	if t.N == 0 {
		return 0
	}
	return t.sum / time.Duration(t.N)
}

func (t *Times) add(d time.Duration) {
	if t.N == 0 || d < t.Min {
		t.Min = d
	}
	t.Max = max(t.Max, d)
	t.sum += d
	t.N++
}

// AccessTally counts the requests in access logs. See [NewAccessTally].
type AccessTally struct {
	Lines   int64
	Strange int64 // lines of another kind
	Bytes   int64
	End     time.Time      // time of the last request
	Zone    *time.Location // zone of the log's times; nil = unknown
	Timed   bool           // the log has durations
	Window  time.Duration  // window before the end that counts as recent; 0 = everything

	traffic  map[string]*Traffic
	local    []byte // text of the last parsed time
	localAt  time.Time
	guess    guess
	envelope logs.Envelope
}

// NewAccessTally returns an empty tally.
func NewAccessTally() *AccessTally {
	return &AccessTally{traffic: map[string]*Traffic{}, guess: newGuess()}
}

// Read adds a log in the given format; nil = recognize the format of each line.
func (t *AccessTally) Read(r io.Reader, f *Format) error {
	n, err := logs.Scan(r, func(line []byte) {
		text, _ := t.envelope.Strip(line)
		if len(text) > 0 && !t.Line(text, f) {
			t.Strange++
		}
	})
	t.Bytes += n
	return err
}

// Line adds a line without its envelope. It reports whether the line is of an access
// log. A line that does not match the given format is parsed as if the format were
// unknown.
func (t *AccessTally) Line(line []byte, f *Format) bool {
	var fields [numFields][]byte
	if f == nil || !f.split(line, &fields) || !isStatus(fields[fieldStatus]) {
		fields = [numFields][]byte{}
		if !t.guess.split(line, &fields) || !isStatus(fields[fieldStatus]) {
			return false
		}
	}
	t.Lines++
	status := number(fields[fieldStatus])
	took, timed := seconds(last(fields[fieldUpstreamT]))
	if !timed {
		took, timed = seconds(fields[fieldTime])
	}
	t.count(int(status), last(fields[fieldUpstream]), pathOf(fields[fieldRequest]), took, timed, t.at(&fields))
	return true
}

// Add counts a request from another log. upstream may be "", took 0 and at zero if they
// are unknown.
func (t *AccessTally) Add(status int, upstream, path string, took float64, at time.Time) {
	if status < 100 || status > 599 {
		return
	}
	t.Lines++
	if at.After(t.End) {
		t.End = at
	}
	t.count(status, []byte(strings.TrimPrefix(upstream, "http://")), withoutQuery([]byte(path)), time.Duration(took*float64(time.Second)), took > 0, at)
}

func isStatus(b []byte) bool {
	return len(b) == 3 && b[0] >= '0' && b[0] <= '5' && // nginx logs 000 or 009 for input that is not HTTP
		b[1] >= '0' && b[1] <= '9' && b[2] >= '0' && b[2] <= '9'
}

// Traffic returns the counts, sorted by gateway errors in descending order.
func (t *AccessTally) Traffic() []*Traffic {
	var all []*Traffic
	for _, u := range t.traffic {
		u.Recent = u.GatewayErrors()
		if t.Window > 0 {
			u.Recent = u.window.sum(t.End.Add(-t.Window), t.Window)
		}
		all = append(all, u)
	}
	slices.SortFunc(all, func(a, b *Traffic) int {
		return cmp.Or(cmp.Compare(b.GatewayErrors(), a.GatewayErrors()), cmp.Compare(a.Upstream, b.Upstream))
	})
	return all
}

// GatewayErrors returns the number of answers with 502, 503 or 504.
func (u *Traffic) GatewayErrors() int64 { return u.Errors[502] + u.Errors[503] + u.Errors[504] }

func (t *AccessTally) count(status int, upstream, path []byte, took time.Duration, timed bool, at time.Time) {
	u := t.upstream(upstream)
	u.Requests++
	t.Timed = t.Timed || timed
	switch {
	case status >= 502 && status <= 504:
		if u.GatewayErrors() == 0 {
			u.Path = string(path)
		}
		u.when(at)
		u.window.add(at, t.Window)
		if status == 502 && timed {
			u.Failed.add(took)
		}
		if status == 504 && timed {
			u.Late.add(took)
		}
		fallthrough
	case status == 499:
		u.Errors[status]++
	case status < 500 && timed && took > u.Slowest:
		u.Slowest = took
		u.SlowestPath = string(path)
	}
}

func (t *AccessTally) upstream(name []byte) *Traffic {
	if u, known := t.traffic[string(name)]; known {
		return u
	}
	key := string(name)
	if len(t.traffic) >= maxKeys {
		key = "others"
	}
	if t.traffic[key] == nil {
		t.traffic[key] = &Traffic{Upstream: key}
	}
	return t.traffic[key]
}

// at returns the time of a line; zero if it has none.
func (t *AccessTally) at(fields *[numFields][]byte) time.Time {
	if local := fields[fieldTimeLocal]; len(local) > 0 && bytes.Equal(local, t.local) {
		return t.localAt // many lines have the same second
	}
	at, err := time.Parse("02/Jan/2006:15:04:05 -0700", string(fields[fieldTimeLocal]))
	if err == nil {
		t.local, t.localAt = append(t.local[:0], fields[fieldTimeLocal]...), at
	} else {
		if at, err = time.Parse(time.RFC3339, string(fields[fieldTimeISO8601])); err != nil {
			s, ok := seconds(fields[fieldMsec])
			if !ok {
				return time.Time{}
			}
			at = time.Unix(0, int64(s)).UTC()
		}
	}
	if fields[fieldTimeLocal] != nil || bytes.ContainsAny(fields[fieldTimeISO8601][min(len(fields[fieldTimeISO8601]), 19):], "+-Z") {
		t.Zone = at.Location()
	}
	if at.After(t.End) {
		t.End = at
	}
	return at
}

func (u *Traffic) when(at time.Time) {
	if at.IsZero() {
		return
	}
	u.Series.add(at)
	if u.First.IsZero() || at.Before(u.First) {
		u.First = at
	}
	if at.After(u.Last) {
		u.Last = at
	}
}

// last returns the value of the last attempt: "10.0.0.1:80, 10.0.0.2:80".
func last(value []byte) []byte {
	if i := bytes.LastIndexAny(value, ", "); i >= 0 {
		value = value[i+1:]
	}
	if len(value) == 1 && value[0] == '-' {
		return nil
	}
	return value
}

func seconds(value []byte) (time.Duration, bool) {
	if len(value) == 0 {
		return 0, false
	}
	s, err := strconv.ParseFloat(string(value), 64)
	if err != nil || s < 0 || s > 1e10 {
		return 0, false
	}
	return time.Duration(s * float64(time.Second)), true
}

// pathOf returns the path of "GET /path?query HTTP/1.1", or of a URI alone.
func pathOf(request []byte) []byte {
	if i := bytes.IndexByte(request, ' '); i >= 0 {
		request = request[i+1:]
		if i = bytes.IndexByte(request, ' '); i >= 0 {
			request = request[:i]
		}
	}
	return withoutQuery(request)
}
