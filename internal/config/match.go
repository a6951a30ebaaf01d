package config

import "net/netip"

// Match holds the conditions of a route; a zero condition matches everything.
type Match struct {
	Host         []string       `yaml:"host" opt:"single" format:"hostpattern" help:"Host names without port. *.example.com stands for every name below example.com, but not for example.com."`
	Scheme       string         `yaml:"scheme" default:"any" enum:"any|http|https" help:"Scheme of the client's connection: https with TLS, http without."`
	HostRegexp   string         `yaml:"host_regexp" default:"" format:"regexp" example:"^shop[0-9]+" help:"Regular expression (RE2) that matches in the host, which is without port and in lower case; ^ and $ are its ends."`
	Path         string         `yaml:"path" default:"" format:"path" help:"Exact path. A * at its start or end stands for any text, as in /v1/* and *.png; a * elsewhere for text without a slash, as in /users/*/photo."`
	PathRegexp   string         `yaml:"path_regexp" default:"" format:"regexp" help:"Regular expression (RE2) that matches in the decoded path; ^ and $ are its ends, (?i) ignores case."`
	Methods      []string       `yaml:"methods" default:"[]" format:"method" help:"Request methods."`
	Headers      Headers        `yaml:"headers" format:"header" example:"{X-Canary: \"1\"}" help:"Headers that must have the value; an empty value or * matches any."`
	HeaderRegexp Expressions    `yaml:"header_regexp" format:"header" example:"{User-Agent: \"(?i)bot\"}" help:"Headers with a value that must match the regular expression (RE2); ^ and $ are its ends, (?i) ignores case."`
	Query        Values         `yaml:"query" format:"parameter" example:"{preview: \"1\"}" help:"Query parameters that must have the decoded value; an empty value or * matches any."`
	QueryRegexp  Expressions    `yaml:"query_regexp" format:"parameter" example:"{page: \"^[0-9]+$\"}" help:"Query parameters with a decoded value that must match the regular expression (RE2)."`
	Cookies      Values         `yaml:"cookies" format:"token" example:"{beta: \"1\"}" help:"Cookies that must have the value; an empty value or * matches any."`
	CookieRegexp Expressions    `yaml:"cookie_regexp" format:"token" example:"{version: \"^v2\"}" help:"Cookies with a value that must match the regular expression (RE2)."`
	Listener     []string       `yaml:"listener" opt:"single" format:"listener" help:"Listeners that accepted the client, by name or address."`
	Client       []netip.Prefix `yaml:"client" opt:"single" help:"Networks of the client's address, as trusted_proxies report it."`
	Port         []int          `yaml:"port" opt:"single" min:"1" max:"65535" example:"8443" help:"Ports that the client connected to."`
	SNI          []string       `yaml:"sni" opt:"single" format:"hostpattern" help:"Names that the client asked for by TLS (SNI), as for host. A client without TLS has none."`

	Any []Conditions `yaml:"any" help:"Lists of conditions: in addition to the conditions outside of any, all conditions of at least one list must hold."`
	Not []Conditions `yaml:"not" help:"Lists of conditions: a request that meets all conditions of a list does not match."`
}

// Conditions are an entry of Any and Not: the conditions of Match without nested ones,
// which bounds their depth.
type Conditions struct {
	Host         []string       `yaml:"host" opt:"single" format:"hostpattern" help:"Host names without port. *.example.com stands for every name below example.com, but not for example.com."`
	Scheme       string         `yaml:"scheme" enum:"any|http|https" help:"Scheme of the client's connection: https with TLS, http without."`
	HostRegexp   string         `yaml:"host_regexp" format:"regexp" example:"^shop[0-9]+" help:"Regular expression (RE2) that matches in the host, which is without port and in lower case; ^ and $ are its ends."`
	Path         string         `yaml:"path" format:"path" help:"Exact path. A * at its start or end stands for any text, as in /v1/* and *.png; a * elsewhere for text without a slash, as in /users/*/photo."`
	PathRegexp   string         `yaml:"path_regexp" format:"regexp" help:"Regular expression (RE2) that matches in the decoded path; ^ and $ are its ends, (?i) ignores case."`
	Methods      []string       `yaml:"methods" format:"method" help:"Request methods."`
	Headers      Headers        `yaml:"headers" format:"header" example:"{X-Canary: \"1\"}" help:"Headers that must have the value; an empty value or * matches any."`
	HeaderRegexp Expressions    `yaml:"header_regexp" format:"header" example:"{User-Agent: \"(?i)bot\"}" help:"Headers with a value that must match the regular expression (RE2); ^ and $ are its ends, (?i) ignores case."`
	Query        Values         `yaml:"query" format:"parameter" example:"{preview: \"1\"}" help:"Query parameters that must have the decoded value; an empty value or * matches any."`
	QueryRegexp  Expressions    `yaml:"query_regexp" format:"parameter" example:"{page: \"^[0-9]+$\"}" help:"Query parameters with a decoded value that must match the regular expression (RE2)."`
	Cookies      Values         `yaml:"cookies" format:"token" example:"{beta: \"1\"}" help:"Cookies that must have the value; an empty value or * matches any."`
	CookieRegexp Expressions    `yaml:"cookie_regexp" format:"token" example:"{version: \"^v2\"}" help:"Cookies with a value that must match the regular expression (RE2)."`
	Listener     []string       `yaml:"listener" opt:"single" format:"listener" help:"Listeners that accepted the client, by name or address."`
	Client       []netip.Prefix `yaml:"client" opt:"single" help:"Networks of the client's address, as trusted_proxies report it."`
	Port         []int          `yaml:"port" opt:"single" min:"1" max:"65535" example:"8443" help:"Ports that the client connected to."`
	SNI          []string       `yaml:"sni" opt:"single" format:"hostpattern" help:"Names that the client asked for by TLS (SNI), as for host. A client without TLS has none."`
}

// Own returns the conditions of m without the nested ones.
func (m Match) Own() Conditions {
	return Conditions{
		Host: m.Host, Scheme: m.Scheme, HostRegexp: m.HostRegexp, Path: m.Path, PathRegexp: m.PathRegexp, Methods: m.Methods,
		Headers: m.Headers, HeaderRegexp: m.HeaderRegexp, Query: m.Query, QueryRegexp: m.QueryRegexp, Cookies: m.Cookies, CookieRegexp: m.CookieRegexp,
		Listener: m.Listener, Client: m.Client, Port: m.Port, SNI: m.SNI,
	}
}

// parts returns the conditions of m with their place in it.
func (m Match) parts() (paths []string, parts []Conditions) {
	paths, parts = []string{""}, []Conditions{m.Own()}
	for i, c := range m.Any {
		paths, parts = append(paths, index(".any", i)), append(parts, c)
	}
	for i, c := range m.Not {
		paths, parts = append(paths, index(".not", i)), append(parts, c)
	}
	return paths, parts
}

// isEmpty reports whether c matches every request.
func (c Conditions) isEmpty() bool { return c.covers(Conditions{}) && c.Path == "" }

// conditions reports conditions that cannot hold, or have no effect.
func (v *validator) conditions(path string, m Match) {
	paths, parts := m.parts()
	for i, at := range paths {
		v.matchListeners(path+at+".listener", parts[i])
		if i > 0 && parts[i].isEmpty() && !v.at.below(path+at) {
			v.errorf(path+at, "has no conditions")
		}
	}
}

// conditions warns of a route that no request can match.
func (a *advisor) conditions(path string, m Match) {
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
	a.warnf(path, "the route never matches: no listener has such connections (port, sni, scheme, listener)")
}
