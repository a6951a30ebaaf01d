package convert

import (
	"net"
	"regexp"
	"slices"
	"strings"
)

// draft is a route in the making, with the conditions and changes read so far.
type draft struct {
	route
	captures map[string]string // expressions for the path, by the name that a rewrite refers to
	fixed    string            // the whole new path, whatever the client's was
	attempts int               // the pool's attempts; 0 = the default
	begins   string            // known beginning of the rewritten path
}

// split passes the requests of a draft that meet one of the terms to yes, and all
// others to no. It calls them in the order in which goodgate must try the routes.
func (r *Result) split(d draft, terms []term, lost Note, yes, no func(draft)) {
	if !r.step() {
		return
	}
	if len(terms) == 0 {
		no(d)
		return
	}
	t, rest := terms[0], terms[1:]
	others := func(d draft) { r.split(d, rest, lost, yes, no) }
	in, can := d.and(t.has)
	switch can {
	case unsayable:
		r.refuse(lost.Where, lost.What, lost.Text)
	case possible:
		x := d
		x.conditions = in
		if !r.except(x, t.hasNot, lost, yes, others) {
			return
		}
	}
	if can != possible || in.match() != d.match() {
		others(d)
	}
}

// except passes the requests of a draft that meet one of the conditions to no, and all
// others to yes. It returns false if the work exceeds mostSteps.
func (r *Result) except(d draft, not []conditions, lost Note, yes, no func(draft)) bool {
	if !r.step() {
		return false
	}
	if len(not) == 0 {
		yes(d)
		return true
	}
	in, can := d.and(not[0])
	switch can {
	case unsayable:
		r.refuse(lost.Where, lost.What, lost.Text)
	case possible:
		y := d
		y.conditions = in
		no(y)
		if in.match() == d.match() {
			return true // all requests of the draft meet it
		}
	}
	return r.except(d, not[1:], lost, yes, no)
}

// step counts the work, and reports whether more is allowed.
func (r *Result) step() bool {
	if r.steps++; r.steps > mostSteps {
		r.refuse("", "routes", "there are more conditions than convert can combine, so their restrictions would be lost")
		return false
	}
	return true
}

// both returns terms that hold if one term of each list does. ok is false if a route
// cannot express that.
func both(a, b []term) (out []term, ok bool) {
	for _, x := range a {
		for _, y := range b {
			has, can := x.has.and(y.has)
			if can == unsayable || len(out) >= mostTerms {
				return nil, false
			}
			if can == possible {
				out = append(out, term{has, slices.Concat(x.hasNot, y.hasNot)})
			}
		}
	}
	return out, true
}

// neither returns terms that hold if no term of a list does.
func neither(all []term) ([]term, bool) {
	if len(all) == 0 {
		return []term{{}}, true
	}
	out := []term{{}}
	for _, t := range all {
		// not (has and not x) is: not has, or x
		var one []term
		if other, ok := t.has.opposite(); ok {
			one = []term{{has: other}}
		} else if t.has.match() != "{}" {
			one = []term{{hasNot: []conditions{t.has}}}
		}
		for _, not := range t.hasNot {
			and, can := t.has.and(not)
			if can == unsayable {
				return nil, false
			}
			if can == possible {
				one = append(one, term{has: and})
			}
		}
		var ok bool
		if out, ok = both(out, one); !ok {
			return nil, false
		}
	}
	return out, true
}

// inside translates conditions on the draft's changed path into conditions on the
// client's path. never is true if no path of the draft meets them.
func (d draft) inside(c conditions) (out conditions, never, ok bool) {
	switch {
	case c.path == "" && c.regexp == "":
		return c, false, true
	case d.fixed != "":
		met := c.path == "" || c.path == d.fixed
		if prefix, wild := strings.CutSuffix(c.path, "*"); wild {
			met = strings.HasPrefix(d.fixed, prefix)
		}
		if c.regexp != "" && met {
			re, err := regexp.Compile(c.regexp)
			met = err == nil && re.MatchString(d.fixed)
		}
		c.path, c.regexp = "", ""
		return c, !met, true
	case d.rewrite[0] != "" || d.add != "":
		return d.below(c)
	case d.strip == "":
		return c, false, true
	}
	if c.path != "" {
		c.path = d.strip + c.path
	}
	if c.regexp != "" {
		re, anchored := strings.CutPrefix(c.regexp, "^")
		if anchored && !strings.Contains(re, "|") {
			c.regexp = "^" + regexp.QuoteMeta(d.strip) + re
		} else {
			c.regexp = "^" + regexp.QuoteMeta(d.strip) + ".*(?:" + c.regexp + ")"
			return c, false, !anchored
		}
	}
	return c, false, true
}

// below is inside for a path of which only the beginning is known.
func (d draft) below(c conditions) (out conditions, never, ok bool) {
	begins := d.begins
	if c.anyCase {
		begins = strings.ToLower(begins)
	}
	prefix, wild := strings.CutSuffix(c.path, "*")
	switch {
	case c.path == "/*" && c.regexp == "":
		return c, false, true
	case begins == "":
		return c, false, false
	case c.regexp != "":
		return c, apart(c.regexp, begins), apart(c.regexp, begins)
	case wild && strings.HasPrefix(begins, prefix):
		c.path = ""
		return c, false, true
	case !strings.HasPrefix(prefix, begins):
		return c, true, true
	}
	rest := strings.TrimPrefix(c.path, begins)
	c.path = d.strip + rest
	return c, false, d.rewrite[0] == "" && strings.HasPrefix(rest, "/")
}

// stripped strips a prefix from the path. It returns false if that cannot be combined
// with earlier changes.
func (d *draft) stripped(prefix string) bool {
	switch {
	case prefix == "" || prefix == "/":
		return prefix == ""
	case d.fixed != "":
		rest, has := strings.CutPrefix(d.fixed, prefix)
		if has {
			d.to("/" + strings.TrimPrefix(rest, "/"))
		}
		return true
	case d.rewrite[0] != "" || d.add != "" || !isPrefix(prefix):
		return false
	case d.anyCase:
		prefix = strings.ToLower(prefix)
	}
	d.strip += strings.TrimSuffix(prefix, "/")
	return true
}

// finished returns the route. A prefix that is stripped regardless of case becomes an
// expression.
func (d draft) finished() route {
	if d.anyCase && d.strip != "" && d.rewrite[0] == "" {
		d.rewrite = [2]string{"(?i)^" + regexp.QuoteMeta(d.strip) + "/?(.*)$", d.add + "/${1}"}
		d.strip, d.add = "", ""
	}
	return d.route
}

// added adds a prefix to the path.
func (d *draft) added(prefix string) bool {
	switch prefix = strings.TrimSuffix(prefix, "/"); {
	case prefix == "":
		return true
	case d.fixed != "":
		d.to(prefix + d.fixed)
		return true
	case d.rewrite[0] != "" || !isPrefix(prefix):
		return false
	}
	d.add = prefix + d.add
	d.begins = d.add
	return true
}

// to replaces the whole path.
func (d *draft) to(path string) bool {
	if !isPath(path) {
		return false
	}
	d.fixed, d.strip, d.add = path, "", ""
	d.rewrite = [2]string{"^.*$", strings.ReplaceAll(path, "$", "$$")}
	return true
}

// replaced changes the path by a regular expression. to has its groups as ${1}.
func (d *draft) replaced(re, to string) bool {
	if d.rewrite[0] != "" || d.fixed != "" || !isPath(to) {
		return false
	}
	if d.anyCase && d.strip != "" {
		rest, anchored := strings.CutPrefix(re, "^")
		if !anchored || d.add != "" || strings.Contains(re, "|") {
			return false
		}
		re, d.strip = "(?i:^"+regexp.QuoteMeta(d.strip)+")"+rest, ""
	}
	d.rewrite, d.begins = [2]string{re, to}, ""
	return true
}

// inAnyCase combines a path and an expression, both regardless of case, into one
// expression.
func (c conditions) inAnyCase() (conditions, verdict) {
	prefix, wild := strings.CutSuffix(c.path, "*")
	re, folded := strings.CutPrefix(c.regexp, "(?i)")
	low := strings.ToLower(re)
	if !folded {
		return c, unsayable
	}
	if !wild {
		compiled, err := regexp.Compile(c.regexp)
		if err != nil || !compiled.MatchString(prefix) {
			return c, impossible
		}
		c.regexp = ""
		return c, possible
	}
	literal, ends := strings.CutSuffix(low, "$")
	plain := strings.ReplaceAll(literal, `\`, "")
	switch {
	case apart(low, prefix):
		return c, impossible
	case strings.HasPrefix(low, "^"+regexp.QuoteMeta(prefix)):
	case ends && regexp.QuoteMeta(plain) == literal && !overlap(prefix, plain):
		c.regexp = "(?i)^" + regexp.QuoteMeta(prefix) + ".*" + re
	default:
		return c, unsayable
	}
	c.path = ""
	return c, possible
}

// overlap reports whether b begins within a: a contains b, or an end of a is a
// beginning of b.
func overlap(a, b string) bool {
	for i := range a {
		if strings.HasPrefix(b, a[i:]) || strings.HasPrefix(a[i:], b) {
			return true
		}
	}
	return false
}

// overlapping refuses a listener on one address beside a listener on all addresses of
// the same port. The other proxy tells their clients apart, and goodgate does not.
func (r *Result) overlapping(what string) {
	r.file.listeners = slices.DeleteFunc(slices.Clone(r.file.listeners), func(l *listener) bool {
		host, port, err := net.SplitHostPort(l.address)
		if err != nil || host == "" || !slices.ContainsFunc(r.file.listeners, func(o *listener) bool { return o.address == ":"+port }) {
			return false
		}
		r.refuse("", what, "what is meant for "+l.address+" alone would apply to every address of the port, because another server listens on :"+port)
		return true
	})
}
