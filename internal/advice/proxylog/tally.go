package proxylog

import (
	"strings"
	"time"

	"github.com/goodgate/goodgate/internal/advice/nginxlog"
)

// Tally counts the failed requests in logs of other proxies. See [New].
type Tally struct {
	Lines   map[string]int64 // lines by proxy
	Unknown nginxlog.Unknown // failures without a matching row
	End     time.Time        // time of the last line
	Window  time.Duration    // window before the end that counts as recent; 0 = everything

	access *nginxlog.AccessTally // counts all requests, including successful ones
	ended  map[key]*Ended
	rows   map[string][]Row
}

// New returns an empty tally. It also counts all requests in access.
func New(access *nginxlog.AccessTally) *Tally {
	t := &Tally{Lines: map[string]int64{}, access: access, ended: map[key]*Ended{}, rows: map[string][]Row{}}
	for _, r := range Rows() {
		t.rows[r.Proxy] = append(t.rows[r.Proxy], r)
	}
	return t
}

// Rows returns all rows.
func Rows() []Row {
	var all []Row
	for _, rows := range [][]Row{envoyRows(), haproxyRows(), haproxyEvents(), caddyRows(), goRows("Caddy"), traefikRows(), goRows("Traefik"), goodgateRows(), ingressRows()} {
		all = append(all, rows...)
	}
	return all
}

// event is the content of one line.
type event struct {
	proxy    string
	match    string // a flag or state to equal, or a text to contain
	text     string // the rest of the line
	at       time.Time
	upstream string
	backend  string
	method   string
	path     string // may have a query
	status   int    // 0 = not a request
	took     float64
	unsure   bool // another program could have written the line
}

// Line adds a line without its envelope; around is the time in the envelope, zero =
// none. It reports whether the line is of a known log.
func (t *Tally) Line(line []byte, around time.Time) bool {
	var e event
	var ok bool
	switch {
	case len(line) == 0:
		return false
	case line[0] == '{':
		e, ok = readJSON(line)
	default:
		for _, read := range []func([]byte) (event, bool){readEnvoy, readHAProxy, readTraefik, readCaddyConsole, readIngress} {
			if e, ok = read(line); ok {
				break
			}
		}
	}
	if !ok || e.unsure && e.match == "" && t.Lines[e.proxy] == 0 {
		return false
	}
	if e.at.IsZero() {
		e.at = around
	}
	t.add(&e)
	return true
}

func (t *Tally) add(e *event) {
	t.Lines[e.proxy]++
	if e.at.After(t.End) {
		t.End = e.at
	}
	if e.status != 0 {
		t.access.Add(e.status, e.upstream, e.path, e.took, e.at)
	}
	if e.match == "" {
		return
	}
	row := t.row(e)
	switch {
	case row == nil:
		t.Unknown.Add(e.proxy + ": " + e.match)
	case row.Cause != nginxlog.Other:
		t.count(row, e)
	}
}

// row returns the first matching row: a flag must be equal, a text must be contained.
func (t *Tally) row(e *event) *Row {
	rows, whole := t.rows[e.proxy], e.match+" "+e.text
	for i := range rows {
		r := &rows[i]
		equal := e.match == r.Match
		if len(r.Match) > 8 || !isFlag(e.match) {
			equal = strings.Contains(e.match, r.Match)
		}
		if equal && (r.And == "" || strings.Contains(whole, r.And)) {
			return r
		}
	}
	return nil
}

// isFlag reports whether s looks like a flag of Envoy or a state of HAProxy.
func isFlag(s string) bool {
	return len(s) <= 8 && !strings.ContainsAny(s, " :.")
}

func (t *Tally) count(row *Row, e *event) {
	k := key{row, e.upstream, e.backend}
	g := t.ended[k]
	if g == nil {
		if len(t.ended) >= maxKeys {
			k = key{row, "others", ""}
			g = t.ended[k]
		}
		if g == nil {
			g = &Ended{Row: row, Backend: k.backend}
			g.Cause, g.Upstream, g.Sample = row.Cause, k.upstream, strings.TrimSpace(e.match+" "+e.text)
			t.ended[k] = g
		}
	}
	g.Add(e.at, t.Window)
	if path, _, _ := strings.Cut(e.path, "?"); path != "" {
		g.AddPath(path, e.method == "GET" || e.method == "HEAD")
	}
}
