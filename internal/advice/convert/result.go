package convert

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goodgate/goodgate/internal/printable"
)

// Note is something that the new configuration does not do, or does otherwise.
type Note struct {
	Where string // "nginx.conf:12"; "" = the whole configuration
	What  string // the directive
	Text  string
}

// String is one line, in printable characters.
func (n Note) String() string {
	return printable.Text(strings.TrimPrefix(strings.TrimSpace(n.Where+": "+n.What+": "+n.Text), ": "))
}

// Result is a new configuration.
type Result struct {
	file  file
	Notes []Note // what goodgate does differently or leaves out
	// Refused is what restricts access, limits or hides something and would be lost:
	// as long as there is any, the configuration must not be used. What is the
	// directive's name, for [Result.Accept].
	Refused []Note
	Missing string // what the file lacks, if it has nothing to convert
	steps   int
	seen    map[string]bool   // conditions of the routes so far
	users   map[string]string // files of users, by their content
}

// Accept turns refusals of the named directives into notes.
func (r *Result) Accept(names []string) {
	refused := r.Refused
	r.Refused = nil
	for _, n := range refused {
		if slices.Contains(names, n.What) {
			r.note(n.Where, n.What, "%s (accepted)", n.Text)
		} else {
			r.Refused = append(r.Refused, n)
		}
	}
}

// Carried describes the configuration in a few words.
func (r *Result) Carried() string {
	return counted(len(r.file.listeners), "listener") + ", " + counted(len(r.file.routes), "route") + ", " + counted(len(r.file.pools), "pool")
}

func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// ownAddresses returns the addresses of all listeners.
func (r *Result) ownAddresses() (all []string) {
	for _, l := range r.file.listeners {
		all = append(all, l.address)
	}
	return all
}

func (r *Result) note(where, what, format string, args ...any) {
	n := Note{where, what, fmt.Sprintf(format, args...)}
	if !slices.Contains(r.Notes, n) {
		r.Notes = append(r.Notes, n)
	}
}

// refuse reports that a protection would be lost.
func (r *Result) refuse(where, what, lost string) {
	n := Note{where, what, lost}
	if !slices.Contains(r.Refused, n) {
		r.Refused = append(r.Refused, n)
	}
}

// mostRoutes bounds the size of the result.
const mostRoutes = 5000

// add adds a route. A route whose redirect keeps the client's scheme becomes one route
// for each scheme.
func (r *Result) add(rt route) {
	if len(r.file.routes) >= mostRoutes {
		r.steps = mostSteps
		r.refuse("", "routes", fmt.Sprintf("the result has more than %d routes: the rest would be left out", mostRoutes))
		return
	}
	if !strings.Contains(rt.redirect, schemeMark) {
		r.append(rt)
		return
	}
	for _, scheme := range []string{"http", "https"} {
		if rt.scheme == "" || rt.scheme == scheme {
			one := rt
			one.scheme, one.redirect = scheme, strings.ReplaceAll(rt.redirect, schemeMark, scheme)
			r.append(one)
		}
	}
}

// append adds a route, unless an earlier one already matches all its requests.
func (r *Result) append(rt route) {
	match := rt.match()
	if r.seen[match] || r.seen["{}"] {
		return
	}
	if r.seen == nil {
		r.seen = map[string]bool{}
	}
	r.seen[match] = true
	r.file.routes = append(r.file.routes, rt)
}

// schemeMark stands for the client's scheme in a redirect.
const schemeMark = "\x00scheme"
