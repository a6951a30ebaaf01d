package config

import (
	"net/netip"
	"regexp"
	"regexp/syntax"
	"slices"
	"unicode"
)

// Match holds the conditions of a route; a zero condition matches everything.
type Match struct {
	Host         []string       `yaml:"host" opt:"single" format:"hostpattern" help:"Host names without port. *.example.com stands for every name below example.com, but not for example.com."`
	Scheme       string         `yaml:"scheme" default:"any" enum:"any|http|https" help:"Scheme of the client's connection: https with TLS, http without."`
	HostRegexp   string         `yaml:"host_regexp" default:"" format:"regexp" example:"^shop[0-9]+" help:"Regular expression (RE2) that must match a part of the host. The host is in lower case and without port; ^ and $ are its start and end."`
	Path         string         `yaml:"path" default:"" format:"path" help:"Exact path. A * at its start or end stands for any text, as in /v1/* and *.png; a * elsewhere for text without a slash, as in /users/*/photo."`
	PathRegexp   string         `yaml:"path_regexp" default:"" format:"regexp" help:"Regular expression (RE2) that must match a part of the decoded path; ^ and $ are its start and end, (?i) ignores case."`
	Methods      []string       `yaml:"methods" default:"[]" format:"method" help:"Request methods."`
	Headers      Headers        `yaml:"headers" format:"header" example:"{X-Canary: \"1\"}" help:"Headers that must have the value; an empty value or * matches any."`
	HeaderPrefix Headers        `yaml:"header_prefix" format:"header" example:"{User-Agent: curl/}" help:"Headers whose value must begin with this text."`
	HeaderRegexp Expressions    `yaml:"header_regexp" format:"header" example:"{User-Agent: \"(?i)bot\"}" help:"Headers whose value must match the regular expression (RE2); ^ and $ are the start and end of the value, (?i) ignores case."`
	HeaderAbsent []string       `yaml:"header_absent" opt:"single" format:"header" example:"[X-Api-Key]" help:"Headers that must be absent."`
	Query        Values         `yaml:"query" format:"parameter" example:"{preview: \"1\"}" help:"Query parameters that must have the decoded value; an empty value or * matches any."`
	QueryPrefix  Values         `yaml:"query_prefix" format:"parameter" example:"{lang: en}" help:"Query parameters whose decoded value must begin with this text."`
	QueryRegexp  Expressions    `yaml:"query_regexp" format:"parameter" example:"{page: \"^[0-9]+$\"}" help:"Query parameters whose decoded value must match the regular expression (RE2)."`
	QueryAbsent  []string       `yaml:"query_absent" opt:"single" format:"parameter" example:"[preview]" help:"Query parameters that must be absent."`
	Cookies      Values         `yaml:"cookies" format:"token" example:"{beta: \"1\"}" help:"Cookies that must have the value; an empty value or * matches any."`
	CookiePrefix Values         `yaml:"cookie_prefix" format:"token" example:"{session: v2-}" help:"Cookies whose value must begin with this text."`
	CookieRegexp Expressions    `yaml:"cookie_regexp" format:"token" example:"{version: \"^v2\"}" help:"Cookies whose value must match the regular expression (RE2)."`
	CookieAbsent []string       `yaml:"cookie_absent" opt:"single" format:"token" example:"[session]" help:"Cookies that must be absent."`
	Listener     []string       `yaml:"listener" opt:"single" format:"listener" help:"Listeners that accepted the client, by name or address."`
	Client       []netip.Prefix `yaml:"client" opt:"single" help:"Networks that contain the client's address; behind trusted_proxies, this is the address that they report."`
	Port         []int          `yaml:"port" opt:"single" min:"1" max:"65535" example:"8443" help:"Ports that the client connected to."`
	SNI          []string       `yaml:"sni" opt:"single" format:"hostpattern" help:"Names that the client requests by TLS (SNI), written as in host. A client without TLS has none."`

	All []Conditions `yaml:"all" opt:"nested" help:"Every entry of the list must hold. An entry holds if all of its conditions hold. Use this key to combine several any or not keys, one in each entry."`
	Any []Conditions `yaml:"any" help:"At least one entry of the list must hold, in addition to the other conditions. An entry holds if all of its conditions hold."`
	Not []Conditions `yaml:"not" help:"No entry of the list may hold. An entry holds if all of its conditions hold."`
}

// maxNesting bounds the levels of All, Any and Not.
const maxNesting = 4

// Conditions are an entry of All, Any and Not.
type Conditions struct {
	Host         []string       `yaml:"host" opt:"single" format:"hostpattern" help:"Host names without port. *.example.com stands for every name below example.com, but not for example.com."`
	Scheme       string         `yaml:"scheme" enum:"any|http|https" help:"Scheme of the client's connection: https with TLS, http without."`
	HostRegexp   string         `yaml:"host_regexp" format:"regexp" example:"^shop[0-9]+" help:"Regular expression (RE2) that must match a part of the host. The host is in lower case and without port; ^ and $ are its start and end."`
	Path         string         `yaml:"path" format:"path" help:"Exact path. A * at its start or end stands for any text, as in /v1/* and *.png; a * elsewhere for text without a slash, as in /users/*/photo."`
	PathRegexp   string         `yaml:"path_regexp" format:"regexp" help:"Regular expression (RE2) that must match a part of the decoded path; ^ and $ are its start and end, (?i) ignores case."`
	Methods      []string       `yaml:"methods" format:"method" help:"Request methods."`
	Headers      Headers        `yaml:"headers" format:"header" example:"{X-Canary: \"1\"}" help:"Headers that must have the value; an empty value or * matches any."`
	HeaderPrefix Headers        `yaml:"header_prefix" format:"header" example:"{User-Agent: curl/}" help:"Headers whose value must begin with this text."`
	HeaderRegexp Expressions    `yaml:"header_regexp" format:"header" example:"{User-Agent: \"(?i)bot\"}" help:"Headers whose value must match the regular expression (RE2); ^ and $ are the start and end of the value, (?i) ignores case."`
	HeaderAbsent []string       `yaml:"header_absent" opt:"single" format:"header" example:"[X-Api-Key]" help:"Headers that must be absent."`
	Query        Values         `yaml:"query" format:"parameter" example:"{preview: \"1\"}" help:"Query parameters that must have the decoded value; an empty value or * matches any."`
	QueryPrefix  Values         `yaml:"query_prefix" format:"parameter" example:"{lang: en}" help:"Query parameters whose decoded value must begin with this text."`
	QueryRegexp  Expressions    `yaml:"query_regexp" format:"parameter" example:"{page: \"^[0-9]+$\"}" help:"Query parameters whose decoded value must match the regular expression (RE2)."`
	QueryAbsent  []string       `yaml:"query_absent" opt:"single" format:"parameter" example:"[preview]" help:"Query parameters that must be absent."`
	Cookies      Values         `yaml:"cookies" format:"token" example:"{beta: \"1\"}" help:"Cookies that must have the value; an empty value or * matches any."`
	CookiePrefix Values         `yaml:"cookie_prefix" format:"token" example:"{session: v2-}" help:"Cookies whose value must begin with this text."`
	CookieRegexp Expressions    `yaml:"cookie_regexp" format:"token" example:"{version: \"^v2\"}" help:"Cookies whose value must match the regular expression (RE2)."`
	CookieAbsent []string       `yaml:"cookie_absent" opt:"single" format:"token" example:"[session]" help:"Cookies that must be absent."`
	Listener     []string       `yaml:"listener" opt:"single" format:"listener" help:"Listeners that accepted the client, by name or address."`
	Client       []netip.Prefix `yaml:"client" opt:"single" help:"Networks that contain the client's address; behind trusted_proxies, this is the address that they report."`
	Port         []int          `yaml:"port" opt:"single" min:"1" max:"65535" example:"8443" help:"Ports that the client connected to."`
	SNI          []string       `yaml:"sni" opt:"single" format:"hostpattern" help:"Names that the client requests by TLS (SNI), written as in host. A client without TLS has none."`

	All []Conditions `yaml:"all" opt:"nested" help:"Every entry of the list must hold. An entry holds if all of its conditions hold."`
	Any []Conditions `yaml:"any" opt:"nested" help:"At least one entry of the list must hold. An entry holds if all of its conditions hold."`
	Not []Conditions `yaml:"not" opt:"nested" help:"No entry of the list may hold. An entry holds if all of its conditions hold."`
}

// Own returns the conditions of m as an entry would have them.
func (m Match) Own() Conditions {
	return Conditions(m)
}

// part is a list of conditions within those of a route.
type part struct {
	at    string // its place, for example .any[0].not[1]
	depth int    // 0 = the conditions of the route itself
	Conditions
}

// parts returns the conditions and all nested ones, those of the route first.
func (m Match) parts() []part { return part{Conditions: m.Own()}.with(nil) }

// with appends p and its nested conditions to list.
func (p part) with(list []part) []part {
	list = append(list, p)
	for _, nested := range []struct {
		key  string
		list []Conditions
	}{{".all", p.All}, {".any", p.Any}, {".not", p.Not}} {
		for i, c := range nested.list {
			list = part{index(p.at+nested.key, i), p.depth + 1, c}.with(list)
		}
	}
	return list
}

// isEmpty reports whether c matches every request.
func (c Conditions) isEmpty() bool { return c.covers(Conditions{}) && c.Path == "" }

// conditions reports conditions that cannot hold, or have no effect.
func (v *validator) conditions(path string, m Match) {
	deep := false
	for _, p := range m.parts() {
		v.matchListeners(path+p.at+".listener", p.Conditions)
		switch {
		case p.depth > maxNesting:
			if !deep {
				v.errorf(path+p.at, "all, any and not are nested %d levels deep: the limit is %d", p.depth, maxNesting)
			}
			deep = true
		case p.depth > 0 && p.isEmpty() && !v.at.below(path+p.at):
			v.errorf(path+p.at, "has no conditions")
		}
	}
}

// contradictions warns of values that must be both present and absent.
func (a *advisor) contradictions(path string, c Conditions) {
	for _, of := range []struct {
		key    string
		absent []string
		given  []map[string]string
	}{
		{"header_absent", c.HeaderAbsent, []map[string]string{c.Headers, c.HeaderPrefix, c.HeaderRegexp}},
		{"query_absent", c.QueryAbsent, []map[string]string{c.Query, c.QueryPrefix, c.QueryRegexp}},
		{"cookie_absent", c.CookieAbsent, []map[string]string{c.Cookies, c.CookiePrefix, c.CookieRegexp}},
	} {
		for _, name := range of.absent {
			if slices.ContainsFunc(of.given, func(m map[string]string) bool { _, is := m[name]; return is }) {
				a.warnf(path+"."+of.key, "never holds: another condition requires %s", name)
			}
		}
	}
}

// percentCode finds an encoded byte of a URL.
var percentCode = regexp.MustCompile(`%[0-9a-fA-F]{2}`)

// otherForms warns of values in a form that goodgate's paths and hosts do not have.
func (a *advisor) otherForms(path string, c Conditions) {
	for _, of := range [][2]string{{"path", c.Path}, {"path_regexp", c.PathRegexp}} {
		if code := percentCode.FindString(of[1]); code != "" {
			a.warnf(path+"."+of[0], "has %s: goodgate compares the decoded path, so write the character itself", code)
		}
	}
	if re, err := syntax.Parse(c.HostRegexp, syntax.Perl); err == nil && hasUpper(re) {
		a.warnf(path+".host_regexp", "has a capital letter, which matches no host: goodgate compares the host in lower case; write lower-case letters")
	}
}

// hasUpper reports whether an expression has a capital letter that stands for itself only.
func hasUpper(re *syntax.Regexp) bool {
	if re.Op == syntax.OpLiteral && re.Flags&syntax.FoldCase == 0 && slices.ContainsFunc(re.Rune, unicode.IsUpper) {
		return true
	}
	return slices.ContainsFunc(re.Sub, hasUpper)
}

// conditions warns of a route that no request can match.
func (a *advisor) conditions(path string, m Match) {
	for _, p := range m.parts() {
		a.contradictions(path+p.at, p.Conditions)
		a.otherForms(path+p.at, p.Conditions)
	}
	for i, c := range m.Not {
		if c.covers(m.Own()) {
			a.warnf(index(path+".not", i), "the route never matches: this excludes every request that meets the other conditions")
		}
	}
	if len(m.Port) == 0 && len(m.SNI) == 0 {
		return
	}
	for _, l := range a.config.Listeners {
		if a.config.takes(m, l) {
			return
		}
	}
	a.warnf(path, "the route never matches: no listener fits port, sni, scheme and listener")
}
