package config

import "net/netip"

// Route says what happens to the requests it matches: exactly one of Pool, Split, Redirect and Respond is set.
type Route struct {
	Name            string       `yaml:"name" format:"name" help:"Name in the log and in metrics, unique; route-N when absent."`
	Match           Match        `yaml:"match" help:"Which requests; every condition given must hold, none given matches all."`
	Pool            string       `yaml:"pool" oneof:"target" opt:"public" help:"Name of the pool that answers."`
	Split           *Split       `yaml:"split" oneof:"target" help:"Divide the requests between pools."`
	Mirror          *Mirror      `yaml:"mirror" help:"Send a share of the requests to another pool as well, and compare the answers."`
	Redirect        *Redirect    `yaml:"redirect" oneof:"target" help:"Answer with a redirect."`
	Respond         *Respond     `yaml:"respond" oneof:"target" help:"Answer with a fixed response."`
	RequestHeaders  HeaderEdit   `yaml:"request_headers" help:"Changes to the headers that go upstream. Values may have variables: {client_ip}, {host}, {hostname}, {scheme}, {method}, {uri}, {path}, {query}, {args}, {request_id}, {header:NAME}, {query:NAME}, {cookie:NAME}, {1} to {9} for groups of match.path_regexp, or without it of match.host_regexp."`
	ResponseHeaders HeaderEdit   `yaml:"response_headers" help:"Changes to the headers that go to the client. Values may have the same variables, and {upstream} and {upstreams}."`
	ErrorHeaders    HeaderEdit   `yaml:"error_headers" help:"Changes to the headers of errors that goodgate answers itself on this route, with the same variables."`
	Rewrites        Rewrites     `yaml:"response_rewrites" help:"Changes to where answers lead, for an application that does not know its address outside."`
	StripPrefix     string       `yaml:"strip_prefix" default:"" format:"prefix" help:"Removed from the start of the path before it goes upstream, and told in X-Forwarded-Prefix."`
	AddPrefix       string       `yaml:"add_prefix" default:"" format:"prefix" help:"Put before the path when it goes upstream, after strip_prefix."`
	RewritePath     *RewritePath `yaml:"rewrite_path" help:"Then the path becomes another, by a regular expression."`
	Host            string       `yaml:"host" default:"keep" format:"sendhost" help:"Host header sent upstream: keep (the client's), upstream (the upstream's own) or a name."`
	Timeout         Duration     `yaml:"timeout" min:"1ms" max:"24h" zero:"no limit" help:"For the whole request; the pool's timeouts.request when absent."`
	Fallback        *Fallback    `yaml:"fallback" help:"Who answers a request that would end with a gateway error; the pool's fallback when absent."`
	RetrySafe       bool         `yaml:"retry_safe" default:"false" help:"The application promises that every request on this route, whatever its method, may be run twice."`
	IdempotencyKey  bool         `yaml:"idempotency_key" default:"false" help:"The application promises to run requests with the same Idempotency-Key header once, so that one that has the header may be sent again."`
	Limits          Limits       `yaml:"limits" help:"Which requests are let in."`
	Priority        string       `yaml:"priority" default:"normal" enum:"high|normal|low" help:"Whose turn comes first when requests queue before the pool."`

	Access        Access         `yaml:"access" help:"Who may come."`
	CORS          *CORS          `yaml:"cors" help:"Which pages of other origins may read answers; when absent it is up to the upstreams."`
	CrossOrigin   CrossOrigin    `yaml:"cross_origin" help:"Whether pages of other origins may send requests that change something."`
	SecureHeaders *SecureHeaders `yaml:"secure_headers" help:"Headers that tell browsers to be careful, where the application does not set them."`
	Intercept     Statuses       `yaml:"intercept" default:"[]" opt:"single" help:"Status codes of upstreams' answers that an error page takes the place of: 404, 500-599 or 5xx."`
	Compress      *Compress      `yaml:"compress" help:"Compress answers for clients that accept it."`
}

// Match holds the conditions of a route; a zero condition matches everything.
type Match struct {
	Host         []string       `yaml:"host" opt:"single" format:"hostpattern" help:"Names without port; *.example.com stands for every name below example.com, not for itself."`
	Scheme       string         `yaml:"scheme" default:"any" enum:"any|http|https" help:"Whether the client's connection to goodgate is by TLS (https) or not (http)."`
	HostRegexp   string         `yaml:"host_regexp" default:"" format:"regexp" help:"Regular expression (RE2) that matches in the host, which is without port and in lower case; ^ and $ are its ends."`
	Path         string         `yaml:"path" default:"" format:"path" help:"Exact path, or with a * at its end the start of the path."`
	PathRegexp   string         `yaml:"path_regexp" default:"" format:"regexp" help:"Regular expression (RE2) that matches in the decoded path; ^ and $ are its ends, (?i) ignores case."`
	Methods      []string       `yaml:"methods" default:"[]" format:"method" help:"Request methods."`
	Headers      Headers        `yaml:"headers" format:"header" help:"Headers that must have the value; an empty value or * only asks that the header is there."`
	HeaderRegexp Expressions    `yaml:"header_regexp" format:"header" help:"Headers of which a value must match the regular expression (RE2); ^ and $ are its ends, (?i) ignores case."`
	Query        Values         `yaml:"query" format:"parameter" help:"Parameters of the query that must have the value, decoded; an empty value or * only asks that the parameter is there."`
	QueryRegexp  Expressions    `yaml:"query_regexp" format:"parameter" help:"Parameters of the query of which a value, decoded, must match the regular expression (RE2)."`
	Cookies      Values         `yaml:"cookies" format:"token" help:"Cookies that must have the value; an empty value or * only asks that the cookie is there."`
	CookieRegexp Expressions    `yaml:"cookie_regexp" format:"token" help:"Cookies of which a value must match the regular expression (RE2)."`
	Listener     []string       `yaml:"listener" opt:"single" format:"listener" help:"Listeners that the client came to, each by its name or its address."`
	Client       []netip.Prefix `yaml:"client" opt:"single" help:"Networks that the client is in; trusted_proxies are believed who that is."`
}

// Rewrites change where an upstream's answers lead. Of each list the first entry that fits is used.
type Rewrites struct {
	Location     []Rewrite     `yaml:"location" help:"How the URL in Location and Refresh begins."`
	CookieDomain []Rewrite     `yaml:"cookie_domain" help:"The Domain of cookies."`
	CookiePath   []Rewrite     `yaml:"cookie_path" help:"How the Path of cookies begins."`
	CookieFlags  []CookieFlags `yaml:"cookie_flags" help:"The flags of cookies."`
}

// Rewrite puts To where From is, or in place of the whole of what Regexp matches in.
type Rewrite struct {
	From   string `yaml:"from" opt:"public" oneof:"what" format:"rewritten" help:"What the upstream sends."`
	Regexp string `yaml:"regexp" oneof:"what" format:"regexp" help:"Regular expression (RE2) for what it sends; the whole of what it matches in is replaced, and $1 or ${name} in to is a part that matched (in this file $${name})."`
	To     string `yaml:"to" opt:"required,public" format:"headervalue" example:"https://www.example.com/" help:"What the client gets instead."`
}

// CookieFlags change the flags of some cookies.
type CookieFlags struct {
	Name     string `yaml:"name" opt:"public" oneof:"which" format:"cookiename" help:"Name of the cookie; * stands for every one."`
	Regexp   string `yaml:"regexp" oneof:"which" format:"regexp" help:"Regular expression (RE2) that matches in the name."`
	Secure   string `yaml:"secure" default:"keep" enum:"keep|set|remove" help:"The flag Secure."`
	HTTPOnly string `yaml:"http_only" default:"keep" enum:"keep|set|remove" help:"The flag HttpOnly."`
	SameSite string `yaml:"same_site" default:"keep" enum:"keep|strict|lax|none|remove" help:"The attribute SameSite."`
}

// RewritePath makes another path of the one that goes upstream.
type RewritePath struct {
	Regexp string `yaml:"regexp" opt:"required" format:"regexp" example:"^/old/(.*)" help:"Regular expression (RE2) for the decoded path, after strip_prefix and add_prefix; a path that it does not match stays."`
	To     string `yaml:"to" opt:"required,public" format:"path" example:"/new/$1" help:"The new path, as a whole; $1 or ${name} is a part that matched (in this file $${name})."`
}

// Redirect answers with a Location.
type Redirect struct {
	To     string `yaml:"to" opt:"required" format:"redirect" example:"https://{host}{path}" help:"Absolute URL or path; {scheme}, {host}, {hostname}, {path}, {query}, {args} and {uri} stand for the request's, {query:NAME} for a parameter as it was sent, {1} to {9} for groups of match.path_regexp, or without it of match.host_regexp."`
	Status int    `yaml:"status" default:"308" enum:"301|302|303|307|308" help:"Status code."`
}

// Respond is a fixed response.
type Respond struct {
	Status  int     `yaml:"status" default:"200" min:"200" max:"599" help:"Status code."`
	Body    string  `yaml:"body" default:"" help:"The body; that of a route may have the variables of headers."`
	Headers Headers `yaml:"headers" format:"header" help:"The headers."`
}

// Fallback answers what would end with a gateway error: exactly one of Pool and Respond is set.
type Fallback struct {
	Pool    string   `yaml:"pool" opt:"shorthand,public" oneof:"target" help:"Name of another pool; it gets what may be sent again."`
	Respond *Respond `yaml:"respond" oneof:"target" help:"Answer with a fixed response."`
	On      []string `yaml:"on" default:"[unavailable, connect, response, status]" enum:"unavailable|connect|response|status" help:"Which failures: no upstream is available, no connection could be made, it brought no whole response, the response was 502, 503 or 504."`
}

// HeaderEdit changes headers: first Remove, then Set, then Add.
type HeaderEdit struct {
	Set    Headers  `yaml:"set" format:"header" help:"Headers that get this one value."`
	Add    Headers  `yaml:"add" format:"header" help:"Headers that get this value beside those they have."`
	Remove []string `yaml:"remove" default:"[]" format:"header" help:"Headers taken away."`
}
