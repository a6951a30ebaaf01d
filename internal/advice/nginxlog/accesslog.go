package nginxlog

import (
	"bytes"
	"cmp"
	"io"
	"slices"
	"strconv"
	"time"
)

// Traffic is what access logs tell of one upstream.
type Traffic struct {
	Upstream string // address of the last attempt; "" = none, or not in the format
	Requests int64
	Errors   [600]int64 // by status; only 499 and 502 to 504 are counted
	First    time.Time  // of the gateway errors
	Last     time.Time

	Slowest     time.Duration // of what was answered well; 0 = not in the format
	SlowestPath string        // without query

	// Failed are the times after which requests ended with 502: when they are all
	// alike, something ends requests by the clock.
	Failed Times
}

// Times is how long some requests took.
type Times struct {
	N        int64
	Min, Max time.Duration
	sum      time.Duration
}

// Mean is 0 when there are none.
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

// AccessTally counts what access logs tell. See [NewAccessTally].
type AccessTally struct {
	Lines   int64
	Strange int64 // lines that do not have the format
	Bytes   int64

	traffic map[string]*Traffic
}

// NewAccessTally returns an empty tally.
func NewAccessTally() *AccessTally { return &AccessTally{traffic: map[string]*Traffic{}} }

// Read adds a log of the given format.
func (t *AccessTally) Read(r io.Reader, f *Format) error {
	n, err := scan(r, func(line []byte) { t.line(line, f) })
	t.Bytes += n
	return err
}

// Traffic returns what was counted, the upstream with most gateway errors first.
func (t *AccessTally) Traffic() []*Traffic {
	var all []*Traffic
	for _, u := range t.traffic {
		all = append(all, u)
	}
	slices.SortFunc(all, func(a, b *Traffic) int {
		return cmp.Or(cmp.Compare(b.GatewayErrors(), a.GatewayErrors()), cmp.Compare(a.Upstream, b.Upstream))
	})
	return all
}

// GatewayErrors is how many requests got 502, 503 or 504.
func (u *Traffic) GatewayErrors() int64 { return u.Errors[502] + u.Errors[503] + u.Errors[504] }

func (t *AccessTally) line(line []byte, f *Format) {
	var fields [numFields][]byte
	if !f.split(line, &fields) {
		t.Strange++
		return
	}
	status := number(fields[fieldStatus])
	if status < 100 || status > 599 {
		t.Strange++
		return
	}
	t.Lines++
	u := t.upstream(last(fields[fieldUpstream]))
	u.Requests++
	took, timed := seconds(last(fields[fieldUpstreamT]))
	if !timed {
		took, timed = seconds(fields[fieldTime])
	}
	switch {
	case status == 499 || status >= 502 && status <= 504:
		u.Errors[status]++
		u.when(fields)
		if status == 502 && timed {
			u.Failed.add(took)
		}
	case status < 500 && timed && took > u.Slowest:
		u.Slowest = took
		u.SlowestPath = string(pathOf(fields[fieldRequest]))
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

func (u *Traffic) when(fields [numFields][]byte) {
	at, err := time.Parse("02/Jan/2006:15:04:05 -0700", string(fields[fieldTimeLocal]))
	if err != nil {
		if at, err = time.Parse(time.RFC3339, string(fields[fieldTimeISO8601])); err != nil {
			return
		}
	}
	if u.First.IsZero() || at.Before(u.First) {
		u.First = at
	}
	if at.After(u.Last) {
		u.Last = at
	}
}

// last is the last of several attempts: "10.0.0.1:80, 10.0.0.2:80".
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
	if err != nil || s < 0 || s > 1e6 {
		return 0, false
	}
	return time.Duration(s * float64(time.Second)), true
}

// pathOf is the path of "GET /path?query HTTP/1.1", or of a URI alone.
func pathOf(request []byte) []byte {
	if i := bytes.IndexByte(request, ' '); i >= 0 {
		request = request[i+1:]
		if i = bytes.IndexByte(request, ' '); i >= 0 {
			request = request[:i]
		}
	}
	return withoutQuery(request)
}
