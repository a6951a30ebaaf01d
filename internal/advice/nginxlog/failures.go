package nginxlog

import (
	"bytes"
	"time"
)

const (
	maxKeys  = 4096 // distinct upstreams per cause; the rest count as one
	maxPaths = 64   // distinct paths per cause and upstream
	// quiet is the pause after which further failures are a new run.
	quiet = time.Hour
)

// Failures summarizes the lines with one cause about one upstream.
type Failures struct {
	Cause       Cause
	Upstream    string // "http://10.0.0.1:80", "unix:/path", a group's or host's name; "" = none
	Count       int64
	First, Last time.Time // nginx's log has no zone: see [ErrorTally.Zone]
	Since       time.Time // begin of the last run of failures, without a pause of an hour
	Recent      int64     // count in the window before the log's end
	Peak        int64     // highest count in a minute
	Most        int64     // largest number in a message: the size of a body that is too large, in bytes
	GET         bool      // the most frequent path was requested with GET or HEAD
	Sample      string    // nginx's first message
	Scheme      string    // scheme of the requests: "http", "fastcgi"; "" = unknown
	Series      Series    // counts over time

	paths     map[string]*pathCount
	minute    int64
	perMinute int64
	window    window
}

type pathCount struct {
	n    int64
	safe bool
}

// Path returns the most frequent path, without query; "" if unknown.
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

// Add counts a failure at a time; zero = unknown. The window is the time before the
// log's end that counts as recent.
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

// AddPath adds a requested path, without its query; safe means that the method was GET
// or HEAD.
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

// Finish sets Recent for a log that ends at end.
func (f *Failures) Finish(end time.Time, window time.Duration) {
	f.Recent = f.Count
	if window > 0 {
		f.Recent = f.window.sum(end.Add(-window), window)
	}
}

// isSafe reports whether the method of a request was GET or HEAD.
func isSafe(rest []byte) bool {
	method := after(rest, `, request: "`, ' ')
	return bytes.Equal(method, []byte("GET")) || bytes.Equal(method, []byte("HEAD"))
}
