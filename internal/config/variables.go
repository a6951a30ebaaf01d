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
	near := nearVariable(word, vars.Answer)
	if near == "" {
		near, _ = vars.OfNginx(word)
	}
	if near != "" {
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

// variableText is a text that may have variables.
type variableText struct {
	path, text string
	at         vars.Place
}

// texts returns the values of headers to set or add.
func (e HeaderEdit) texts(path string, at vars.Place) (list []variableText) {
	return slices.Concat(valueTexts(path+".set.", e.Set, at), valueTexts(path+".add.", e.Add, at))
}

func valueTexts[M ~map[string]string](path string, values M, at vars.Place) (list []variableText) {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		list = append(list, variableText{path + name, values[name], at})
	}
	return list
}

// texts returns all texts of a route that may have variables, except those with a form of
// their own: fixed answers, redirects, and rewrites by an expression.
func (r Route) texts(path string) []variableText {
	list := slices.Concat(r.RequestHeaders.texts(path+".request_headers", vars.Forward), r.ResponseHeaders.texts(path+".response_headers", vars.Answer),
		r.ErrorHeaders.texts(path+".error_headers", vars.Answer),
		valueTexts(path+".request_query.set.", r.RequestQuery.Set, vars.Forward), valueTexts(path+".request_query.add.", r.RequestQuery.Add, vars.Forward))
	for i, rule := range r.ResponseRules {
		list = append(list, HeaderEdit{Set: rule.Set, Add: rule.Add}.texts(index(path+".response_rules", i), vars.Answer)...)
	}
	if f := r.Access.Forward; f != nil {
		list = append(list, f.Headers.texts(path+".access.forward.request_headers", vars.Arrival)...)
	}
	for _, rewrites := range []struct {
		key string
		of  []Rewrite
	}{{"cookie_domain", r.Rewrites.CookieDomain}, {"cookie_path", r.Rewrites.CookiePath}, {"location", r.Rewrites.Location}} {
		for i, w := range rewrites.of {
			if w.Regexp == "" {
				list = append(list, variableText{index(path+".response_rewrites."+rewrites.key, i) + ".to", w.To, vars.Answer})
			}
		}
	}
	return list
}

// routeVariables checks the variables in all texts of a route, except fixed bodies, which
// may contain any braces: see advisor.respondVariables.
func (v *validator) routeVariables(path string, r Route) {
	groups := r.Match.groups()
	for _, t := range r.texts(path) {
		v.variables(t.path, t.text, t.at, groups)
	}
	if p := r.RewritePath; p != nil {
		parts, _ := vars.ParseRewrite(p.To)
		for _, part := range parts {
			if part.Group > groups {
				v.errorf(path+".rewrite_path.to", "has {%d}: the expression of the route (match.path_regexp, else host_regexp) has %d groups", part.Group, groups)
			}
		}
	}
	if r.Redirect != nil && variableError(r.Redirect.To, vars.Arrival) == "" { // reported already
		v.variables(path+".redirect.to", r.Redirect.To, vars.Arrival, groups)
	}
}

// dollarWord finds what nginx would take for a variable.
var dollarWord = regexp.MustCompile(`\$(\w+)`)

// dollarVariables warns of nginx's variables, which stay as text.
func (a *advisor) dollarVariables(path, text string) {
	for _, word := range dollarWord.FindAllStringSubmatch(text, -1) {
		if ours, ok := vars.OfNginx(word[1]); ok {
			a.warnf(path, "$%s stays as text: it is a variable of nginx; write %s", word[1], ours)
			return
		}
	}
}

// routeDollars warns of nginx's variables in the texts of a route.
func (a *advisor) routeDollars(path string, r Route) {
	for _, t := range r.texts(path) {
		a.dollarVariables(t.path, t.text)
	}
	if r.Redirect != nil {
		a.dollarVariables(path+".redirect.to", r.Redirect.To)
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
	a.dollarVariables(path, text)
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
