package convert

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goodgate/goodgate/internal/printable"
)

// Note is something that the new configuration does not do, or does otherwise.
type Note struct {
	Where string // "nginx.conf:12"; "" = the whole
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
	Notes []Note // what is different or left out
	// Refused is what restricts access, limits or hides something and would be lost:
	// as long as there is any, the configuration must not be used. What is the
	// directive's name, for [Result.Accept].
	Refused []Note
	steps   int
	seen    map[string]bool   // conditions that a route has
	users   map[string]string // files of users, by who is in them
}

// Accept makes notes of what is refused by the name of its directive.
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

// Carried says in a few words what the configuration has.
func (r *Result) Carried() string {
	return counted(len(r.file.listeners), "listener") + ", " + counted(len(r.file.routes), "route") + ", " + counted(len(r.file.pools), "pool")
}

func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// ownAddresses are those of all listeners.
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

// refuse says that something that protects would be lost.
func (r *Result) refuse(where, what, lost string) {
	n := Note{where, what, lost}
	if !slices.Contains(r.Refused, n) {
		r.Refused = append(r.Refused, n)
	}
}

// mostRoutes bounds what a small configuration can become.
const mostRoutes = 5000

// add adds a route, one for each scheme if its redirect keeps the client's.
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

// append adds a route, unless one before it has all its requests.
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
