package config

import "net/netip"

// Pool is a group of upstreams that serve the same application.
type Pool struct {
	Policy        string       `yaml:"policy" default:"peak_ewma" enum:"round_robin|random|least_conn|p2c|peak_ewma|hash|sticky|first" help:"Load balancing policy."`
	Hash          Hash         `yaml:"hash" help:"Settings of the policy hash."`
	Sticky        Sticky       `yaml:"sticky" help:"The cookie of policy sticky."`
	Protocol      string       `yaml:"protocol" default:"http1" enum:"http1|h2|h2c|auto" help:"Protocol to upstreams: HTTP/1.1, HTTP/2 (h2), HTTP/2 without TLS only (h2c), or the choice of https upstreams (auto)."`
	ProxyProtocol string       `yaml:"proxy_protocol" default:"none" enum:"none|v1|v2" help:"Begin connections to upstreams with the PROXY protocol, which has the client's address. Clients then share no connection."`
	Upstreams     []Upstream   `yaml:"upstreams" opt:"required" example:"[\"http://127.0.0.1:3000\"]" help:"The upstreams, or where to find them."`
	DNS           DNS          `yaml:"dns" help:"DNS lookups for names of upstreams."`
	Overprovision Ratio        `yaml:"overprovision" default:"140%" min:"100%" max:"1000%" help:"A tier spills over to the next tier when its available share, multiplied by this, is below 100%."`
	SlowStart     Duration     `yaml:"slow_start" default:"10s" min:"0s" max:"1h" help:"Time until a recovered upstream gets its full share of the load."`
	TLS           TLS          `yaml:"tls" help:"TLS with https upstreams."`
	Health        Health       `yaml:"health" help:"Active health checks."`
	Breaker       Breaker      `yaml:"breaker" help:"Circuit breaker: takes an upstream out while live requests to it fail."`
	DrainHeader   bool         `yaml:"drain_header" default:"false" help:"An answer with the header Goodgate-Drain drains its upstream. Use it only if nobody but the application can set the headers of its answers."`
	Outlier       Outlier      `yaml:"outlier" help:"Outlier detection: less load for an upstream that is much worse than the others."`
	Timeouts      PoolTimeouts `yaml:"timeouts" help:"Timeouts for upstreams."`
	MaxIdleConns  int          `yaml:"max_idle_conns" default:"256" min:"0" max:"65536" help:"Idle connections kept per upstream."`
	ConnRequests  int          `yaml:"requests_per_connection" default:"0" min:"1" max:"1000000000" zero:"no limit" help:"Requests after which a connection to an upstream gets no more."`
	Retry         Retry        `yaml:"retry" help:"Retries of failed requests."`
	Hold          Hold         `yaml:"hold" help:"Requests wait for an upstream to come back instead of failing."`
	Commit        Commit       `yaml:"commit" help:"Response buffering: goodgate completes small responses before the client gets a byte, so that a retry can replace a broken one."`
	Stale         Stale        `yaml:"stale" help:"Older responses in place of errors (stale-if-error, RFC 5861)."`
	Cache         Cache        `yaml:"cache" help:"HTTP cache: fresh responses answer requests without an upstream (RFC 9111)."`
	Fallback      *Fallback    `yaml:"fallback" help:"Answers in place of a gateway error."`
	Maintenance   *Maintenance `yaml:"maintenance" help:"Maintenance mode: the pool answers 503 with a page, except to testers."`
	Limits        Limits       `yaml:"limits" help:"Admission of requests: rate limits, concurrency, size."`
	Concurrency   Concurrency  `yaml:"concurrency" help:"Concurrency limits of upstreams."`
	Queue         Queue        `yaml:"queue" help:"Queue for requests while all upstreams are at their limit (max_in_flight, concurrency)."`

	implied bool // by another key, such as access.forward.url, and not in the file
}

// Maintenance makes a pool answer 503.
type Maintenance struct {
	Enabled      bool           `yaml:"enabled" opt:"shorthand" default:"true" help:"Whether the pool is in maintenance."`
	Page         string         `yaml:"page" default:"" opt:"file" example:"/etc/goodgate/maintenance.html" help:"HTML file for clients, 256 KiB at most; empty uses the error page."`
	RetryAfter   Duration       `yaml:"retry_after" default:"5m" min:"1s" max:"168h" help:"Value of Retry-After."`
	Allow        []netip.Prefix `yaml:"allow" default:"[]" opt:"single" help:"Networks of testers."`
	AllowHeaders Headers        `yaml:"allow_headers" format:"header" example:"{X-Tester: let-me-in}" help:"Headers of testers; a request that has one of them, with its value, passes."`
}

// Hash configures the key of policy hash.
type Hash struct {
	On   []string `yaml:"on" default:"[client_ip]" opt:"single" format:"hashkey" example:"\"{hostname}{path}\"" help:"Part of the request to hash: client_ip, path, uri (path and query), query:NAME (a parameter), header:NAME, cookie:NAME, or text with variables such as {hostname}{path}. A list hashes all parts together."`
	Load Ratio    `yaml:"load" default:"125%" min:"101%" max:"1000%" zero:"unbounded" help:"Highest load of one upstream, relative to the mean, before requests go to the next in line."`
}

// Sticky is the cookie of policy sticky.
type Sticky struct {
	Cookie   string   `yaml:"cookie" default:"goodgate" format:"token" help:"Name of the cookie."`
	Secret   Secret   `yaml:"secret" default:"" example:"\"${STICKY_SECRET}\"" help:"Key that encrypts the cookie, at least 16 bytes. Without it, goodgate creates a random key at each start, and clients may move to other upstreams."`
	TTL      Duration `yaml:"ttl" default:"0s" min:"1s" max:"8760h" zero:"until the browser closes" help:"How long the browser keeps the cookie."`
	Secure   string   `yaml:"secure" default:"auto" enum:"auto|always|never" help:"The Secure attribute; auto sets it when the client uses https."`
	SameSite string   `yaml:"same_site" default:"lax" enum:"lax|strict|none" help:"The SameSite attribute."`
	Domain   string   `yaml:"domain" default:"" format:"cookiehost" example:"example.com" help:"The Domain attribute: browsers send the cookie to this domain and all below it. Without it they send the cookie to the host of the request alone."`
	Path     string   `yaml:"path" default:"/" format:"cookiepath" help:"The Path attribute: browsers send the cookie to this path and all below it."`

	Partitioned bool `yaml:"partitioned" default:"false" help:"The Partitioned attribute (CHIPS): a separate cookie for each site that embeds the application. Browsers accept it only over https."`
}

// Upstream is one entry of the list: an upstream (URL), or a source of upstreams.
type Upstream struct {
	URL  string `yaml:"url" opt:"shorthand" oneof:"source" format:"url" help:"http://host:port, https://host:port or unix:/path.sock; a name stands for all its addresses."`
	SRV  string `yaml:"srv" oneof:"source" format:"dnsname" example:"_http._tcp.app.example.com" help:"Name of DNS SRV records."`
	File string `yaml:"file" oneof:"source" opt:"file" example:"/etc/goodgate/upstreams.yaml" help:"File with a list of upstreams; goodgate reads it again on change."`

	HTTP   *HTTPSource   `yaml:"http" oneof:"source" help:"List of upstreams from an HTTP server."`
	Docker *DockerSource `yaml:"docker" oneof:"source" help:"Containers with a label, from Docker or Podman."`
	Consul *ConsulSource `yaml:"consul" oneof:"source" help:"Instances of a service in Consul."`
	Nomad  *NomadSource  `yaml:"nomad" oneof:"source" help:"Instances of a service in Nomad."`
	Etcd   *EtcdSource   `yaml:"etcd" oneof:"source" help:"Keys under a prefix in etcd."`

	Kubernetes *KubernetesSource `yaml:"kubernetes" oneof:"source" help:"Endpoints of a Service of Kubernetes."`

	Scheme      string `yaml:"scheme" default:"http" enum:"http|https" help:"Scheme of upstreams from srv, docker, consul, nomad and kubernetes."`
	Weight      int    `yaml:"weight" default:"1" min:"1" max:"1000" help:"Share of the load, relative to the others."`
	Tier        int    `yaml:"tier" default:"0" min:"0" max:"9" help:"Failover tier: tier 1 gets requests when too little of tier 0 is available, and so on."`
	MaxInFlight int    `yaml:"max_in_flight" default:"0" min:"1" max:"1000000" zero:"no limit" help:"Concurrent requests to the upstream."`
	MaxScope    string `yaml:"max_in_flight_scope" default:"instance" enum:"instance|fleet" help:"instance: the limit holds for each instance. fleet: the instances of the fleet share the limit; each gets its part, at least 1."`
	Zone        string `yaml:"zone" default:"" format:"zone" help:"Location of the upstreams, unless their source gives it: an availability zone, a data centre, a rack."`
}

// DNS configures the lookup of upstreams' names.
type DNS struct {
	Resolver string   `yaml:"resolver" default:"" format:"hostport" help:"host:port of the name server; empty uses the system's."`
	Family   string   `yaml:"family" default:"auto" enum:"auto|each|ipv4|ipv6" help:"Which addresses of a name become upstreams: all, or those of one family. auto means all, but a single IPv4 and a single IPv6 address together are one upstream."`
	MinTTL   Duration `yaml:"min_ttl" default:"1s" min:"100ms" max:"24h" help:"Shortest time to keep an answer."`
	MaxTTL   Duration `yaml:"max_ttl" default:"5m" min:"100ms" max:"24h" help:"Longest time to keep an answer."`
	Timeout  Duration `yaml:"timeout" default:"2s" min:"10ms" max:"1m" help:"Longest time for one lookup."`
}

// TLS configures the verification of https upstreams.
type TLS struct {
	CA         string   `yaml:"ca" default:"" opt:"file" example:"/etc/goodgate/authority.pem" help:"PEM file with the authorities to trust; empty uses the system's."`
	ServerName string   `yaml:"server_name" default:"" format:"dnsname" help:"Name in the server's certificate; empty means the host of its address."`
	Insecure   bool     `yaml:"insecure" default:"false" help:"Accept every certificate; with pins, every certificate whose own key is pinned."`
	Pins       []string `yaml:"pins" default:"[]" opt:"single" format:"pin" help:"Public keys; the certificate or an authority of its chain must have one of them. Each is written as sha256/ and the base64 SHA-256 of the SubjectPublicKeyInfo."`
	Cert       string   `yaml:"cert" default:"" opt:"file" example:"/etc/goodgate/client.pem" help:"PEM file with the client certificate and its chain; empty sends none."`
	Key        string   `yaml:"key" default:"" opt:"file" example:"/etc/goodgate/client.key" help:"PEM file with the key of cert."`
}

// Health is the active check of every upstream of a pool.
type Health struct {
	From         string   `yaml:"from" default:"" opt:"public" example:"app" help:"Name of another pool, whose checks count here too. Each upstream takes the verdict of that pool's upstream with the same address, or else with the same host. This pool then makes no checks of its own."`
	Type         string   `yaml:"type" enum:"http|alive|tcp|grpc|none" help:"Kind of check. When absent, it is http if path is given, tcp if steps is given, else alive. With alive, any answer to OPTIONS * passes."`
	Path         string   `yaml:"path" default:"/" format:"requestpath" help:"Path and query of the http check."`
	Method       string   `yaml:"method" default:"GET" enum:"GET|HEAD|OPTIONS|POST" help:"Method of the http check."`
	Host         string   `yaml:"host" default:"" format:"dnsname" example:"app.example.com" help:"Host header of the http check; empty sends the upstream's."`
	Headers      Headers  `yaml:"headers" format:"header" example:"{X-Check: goodgate}" help:"More headers of the http check."`
	Service      string   `yaml:"service" default:"" opt:"public" example:"shop.Cart" help:"Service of the grpc check; empty means the whole server."`
	Interval     Duration `yaml:"interval" default:"2s" min:"10ms" max:"1h" help:"Interval between two checks."`
	Timeout      Duration `yaml:"timeout" default:"1s" min:"1ms" max:"10m" help:"Longest time for one check."`
	FastInterval Duration `yaml:"fast_interval" default:"250ms" min:"10ms" max:"1h" help:"Interval while the verdict may change: after a check that contradicts it, while the upstream drains, and in the first minute after it went down. In the first 10s of that minute, goodgate checks every 100ms."`
	Rise         int      `yaml:"rise" default:"2" min:"1" max:"100" help:"Passed checks in a row until an upstream is up."`
	Fall         int      `yaml:"fall" default:"2" min:"1" max:"100" help:"Failed checks in a row until an upstream is down."`
	Jitter       Ratio    `yaml:"jitter" default:"10%" min:"0%" max:"50%" help:"Random part of the interval, which spreads checks."`
	Retries      int      `yaml:"retries" default:"0" min:"0" max:"10" help:"Immediate repeats of a failed check before it counts."`
	Port         int      `yaml:"port" default:"0" min:"1" max:"65535" zero:"the upstream's" help:"Port of the http, grpc or tcp check, on the upstream's host."`
	Scheme       string   `yaml:"scheme" default:"upstream" enum:"upstream|http|https" help:"Whether the http, grpc or tcp check uses TLS: as the upstream does, never (http) or always (https)."`
	Steps        []Step   `yaml:"steps" help:"Conversation of the tcp check, step by step."`
	Agent        *Agent   `yaml:"agent" help:"Program on each upstream's host that reports how much load the upstream can take (HAProxy's agent-check)."`
	DrainStatus  Statuses `yaml:"drain_status" default:"[]" opt:"single" help:"Statuses of the http check that drain the upstream: it gets no new requests, and the check does not fail."`
	Expect       Expect   `yaml:"expect" help:"Expected answer to the http check."`
}

// Breaker takes an upstream out for a while if requests to it fail.
type Breaker struct {
	Enabled      bool     `yaml:"enabled" default:"true" help:"Whether failures of live requests count."`
	Consecutive  int      `yaml:"consecutive" default:"5" min:"1" max:"10000" zero:"not used" help:"Failures in a row that open the breaker."`
	FailureRatio Ratio    `yaml:"failure_ratio" default:"50%" min:"1%" max:"100%" zero:"not used" help:"Share of failures within the window that opens the breaker."`
	MinRequests  int      `yaml:"min_requests" default:"10" min:"1" max:"1000000" help:"Requests in the window before failure_ratio counts."`
	Window       Duration `yaml:"window" default:"10s" min:"100ms" max:"1h" help:"Period for failure_ratio."`
	OpenFor      Duration `yaml:"open_for" default:"5s" min:"100ms" max:"1h" help:"How long the breaker stays open the first time. The time doubles whenever the breaker opens again."`
	MaxOpenFor   Duration `yaml:"max_open_for" default:"60s" min:"100ms" max:"24h" help:"Longest time that the breaker stays open."`
	Statuses     Statuses `yaml:"statuses" default:"[502, 503, 504]" opt:"single" help:"Statuses of an upstream that count as failures: 503, 500-504 or 5xx."`
	MaxEjected   Ratio    `yaml:"max_ejected" default:"50%" min:"0%" max:"100%" help:"Largest share of the pool that breakers may eject at the same time, or one upstream if that is more, but never the last one. 0% ejects none."`
}

// Outlier sends fewer requests to an upstream that is much worse than the others of its tier.
type Outlier struct {
	Enabled      bool     `yaml:"enabled" default:"true" help:"Whether goodgate compares the upstreams."`
	MinRequests  int      `yaml:"min_requests" default:"20" min:"1" max:"1000000" help:"Minimum number of requests in ten seconds, for the upstream and for the others."`
	FailureRatio Ratio    `yaml:"failure_ratio" default:"10%" min:"1%" max:"100%" zero:"not used" help:"The breaker of an upstream opens when, with statistical certainty, the upstream exceeds this share of failures and fails more often than the others."`
	SlowFactor   int      `yaml:"slow_factor" default:"5" min:"2" max:"1000" zero:"not used" help:"An upstream gets proportionally less load when, with statistical certainty, its answers take this many times longer than the others'."`
	SlowBy       Duration `yaml:"slow_by" default:"50ms" min:"1ms" max:"1h" help:"The upstream's answers must also take at least this much longer."`
}

// PoolTimeouts are the timeouts for upstreams.
type PoolTimeouts struct {
	Dial           Duration `yaml:"dial" default:"1s" min:"1ms" max:"5m" help:"Longest time to establish a connection."`
	TLS            Duration `yaml:"tls" default:"3s" min:"1ms" max:"5m" help:"Longest time for the TLS handshake, and over HTTP/2 for the upstream's first frame."`
	ResponseHeader Duration `yaml:"response_header" default:"30s" min:"1ms" max:"24h" zero:"no limit" help:"Longest time from the end of the request to the response header."`
	Idle           Duration `yaml:"idle" default:"60s" min:"1ms" max:"24h" zero:"no limit" help:"Longest pause within a response body."`
	Request        Duration `yaml:"request" default:"0s" min:"1ms" max:"24h" zero:"no limit" help:"Longest time for the whole request, with all attempts and the wait in hold."`
	Keepalive      Duration `yaml:"keepalive" default:"60s" min:"1ms" max:"1h" zero:"connections are not kept" help:"How long an idle upstream connection stays open."`
	Age            Duration `yaml:"connection_age" default:"0s" min:"1s" max:"8760h" zero:"no limit" help:"Age after which a connection gets no more requests, less a random part of up to a tenth. This distributes connections anew over the servers behind a TCP load balancer or a DNS name."`
	TunnelIdle     Duration `yaml:"tunnel_idle" default:"1h" min:"1s" max:"168h" zero:"no limit" help:"Longest silence of an upgraded connection (WebSocket)."`
	TunnelLifetime Duration `yaml:"tunnel_lifetime" default:"0s" min:"1s" max:"8760h" zero:"no limit" help:"Longest total time of an upgraded connection (WebSocket)."`
	Ping           Duration `yaml:"ping" default:"15s" min:"100ms" max:"1h" zero:"never" help:"Silence after which goodgate pings an upstream over HTTP/2. The upstream then has the same time to answer. This does not apply to gRPC."`
}

// Retry configures when a failed request is sent again.
type Retry struct {
	Attempts   int      `yaml:"attempts" default:"5" min:"1" max:"10" help:"Maximum number of attempts of a request, including the first."`
	Budget     Ratio    `yaml:"budget" default:"20%" min:"0%" max:"100%" help:"Retries allowed, as a share of requests."`
	BudgetMin  int      `yaml:"budget_min" default:"10" min:"0" max:"100000" help:"Retries per second that are always allowed."`
	PerTry     Duration `yaml:"per_try" default:"0s" min:"1ms" max:"24h" zero:"no limit" help:"Longest time for one attempt, until its response header."`
	Statuses   Statuses `yaml:"statuses" default:"[502, 503, 504]" opt:"single" help:"Statuses of an upstream that cause a retry elsewhere."`
	MaxBody    Size     `yaml:"max_body" default:"64KiB" min:"0B" max:"64MiB" help:"Largest request body to keep for a retry (request buffering)."`
	Backoff    Duration `yaml:"backoff" default:"25ms" min:"0s" max:"1m" help:"Pause before the first retry. It doubles with each further retry."`
	MaxBackoff Duration `yaml:"max_backoff" default:"250ms" min:"0s" max:"1m" help:"Longest pause before a retry."`
	Hedge      Hedge    `yaml:"hedge" help:"Hedging: goodgate sends a late request to a second upstream too, and takes the first answer."`
}

// Hedge configures when a request also goes to another upstream.
type Hedge struct {
	After    HedgeAfter `yaml:"after" default:"auto" help:"When to send the second request: auto (when there is evidence that the upstream is at fault; docs/retries.md), p90, p95 or p99 of the pool's times to a response header, a duration, or off."`
	Budget   Ratio      `yaml:"budget" default:"5%" min:"0%" max:"100%" help:"Allowed second requests that do not help, as a share of requests."`
	MinDelay Duration   `yaml:"min_delay" default:"1ms" min:"1ms" max:"1m" help:"Shortest time until the second request."`
}

// Hold makes requests wait for an upstream to return, instead of failing.
type Hold struct {
	For         Duration `yaml:"for" default:"10s" min:"0s" max:"10m" zero:"off" help:"Longest wait of a request."`
	MaxRequests int      `yaml:"max_requests" default:"1000" min:"1" max:"1000000" help:"Requests that may wait at the same time."`
	MaxBody     Size     `yaml:"max_body" default:"64MiB" min:"0B" max:"64GiB" zero:"no limit" help:"Memory for the bodies of all waiting requests."`
}

// Commit configures which responses are buffered completely before the client gets a byte, so that a response that
// breaks off can be replaced.
type Commit struct {
	Buffer Size `yaml:"buffer" default:"64KiB" min:"0B" max:"16MiB" zero:"off" help:"Largest response body to complete before the client gets a byte; goodgate does not wait for slow bodies."`
	Resume bool `yaml:"resume" default:"true" help:"When a larger response breaks off, fetch the rest from another upstream. This needs a GET, and a response with a strong ETag and Accept-Ranges: bytes."`
}

// Stale keeps responses as a replacement for errors. It does not keep responses that exceed Commit.Buffer.
type Stale struct {
	MaxSize Size     `yaml:"max_size" default:"0B" min:"64KiB" max:"64GiB" zero:"off" help:"Memory for older responses."`
	IfError Duration `yaml:"if_error" default:"0s" min:"1s" max:"8760h" zero:"only a response with a stale-if-error" help:"How long a response may still replace an error when it is no longer fresh. A stale-if-error in its Cache-Control takes precedence."`
}
