package config

// Route decides about the requests that it matches: exactly one of Pool, Split, Redirect and Respond is set.
type Route struct {
	Name            string         `yaml:"name" format:"name" help:"Name in the log and in metrics, unique; route-N when absent."`
	Match           Match          `yaml:"match" help:"Conditions; a request must meet all of them. Without conditions it matches every request."`
	Pool            string         `yaml:"pool" oneof:"target" opt:"public" example:"app" help:"Name of the pool for the requests."`
	Split           *Split         `yaml:"split" oneof:"target" help:"Divide the requests between pools."`
	Mirror          *Mirror        `yaml:"mirror" help:"Mirror a share of the requests to another pool, and compare the answers."`
	Redirect        *Redirect      `yaml:"redirect" oneof:"target" help:"Answer with a redirect."`
	Respond         *Respond       `yaml:"respond" oneof:"target" help:"Answer with a fixed response."`
	RequestHeaders  HeaderEdit     `yaml:"request_headers" examples:"set={X-Peer: \"{client_ip}\"}; add={X-Team: shop}; remove=[X-Debug]; replace.header=User-Agent; replace.regexp=^curl/.*; replace.to=curl" help:"Changes to the headers of requests to upstreams. Values may have variables, such as {client_ip}, {host}, {uri}, {header:NAME}, {query:NAME}, {cookie:NAME}, {request_id}, {pool}, {tls.version} and {tls.client.subject}; {1} to {9} are groups of match.path_regexp, or without it of match.host_regexp. docs/routing.md lists all."`
	ResponseHeaders HeaderEdit     `yaml:"response_headers" examples:"set={X-Frame-Options: DENY}" help:"Changes to the headers of answers. Values may have the variables of request_headers, {upstream} and {upstreams}."`
	ResponseRules   []ResponseRule `yaml:"response_rules" help:"Changes to upstreams' answers by their status, after response_headers. Every rule for the status applies, in order. No rule applies to goodgate's own errors."`
	ErrorHeaders    HeaderEdit     `yaml:"error_headers" examples:"set={X-Request: \"{request_id}\"}; add={X-Team: edge}; remove=[Proxy-Status]; replace.header=Cache-Control; replace.regexp=no-store; replace.to=no-cache" help:"Changes to the headers of goodgate's own errors on this route. Values may have the variables of response_headers."`
	Rewrites        Rewrites       `yaml:"response_rewrites" help:"Changes to redirects and cookies, for an application that does not know its public address."`
	StripPrefix     string         `yaml:"strip_prefix" default:"" format:"prefix" help:"Prefix to remove from the path of requests to upstreams. X-Forwarded-Prefix contains it."`
	AddPrefix       string         `yaml:"add_prefix" default:"" format:"prefix" example:"/internal" help:"Prefix to add to the path of requests to upstreams, after strip_prefix."`
	RewritePath     *RewritePath   `yaml:"rewrite_path" help:"Rewrites the path by a regular expression, after strip_prefix and add_prefix."`
	RequestQuery    QueryEdit      `yaml:"request_query" help:"Changes to the query of requests to upstreams, after rewrite_path. Values may have the variables of request_headers."`
	Host            string         `yaml:"host" default:"keep" format:"sendhost" help:"Host header of requests to upstreams: keep (the client's), upstream (the upstream's own) or a name."`
	Timeout         Duration       `yaml:"timeout" min:"1ms" max:"24h" zero:"no limit" help:"Longest time for the whole request; when absent, the pool's timeouts.request applies."`
	Fallback        *Fallback      `yaml:"fallback" help:"Answers in place of a gateway error; when absent, the pool's fallback applies."`
	RetrySafe       bool           `yaml:"retry_safe" default:"false" help:"The application can execute every request of this route twice without harm, whatever its method."`
	IdempotencyKey  bool           `yaml:"idempotency_key" default:"false" help:"The application executes requests with the same Idempotency-Key header once, so goodgate may retry them."`
	Limits          Limits         `yaml:"limits" help:"Admission of requests: rate limits, concurrency, size."`
	Log             []string       `yaml:"log" default:"[]" opt:"single" format:"name" example:"[failures]" help:"Outputs that log the route's requests: names of log.outputs, main for log itself, or off for none; when absent, the outputs with default: true."`
	Priority        string         `yaml:"priority" default:"normal" enum:"high|normal|low" help:"Precedence in the pool's queue."`

	ClientCert    string         `yaml:"client_cert" default:"off" enum:"off|leaf|chain" help:"Send the client's certificate in Client-Cert; with chain, also its intermediates in Client-Cert-Chain (RFC 9440). Clients cannot send these headers then."`
	Access        Access         `yaml:"access" help:"Access control: networks, passwords, forward auth."`
	CORS          *CORS          `yaml:"cors" help:"Pages of other origins that may read answers (CORS); when absent the upstreams decide."`
	CrossOrigin   CrossOrigin    `yaml:"cross_origin" help:"Protection from cross-site request forgery (CSRF)."`
	SecureHeaders *SecureHeaders `yaml:"secure_headers" help:"Security headers for browsers, unless the application sets them."`
	Intercept     Statuses       `yaml:"intercept" default:"[]" opt:"single" example:"[404, 500-599]" help:"Statuses of upstreams to replace by an error page."`
	Faults        []Fault        `yaml:"faults" help:"Fault injection, to test clients. Injected faults count against no upstream."`
	Cache         *RouteCache    `yaml:"cache" help:"How the route uses the cache of its pool."`
	Compress      *Compress      `yaml:"compress" help:"Compression of answers for clients that accept it."`
}

// Rewrites change the URLs in an upstream's responses. In each list the first matching entry applies.
type Rewrites struct {
	Location     []Rewrite     `yaml:"location" examples:"from=\"http://app:8080/\"; regexp=^http://app-[0-9]+/$; to=/" help:"Rewrites the URL in Location and Refresh: its start (from), or all of it (regexp)."`
	CookieDomain []Rewrite     `yaml:"cookie_domain" examples:"from=app.internal; regexp=^app-[0-9]+\\.internal$; to=example.com" help:"Rewrites the Domain of cookies."`
	CookiePath   []Rewrite     `yaml:"cookie_path" examples:"from=/app/; regexp=^/v[0-9]+/; to=/" help:"Rewrites the Path of cookies: its start (from), or all of it (regexp)."`
	CookieFlags  []CookieFlags `yaml:"cookie_flags" help:"Sets and removes flags of cookies."`

	RestorePrefix bool `yaml:"restore_prefix" default:"false" help:"Undo strip_prefix and add_prefix in Location, Refresh and the Path of cookies, where no entry of the lists matches and the prefix is not there already."`
}

// Rewrite replaces From by To, or the whole match of Regexp.
type Rewrite struct {
	From   string `yaml:"from" opt:"public" oneof:"what" format:"rewritten" help:"Text from the upstream to replace."`
	Regexp string `yaml:"regexp" oneof:"what" format:"regexp" help:"Regular expression (RE2) for the upstream's text. goodgate replaces the whole text. In to, $1 or $${name} stands for a group of the match."`
	To     string `yaml:"to" opt:"required,public" format:"headervalue" example:"https://www.example.com/" help:"Replacement for the client."`
}

// CookieFlags change the flags of some cookies.
type CookieFlags struct {
	Name     string `yaml:"name" opt:"public" oneof:"which" format:"cookiename" example:"session" help:"Name of the cookie; * stands for every cookie."`
	Regexp   string `yaml:"regexp" oneof:"which" format:"regexp" example:"^session" help:"Regular expression (RE2) that must match a part of the name."`
	Secure   string `yaml:"secure" default:"keep" enum:"keep|set|remove" help:"The flag Secure."`
	HTTPOnly string `yaml:"http_only" default:"keep" enum:"keep|set|remove" help:"The flag HttpOnly."`
	SameSite string `yaml:"same_site" default:"keep" enum:"keep|strict|lax|none|remove" help:"The attribute SameSite."`
}

// RewritePath changes the path of requests to upstreams.
type RewritePath struct {
	Regexp string `yaml:"regexp" opt:"required" format:"regexp" example:"^/old/(.*)" help:"Regular expression (RE2) for the decoded path, after strip_prefix and add_prefix. goodgate does not change a path without a match."`
	To     string `yaml:"to" opt:"required" format:"rewrite" example:"/new/$1?lang={cookie:lang}&{args}" help:"The whole new path, and after a ? the new query; without a ? the query stays. $1 or $${name} stands for a group of the match. It may have the variables of request_headers; {args} is the client's query."`
}

// Redirect answers with a Location.
type Redirect struct {
	To     string `yaml:"to" opt:"required" format:"redirect" example:"https://{host}{path}" help:"Absolute URL or path. It may have variables, such as {scheme}, {host}, {hostname}, {path}, {query}, {args} and {uri}; {query:NAME} is a parameter as it was sent, {1} to {9} are groups of match.path_regexp, or without it of match.host_regexp."`
	Status int    `yaml:"status" default:"308" enum:"301|302|303|307|308" help:"Status code."`
}

// Respond is a fixed response.
type Respond struct {
	Status  int     `yaml:"status" default:"200" min:"200" max:"599" help:"Status code."`
	Body    string  `yaml:"body" default:"" example:"maintenance until noon" help:"The body. It may have variables, which goodgate escapes by the Content-Type: HTML, XML, JSON. Without that header a body with variables is text/plain."`
	Headers Headers `yaml:"headers" format:"header" example:"{Cache-Control: no-store}" help:"The headers. Values may have variables, except that of Content-Type. goodgate does not send a header whose value is empty."`
}

// Fallback answers requests that would end with a gateway error: exactly one of Pool and Respond is set.
type Fallback struct {
	Pool    string   `yaml:"pool" opt:"shorthand,public" oneof:"target" example:"spare" help:"Name of another pool, for requests that goodgate may send again."`
	Respond *Respond `yaml:"respond" oneof:"target" help:"Answer with a fixed response."`
	On      []string `yaml:"on" default:"[unavailable, connect, response, status]" enum:"unavailable|connect|response|status" help:"Failures to cover. unavailable: no upstream is available. connect: no connection. response: no complete response. status: a response of 502, 503 or 504."`
}

// ResponseRule changes answers with some statuses.
type ResponseRule struct {
	Status    Statuses        `yaml:"status" opt:"single" example:"[404, 5xx]" help:"Statuses of upstreams' answers; empty means every status."`
	NewStatus int             `yaml:"new_status" min:"200" max:"599" zero:"unchanged" example:"404" help:"Status for the client in place of the upstream's. It has no effect on 204, 205, 206, 304 and gRPC."`
	Set       Headers         `yaml:"set" format:"header" example:"{Cache-Control: no-store}" help:"Headers to set to this value. Values may have the variables of response_headers."`
	Add       Headers         `yaml:"add" format:"header" example:"{Vary: Accept}" help:"Headers to add to existing ones of the same name. Values may have the variables of response_headers."`
	Remove    []string        `yaml:"remove" format:"header" example:"[Server]" help:"Headers to remove."`
	Replace   []HeaderReplace `yaml:"replace" help:"Replacements in values, after the other changes."`
}

// HeaderReplace replaces the matches of an expression in the values of a header.
type HeaderReplace struct {
	Header string `yaml:"header" opt:"required" format:"header" example:"Server" help:"Name of the header."`
	Regexp string `yaml:"regexp" opt:"required" format:"regexp" example:"^nginx.*" help:"Regular expression (RE2). goodgate replaces each match in each value."`
	To     string `yaml:"to" format:"headervalue" example:"web" help:"Replacement; $1 or $${name} stands for a group of the match. A value that becomes empty is removed."`
}

// QueryEdit changes a query: first Remove, then Set, then Add.
type QueryEdit struct {
	Set    Values   `yaml:"set" format:"parameter" example:"{source: web}" help:"Query parameters to set to this value."`
	Add    Values   `yaml:"add" format:"parameter" example:"{tag: new}" help:"Query parameters to add to existing ones of the same name."`
	Remove []string `yaml:"remove" opt:"single" format:"parameter" example:"[utm_source]" help:"Query parameters to remove, by their decoded names."`
}

// HeaderEdit changes headers: first Remove, then Set, then Add, then Replace.
type HeaderEdit struct {
	Set    Headers  `yaml:"set" format:"header" example:"{X-Forwarded-Prefix: /shop}" help:"Headers to set to this value."`
	Add    Headers  `yaml:"add" format:"header" example:"{Vary: Accept}" help:"Headers to add to existing ones of the same name."`
	Remove []string `yaml:"remove" default:"[]" format:"header" example:"[Server]" help:"Headers to remove."`

	Replace []HeaderReplace `yaml:"replace" help:"Replacements in values by regular expression, after the other changes."`
}
