package config

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goodgate/goodgate/internal/vars"
)

// variableError describes the mistake in the variables of a text, empty if there is none.
func variableError(text string, at vars.Place) string {
	parts, unknown := vars.Parse(text)
	if len(unknown) > 0 {
		return unknownVariable(unknown[0], at)
	}
	for _, p := range parts {
		switch {
		case (p.Name == "header:" || p.Name == "cookie:") && !isToken(p.Parameter):
			return fmt.Sprintf("{%s%s}: %q is not a name of a header or cookie", p.Name, p.Parameter, p.Parameter)
		case p.Since <= at:
		case p.Group > 0:
			return fmt.Sprintf("{%d} has no value here; it belongs to redirects and headers of a route", p.Group)
		default:
			return fmt.Sprintf("{%s%s} has no value at this point; known: %s", p.Name, p.Parameter, inBraces(vars.Names(at)))
		}
	}
	return ""
}

func unknownVariable(word string, at vars.Place) string {
	kind := strings.TrimRight(word, ":.")
	if vars.Takes(kind) {
		return fmt.Sprintf("{%s} needs a name: {%s:NAME}", word, kind)
	}
	if near := nearVariable(word, vars.Answer); near != "" {
		return fmt.Sprintf("unknown variable {%s} (did you mean %s?)", word, near)
	}
	return fmt.Sprintf(`unknown variable {%s}; known: %s. For the text itself write \{%s}`, word, inBraces(vars.Names(at)), word)
}

// nearVariable returns the variable that a word in braces probably means.
func nearVariable(word string, at vars.Place) string {
	var plain []string
	for _, name := range vars.Names(at) {
		kind, takes := strings.CutSuffix(name, ":NAME")
		if !takes {
			plain = append(plain, name)
			continue
		}
		if i := strings.IndexAny(word, ":."); i > 0 && nearest(word[:i], []string{kind}) != "" {
			return "{" + kind + ":" + word[i+1:] + "}"
		}
	}
	if near := nearest(word, plain); near != "" {
		return "{" + near + "}"
	}
	return ""
}

func inBraces(names []string) string { return "{" + strings.Join(names, "}, {") + "}" }

// variables checks the variables of one text.
func (v *validator) variables(path, text string, at vars.Place, groups int) {
	if wrong := variableError(text, at); wrong != "" {
		v.errorf(path, "%s", wrong)
	} else if n := groupsIn(text); n > groups {
		v.errorf(path, "has {%d}: the expression of the route (match.path_regexp, else host_regexp) has %d groups", n, groups)
	}
}

// headerVariables checks the variables in headers to set.
func (v *validator) headerVariables(path string, e HeaderEdit, at vars.Place, groups int) {
	for _, name := range slices.Sorted(maps.Keys(e.Set)) {
		v.variables(path+".set."+name, e.Set[name], at, groups)
	}
	for _, name := range slices.Sorted(maps.Keys(e.Add)) {
		v.variables(path+".add."+name, e.Add[name], at, groups)
	}
}

// routeVariables checks the variables in all texts of a route, except fixed bodies, which
// may contain any braces: see advisor.respondVariables.
func (v *validator) routeVariables(path string, r Route) {
	groups := r.Match.groups()
	v.headerVariables(path+".request_headers", r.RequestHeaders, vars.Forward, groups)
	v.headerVariables(path+".response_headers", r.ResponseHeaders, vars.Answer, groups)
	for i, rule := range r.ResponseRules {
		v.headerVariables(index(path+".response_rules", i), HeaderEdit{Set: rule.Set, Add: rule.Add}, vars.Answer, groups)
	}
	v.headerVariables(path+".error_headers", r.ErrorHeaders, vars.Answer, groups)
	for _, values := range []struct {
		key string
		of  Values
	}{{"set", r.RequestQuery.Set}, {"add", r.RequestQuery.Add}} {
		for _, name := range slices.Sorted(maps.Keys(values.of)) {
			v.variables(path+".request_query."+values.key+"."+name, values.of[name], vars.Forward, groups)
		}
	}
	if p := r.RewritePath; p != nil {
		parts, _ := vars.ParseRewrite(p.To)
		for _, part := range parts {
			if part.Group > groups {
				v.errorf(path+".rewrite_path.to", "has {%d}: the expression of the route (match.path_regexp, else host_regexp) has %d groups", part.Group, groups)
			}
		}
	}
	if f := r.Access.Forward; f != nil {
		v.headerVariables(path+".access.forward.request_headers", f.Headers, vars.Arrival, groups)
	}
	if r.Redirect != nil && variableError(r.Redirect.To, vars.Arrival) == "" { // reported already
		v.variables(path+".redirect.to", r.Redirect.To, vars.Arrival, groups)
	}
	lists := map[string][]Rewrite{"location": r.Rewrites.Location, "cookie_domain": r.Rewrites.CookieDomain, "cookie_path": r.Rewrites.CookiePath}
	for _, key := range slices.Sorted(maps.Keys(lists)) {
		for i, w := range lists[key] {
			if w.Regexp == "" {
				v.variables(index(path+".response_rewrites."+key, i)+".to", w.To, vars.Answer, groups)
			}
		}
	}
}

// rewriteGroups warns of groups that the expression of a rewrite does not have. They stay
// empty.
func (a *advisor) rewriteGroups(path string, p RewritePath) {
	re := regexp.MustCompile(p.Regexp)
	parts, _ := vars.ParseRewrite(p.To)
	for _, part := range parts {
		name := strings.Trim(part.Match, "${}")
		n, err := strconv.Atoi(name)
		switch {
		case part.Match == "":
		case err == nil && n > re.NumSubexp():
			a.warnf(path, "$%d stays empty: regexp has %d groups", n, re.NumSubexp())
		case err != nil && re.SubexpIndex(name) < 0 && name[0] >= '0' && name[0] <= '9':
			digits := name[:len(name)-len(strings.TrimLeft(name, "0123456789"))]
			a.warnf(path, "$%s stays empty: regexp has no group of this name; for group %s followed by text, write $${%s}%s", name, digits, digits, name[len(digits):])
		case err != nil && re.SubexpIndex(name) < 0:
			a.warnf(path, "$%s stays empty: regexp has no group of this name, (?P<%s>...)", name, name)
		}
	}
}

// groups returns how many of the groups {1} to {9} a route has.
func (m Match) groups() int {
	re, err := regexp.Compile(cmp.Or(m.PathRegexp, m.HostRegexp))
	if err != nil {
		return 9 // reported already
	}
	return re.NumSubexp()
}

// groupsIn returns the highest group in a text.
func groupsIn(text string) (highest int) {
	parts, _ := vars.Parse(text)
	for _, p := range parts {
		highest = max(highest, p.Group)
	}
	return highest
}

// respondVariables warns of words in a fixed answer that resemble a variable, and of
// variables without a value. Style sheets and scripts contain other braces.
func (a *advisor) respondVariables(path string, r *Respond, at vars.Place) {
	if r == nil {
		return
	}
	a.looseVariables(path+".body", r.Body, at)
	for _, name := range slices.Sorted(maps.Keys(r.Headers)) {
		if name != "Content-Type" { // has no variables
			a.looseVariables(path+".headers."+name, r.Headers[name], at)
		}
	}
}

func (a *advisor) looseVariables(path, text string, at vars.Place) {
	parts, unknown := vars.Parse(text)
	for _, word := range unknown {
		if near := nearVariable(word, at); near != "" {
			a.warnf(path, "{%s} is not a variable, and stays as text (did you mean %s?)", word, near)
		}
	}
	for _, p := range parts {
		if p.Since > at {
			a.warnf(path, "{%s} has no value here, and stays empty", p.Name)
		}
	}
}
