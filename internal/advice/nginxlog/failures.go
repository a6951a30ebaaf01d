package nginxlog

import (
	"bytes"
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
	First, Last time.Time // nginx's log has no zone: see [ErrorTally.Zone]
	Since       time.Time // when the last run of failures without a quiet hour began
	Recent      int64     // within the window before the log's end
	Peak        int64     // most within one minute
	Most        int64     // largest number in the message: the bytes of a body that is too large
	GET         bool      // the most frequent path was asked for with GET or HEAD
	Sample      string    // what nginx said first
	Scheme      string    // "http", "fastcgi", as the upstream was spoken to; "" = not known
	Series      Series    // when they came

	paths     map[string]*pathCount
	minute    int64
	perMinute int64
	window    window
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

// Add counts one at a time; zero = not known. What is recent is within window
// before the end.
func (f *Failures) Add(at time.Time, window time.Duration) {
	f.Count++
	f.window.add(at, window)
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
	f.Series.add(at)
	f.perMinute++
	f.Peak = max(f.Peak, f.perMinute)
}

// AddPath notes a path that was asked for, without its query; safe = by GET or
// HEAD.
func (f *Failures) AddPath(path string, safe bool) { f.addPath([]byte(path), safe) }

func (f *Failures) addPath(path []byte, safe bool) {
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
	f.paths[string(path)] = &pathCount{1, safe}
}

// Finish sets what is recent before the end.
func (f *Failures) Finish(end time.Time, window time.Duration) {
	f.Recent = f.Count
	if window > 0 {
		f.Recent = f.window.sum(end.Add(-window), window)
	}
}

// isSafe reports whether a request was made by GET or HEAD.
func isSafe(rest []byte) bool {
	method := after(rest, `, request: "`, ' ')
	return bytes.Equal(method, []byte("GET")) || bytes.Equal(method, []byte("HEAD"))
}
