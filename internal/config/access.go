package config

import (
	"net/netip"
)

// Access decides who may use a route.
type Access struct {
	Allow   []netip.Prefix `yaml:"allow" opt:"single" help:"Networks to admit; goodgate then refuses all others. If several networks of allow and deny contain the client's address, the narrowest one decides."`
	Deny    []netip.Prefix `yaml:"deny" opt:"single" example:"[192.0.2.0/24]" help:"Networks to refuse."`
	Basic   *BasicAuth     `yaml:"basic" help:"Basic authentication: user and password (RFC 7617)."`
	Forward *ForwardAuth   `yaml:"forward" help:"Forward auth: another service decides about each request."`
	Satisfy string         `yaml:"satisfy" default:"all" enum:"all|any" help:"Whether a request must pass all of the given checks (networks, basic, forward) or any one of them."`
}

// BasicAuth requires a user and a password.
type BasicAuth struct {
	File       string   `yaml:"file" opt:"shorthand,file,required" example:"/etc/goodgate/users" help:"File of users and bcrypt or argon2 hashes, as from htpasswd -B. goodgate reads it again on change."`
	Realm      string   `yaml:"realm" default:"Restricted" opt:"public" format:"headervalue" help:"Realm that the browser shows when it asks for the password."`
	Failures   int      `yaml:"failures" default:"10" min:"1" max:"1000000" zero:"no limit" help:"Wrong passwords of one client (IPv6: one /64) in each period (per); further ones get 429."`
	Per        Duration `yaml:"per" default:"1m" min:"1s" max:"24h" help:"Period for failures."`
	UserHeader string   `yaml:"user_header" default:"" format:"header" example:"X-User" help:"Header with the user's name for upstreams; clients cannot set it. Empty sends none."`
	Hide       bool     `yaml:"hide" default:"false" help:"Remove Authorization from requests to upstreams."`
}

// ForwardAuth asks another service whether to admit a request.
type ForwardAuth struct {
	Pool    string     `yaml:"pool" opt:"shorthand,public" oneof:"service" example:"auth" help:"Name of the pool with the authentication service."`
	URL     []string   `yaml:"url" oneof:"service" opt:"single" format:"serviceurl" example:"[\"http://127.0.0.1:9091/api/authz/forward-auth\"]" help:"URL of the authentication service, instead of a pool. Its path is the path of the authentication request. Several URLs with the same path are several instances."`
	Path    string     `yaml:"path" default:"/" format:"requestpath" help:"Path and query of the authentication request: a GET with the client's headers, X-Forwarded-Method and X-Forwarded-Uri. With url, the URL's path is used instead."`
	Host    string     `yaml:"host" default:"upstream" format:"sendhost" help:"Host header of the authentication request: upstream (the service's own), keep (the client's) or a name."`
	TLS     TLS        `yaml:"tls" examples:"server_name=auth.example.com" help:"TLS with the service of an https url."`
	Headers HeaderEdit `yaml:"request_headers" examples:"set={X-Original-Uri: \"{uri}\"}; add={X-Asked-By: goodgate}; remove=[X-Debug]; replace.header=Cookie; replace.regexp=track=[^;]*; replace.to=track=0" help:"Changes to the headers of the authentication request. Values may have the variables of a route's request_headers."`
	Copy    []string   `yaml:"copy_headers" default:"[]" opt:"single" format:"header" example:"[X-User, X-Groups]" help:"Headers of a 2xx answer to send upstream; clients cannot set them."`
	Return  []string   `yaml:"return_headers" default:"[]" opt:"single" format:"header" example:"[Set-Cookie]" help:"Headers of a 2xx answer to send to the client, such as Set-Cookie."`
	Timeout Duration   `yaml:"timeout" default:"5s" min:"10ms" max:"10m" help:"Longest time for the authentication request, with retries and waiting; after it the client gets 503 (auth_unavailable)."`
	Cache   Duration   `yaml:"cache" default:"0s" min:"100ms" max:"1h" zero:"off" help:"How long to reuse a 2xx answer for requests with the same host, URL, client and headers."`
}

// CORS allows pages of other origins to read responses.
type CORS struct {
	Origins     []string `yaml:"origins" opt:"shorthand,single,required" format:"origin" example:"[\"https://app.example.com\"]" help:"Origins that may read answers. https://*.example.com stands for every name below example.com, * for all origins."`
	Methods     []string `yaml:"methods" default:"[]" opt:"single" format:"corsmethod" help:"Methods besides GET, HEAD and POST; * allows every requested method."`
	Headers     []string `yaml:"headers" default:"[]" opt:"single" format:"corsheader" help:"Headers that pages may send; * allows every requested header."`
	Expose      []string `yaml:"expose" default:"[]" opt:"single" format:"header" example:"[X-Total-Count]" help:"Headers of answers that pages may read."`
	Credentials bool     `yaml:"credentials" default:"false" help:"Let pages send cookies and other credentials; not with origins *."`
	MaxAge      Duration `yaml:"max_age" default:"10m" min:"1s" max:"24h" zero:"the browser's default" help:"How long browsers keep the answer to a preflight request."`
}

// CrossOrigin decides about requests that pages of other origins send.
type CrossOrigin struct {
	Mode    string   `yaml:"mode" default:"allow" opt:"shorthand" enum:"allow|deny" help:"deny refuses requests that may change something, if Sec-Fetch-Site or Origin shows that a page of another origin sends them."`
	Trusted []string `yaml:"trusted" default:"[]" opt:"single" format:"exactorigin" help:"Other origins that may send such requests."`
}

// SecureHeaders add headers that restrict browsers. Headers that the application sets
// take precedence.
type SecureHeaders struct {
	Enabled       bool   `yaml:"enabled" default:"true" opt:"shorthand" help:"Whether answers get these headers."`
	HSTS          string `yaml:"hsts" default:"max-age=31536000" opt:"public" format:"headervalue" help:"Strict-Transport-Security, on answers over https only; empty sets none."`
	ContentType   string `yaml:"content_type_options" default:"nosniff" opt:"public" format:"headervalue" help:"X-Content-Type-Options; empty sets none."`
	Frame         string `yaml:"frame_options" default:"SAMEORIGIN" opt:"public" format:"headervalue" help:"X-Frame-Options, unless the answer has a Content-Security-Policy; empty sets none."`
	Referrer      string `yaml:"referrer_policy" default:"strict-origin-when-cross-origin" opt:"public" format:"headervalue" help:"Referrer-Policy; empty sets none."`
	ContentPolicy string `yaml:"content_security_policy" default:"" opt:"public" format:"headervalue" example:"\"default-src 'self'\"" help:"Content-Security-Policy; empty sets none."`
	Permissions   string `yaml:"permissions_policy" default:"" opt:"public" format:"headervalue" example:"geolocation=()" help:"Permissions-Policy; empty sets none."`
	Opener        string `yaml:"cross_origin_opener_policy" default:"" opt:"public" format:"headervalue" example:"same-origin" help:"Cross-Origin-Opener-Policy, such as same-origin, which breaks sign-in through pop-ups of other sites; empty sets none."`
	Resource      string `yaml:"cross_origin_resource_policy" default:"" opt:"public" format:"headervalue" example:"same-site" help:"Cross-Origin-Resource-Policy, such as same-site; empty sets none."`
}
