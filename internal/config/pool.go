package config

import "net/netip"

// Pool is a group of upstreams that serve the same application.
type Pool struct {
	Policy        string       `yaml:"policy" default:"peak_ewma" enum:"round_robin|random|least_conn|p2c|peak_ewma|hash|sticky|first" help:"How an upstream is chosen."`
	Hash          Hash         `yaml:"hash" help:"What policy hash goes by."`
	Sticky        Sticky       `yaml:"sticky" help:"The cookie of policy sticky."`
	Protocol      string       `yaml:"protocol" default:"http1" enum:"http1|h2|h2c|auto" help:"What is spoken with upstreams: HTTP/1.1, HTTP/2 (h2), HTTP/2 in the clear only (h2c), or what https upstreams prefer (auto)."`
	ProxyProtocol string       `yaml:"proxy_protocol" default:"none" enum:"none|v1|v2" help:"Connections to upstreams begin with the PROXY protocol, which tells them the client's address; then no two clients share one."`
	Upstreams     []Upstream   `yaml:"upstreams" opt:"required" example:"[\"http://127.0.0.1:3000\"]" help:"The upstreams, or where to find them."`
	DNS           DNS          `yaml:"dns" help:"How names of upstreams are looked up."`
	Overprovision Ratio        `yaml:"overprovision" default:"140%" min:"100%" max:"1000%" help:"A tier spills over to the next when its available share times this is below 100%."`
	SlowStart     Duration     `yaml:"slow_start" default:"10s" min:"0s" max:"1h" help:"How long the load of an upstream that came back rises to its full share."`
	TLS           TLS          `yaml:"tls" help:"How https upstreams are trusted."`
	Health        Health       `yaml:"health" help:"The active check: is this upstream answering."`
	Breaker       Breaker      `yaml:"breaker" help:"When an upstream is left out because live requests fail."`
	DrainHeader   bool         `yaml:"drain_header" default:"false" help:"An upstream's answers may take it out for new requests, by the field Goodgate-Drain: for applications that let nobody else choose the fields of their answers."`
	Outlier       Outlier      `yaml:"outlier" help:"When an upstream gets less because it is much worse than the others."`
	Timeouts      PoolTimeouts `yaml:"timeouts" help:"How long an upstream may keep goodgate waiting."`
	MaxIdleConns  int          `yaml:"max_idle_conns" default:"256" min:"0" max:"65536" help:"Idle connections kept per upstream."`
	Retry         Retry        `yaml:"retry" help:"When a failed request is sent again."`
	Hold          Hold         `yaml:"hold" help:"Requests wait for an upstream to come back instead of failing."`
	Commit        Commit       `yaml:"commit" help:"Small responses are complete before the client sees a byte, so that one that breaks off can be replaced."`
	Stale         Stale        `yaml:"stale" help:"Responses kept to answer with instead of an error (stale-if-error, RFC 5861)."`
	Cache         Cache        `yaml:"cache" help:"Fresh responses answer requests without an upstream (RFC 9111)."`
	Fallback      *Fallback    `yaml:"fallback" help:"Who answers a request that would end with a gateway error."`
	Maintenance   *Maintenance `yaml:"maintenance" help:"The pool answers 503 with a page, but for testers: true, or how. Nothing is answered so when absent."`
	Limits        Limits       `yaml:"limits" help:"Which requests are let in."`
	Concurrency   Concurrency  `yaml:"concurrency" help:"How many requests at once each upstream gets."`
	Queue         Queue        `yaml:"queue" help:"How requests wait for a place when the upstreams have as many as they may (max_in_flight)."`
}

// Maintenance makes a pool answer 503.
type Maintenance struct {
	Enabled      bool           `yaml:"enabled" opt:"shorthand" default:"true" help:"Whether the pool is in maintenance."`
	Page         string         `yaml:"page" default:"" opt:"file" help:"HTML file that clients get, 256 KiB at most; empty answers with the error page."`
	RetryAfter   Duration       `yaml:"retry_after" default:"5m" min:"1s" max:"168h" help:"When clients are told to come again."`
	Allow        []netip.Prefix `yaml:"allow" default:"[]" opt:"single" help:"Networks of testers, who are let in."`
	AllowHeaders Headers        `yaml:"allow_headers" format:"header" help:"Headers of which testers send one, with the value."`
}

// Hash says what policy hash goes by.
type Hash struct {
	On   string `yaml:"on" default:"client_ip" format:"hashkey" help:"What is hashed: client_ip, path, uri (path and query), query:NAME (a parameter), header:NAME or cookie:NAME."`
	Load Ratio  `yaml:"load" default:"125%" min:"101%" max:"1000%" zero:"unbounded" help:"Most load an upstream takes, relative to the mean, before the next in line is used."`
}

// Sticky is the cookie of policy sticky.
type Sticky struct {
	Cookie   string   `yaml:"cookie" default:"goodgate" format:"token" help:"Name of the cookie."`
	Secret   Secret   `yaml:"secret" default:"" help:"Key that encrypts the cookie, at least 16 bytes; without it a random one is made at each start, and clients may then move to another upstream."`
	TTL      Duration `yaml:"ttl" default:"0s" min:"1s" max:"8760h" zero:"until the browser closes" help:"How long the browser keeps the cookie."`
	Secure   string   `yaml:"secure" default:"auto" enum:"auto|always|never" help:"The Secure attribute; auto sets it when the client came over https."`
	SameSite string   `yaml:"same_site" default:"lax" enum:"lax|strict|none" help:"The SameSite attribute."`
}

// Upstream is one entry of the list: an upstream (URL), or a place where upstreams are found.
type Upstream struct {
	URL  string `yaml:"url" opt:"shorthand" oneof:"source" format:"url" help:"http://host:port, https://host:port or unix:/path.sock; a name stands for all its addresses."`
	SRV  string `yaml:"srv" oneof:"source" format:"dnsname" help:"Name of DNS SRV records."`
	File string `yaml:"file" oneof:"source" opt:"file" help:"File with a list of upstreams, read again when it changes."`

	HTTP   *HTTPSource   `yaml:"http" oneof:"source" help:"List of upstreams that an HTTP server gives."`
	Docker *DockerSource `yaml:"docker" oneof:"source" help:"Containers of a Docker or Podman that have a label."`
	Consul *ConsulSource `yaml:"consul" oneof:"source" help:"Instances of a service in Consul."`
	Nomad  *NomadSource  `yaml:"nomad" oneof:"source" help:"Instances of a service in Nomad."`
	Etcd   *EtcdSource   `yaml:"etcd" oneof:"source" help:"Keys under a prefix in etcd."`

	Kubernetes *KubernetesSource `yaml:"kubernetes" oneof:"source" help:"Endpoints of a Service of Kubernetes."`

	Scheme      string `yaml:"scheme" default:"http" enum:"http|https" help:"What the upstreams found by srv, docker, consul, nomad and kubernetes speak."`
	Weight      int    `yaml:"weight" default:"1" min:"1" max:"1000" help:"Share of the load, relative to the others."`
	Tier        int    `yaml:"tier" default:"0" min:"0" max:"9" help:"Upstreams of tier 1 are used when tier 0 has too little left, and so on."`
	MaxInFlight int    `yaml:"max_in_flight" default:"0" min:"1" max:"1000000" zero:"no limit" help:"Requests it gets at once."`
	Zone        string `yaml:"zone" default:"" format:"zone" help:"Where the upstreams run, unless their source says it: a zone of a cloud, a data centre, a rack."`
}

// DNS says how names of upstreams are looked up.
type DNS struct {
	Resolver string   `yaml:"resolver" default:"" format:"hostport" help:"host:port of the name server; empty uses the system's."`
	Family   string   `yaml:"family" default:"auto" enum:"auto|each|ipv4|ipv6" help:"Which addresses of a name are upstreams: each of them, those of one family, or (auto) each but an only IPv4 and an only IPv6 address, which are one upstream."`
	MinTTL   Duration `yaml:"min_ttl" default:"1s" min:"100ms" max:"24h" help:"An answer is kept at least this long."`
	MaxTTL   Duration `yaml:"max_ttl" default:"5m" min:"100ms" max:"24h" help:"An answer is kept at most this long."`
	Timeout  Duration `yaml:"timeout" default:"2s" min:"10ms" max:"1m" help:"For one look-up."`
}

// TLS says how https upstreams are trusted.
type TLS struct {
	CA         string   `yaml:"ca" default:"" opt:"file" help:"PEM file with the authorities to trust; empty uses the system's."`
	ServerName string   `yaml:"server_name" default:"" format:"dnsname" help:"Name the certificate must have; empty uses the upstream's host."`
	Insecure   bool     `yaml:"insecure" default:"false" help:"Accept every certificate, or with pins every one of those."`
	Pins       []string `yaml:"pins" default:"[]" opt:"single" format:"pin" help:"Public keys, of which the certificate or an authority of its chain must have one: sha256/ and the base64 SHA-256 of the SubjectPublicKeyInfo."`
	Cert       string   `yaml:"cert" default:"" opt:"file" help:"PEM file with the certificate, and its chain, that upstreams are shown; empty shows none."`
	Key        string   `yaml:"key" default:"" opt:"file" help:"PEM file with its key."`
}

// Health is the active check of every upstream of a pool.
type Health struct {
	Type         string   `yaml:"type" enum:"http|alive|tcp|grpc|none" help:"Kind of check; when absent http if path is given, else alive: any reaction to OPTIONS * passes."`
	Path         string   `yaml:"path" default:"/" format:"requestpath" help:"Path, and query, of the http check."`
	Method       string   `yaml:"method" default:"GET" enum:"GET|HEAD|OPTIONS|POST" help:"Method of the http check."`
	Host         string   `yaml:"host" default:"" format:"dnsname" help:"Host header of the http check; empty sends the upstream's."`
	Headers      Headers  `yaml:"headers" format:"header" help:"More headers of the http check."`
	Service      string   `yaml:"service" default:"" opt:"public" help:"Service name the grpc check asks for; empty asks for the whole server."`
	Interval     Duration `yaml:"interval" default:"2s" min:"10ms" max:"1h" help:"From one check to the next."`
	Timeout      Duration `yaml:"timeout" default:"1s" min:"1ms" max:"10m" help:"For one check."`
	FastInterval Duration `yaml:"fast_interval" default:"250ms" min:"10ms" max:"1h" help:"Interval while the upstream is down or not yet known."`
	Rise         int      `yaml:"rise" default:"2" min:"1" max:"100" help:"Checks in a row that must pass before an upstream is up."`
	Fall         int      `yaml:"fall" default:"2" min:"1" max:"100" help:"Checks in a row that must fail before it is down."`
	Jitter       Ratio    `yaml:"jitter" default:"10%" min:"0%" max:"50%" help:"Random part of the interval, so that checks spread."`
	Retries      int      `yaml:"retries" default:"0" min:"0" max:"10" help:"Times a failed check is repeated at once before it counts."`
	DrainStatus  Statuses `yaml:"drain_status" default:"[]" opt:"single" help:"Status codes by which the http check learns that the upstream drains: no new requests at once, and no failure."`
	Expect       Expect   `yaml:"expect" help:"What the http check must answer."`
}

// Expect is what an HTTP check must answer.
type Expect struct {
	Status  Statuses `yaml:"status" default:"[200-399]" opt:"single" help:"Status codes that pass: 200, 200-399 or 2xx."`
	Body    string   `yaml:"body" default:"" help:"Text that must be in the body; empty asks for none."`
	MaxBody Size     `yaml:"max_body" default:"64KiB" min:"1B" max:"16MiB" help:"How much of the body is read to find it."`
}

// Breaker leaves an upstream out for a while when live requests to it fail.
type Breaker struct {
	Enabled      bool     `yaml:"enabled" default:"true" help:"Whether failures of live requests count at all."`
	Consecutive  int      `yaml:"consecutive" default:"5" min:"1" max:"10000" zero:"not used" help:"Failures in a row that open it."`
	FailureRatio Ratio    `yaml:"failure_ratio" default:"50%" min:"1%" max:"100%" zero:"not used" help:"Share of failures within the window that opens it."`
	MinRequests  int      `yaml:"min_requests" default:"10" min:"1" max:"1000000" help:"Requests the window must hold before failure_ratio counts."`
	Window       Duration `yaml:"window" default:"10s" min:"100ms" max:"1h" help:"Span that failure_ratio looks at."`
	OpenFor      Duration `yaml:"open_for" default:"5s" min:"100ms" max:"1h" help:"First time out; doubles each time it opens again."`
	MaxOpenFor   Duration `yaml:"max_open_for" default:"60s" min:"100ms" max:"24h" help:"Longest time out."`
	Statuses     Statuses `yaml:"statuses" default:"[502, 503, 504]" opt:"single" help:"Status codes of an upstream that count as failures: 503, 500-504 or 5xx."`
	MaxEjected   Ratio    `yaml:"max_ejected" default:"50%" min:"0%" max:"100%" help:"Largest share of the pool that may be out this way at once; never the last one."`
}

// Outlier gives less to an upstream that is much worse than the others of its tier.
type Outlier struct {
	Enabled      bool     `yaml:"enabled" default:"true" help:"Whether the upstreams are compared."`
	MinRequests  int      `yaml:"min_requests" default:"20" min:"1" max:"1000000" help:"Requests in ten seconds that the upstream, and the others, must have had."`
	FailureRatio Ratio    `yaml:"failure_ratio" default:"10%" min:"1%" max:"100%" zero:"not used" help:"Share of failures it must surely exceed, and surely more than the others; then its breaker opens."`
	SlowFactor   int      `yaml:"slow_factor" default:"5" min:"2" max:"1000" zero:"not used" help:"How many times the others' time to an answer it must surely take; then it gets less in proportion."`
	SlowBy       Duration `yaml:"slow_by" default:"50ms" min:"1ms" max:"1h" help:"How much longer it must take at least."`
}

// PoolTimeouts are the waits on the upstream's side.
type PoolTimeouts struct {
	Dial           Duration `yaml:"dial" default:"1s" min:"1ms" max:"5m" help:"For a connection."`
	TLS            Duration `yaml:"tls" default:"3s" min:"1ms" max:"5m" help:"For the TLS handshake, and over HTTP/2 for the upstream's first word."`
	ResponseHeader Duration `yaml:"response_header" default:"30s" min:"1ms" max:"24h" zero:"no limit" help:"From the request sent to the response header."`
	Idle           Duration `yaml:"idle" default:"60s" min:"1ms" max:"24h" zero:"no limit" help:"Between two parts of a response body."`
	Request        Duration `yaml:"request" default:"0s" min:"1ms" max:"24h" zero:"no limit" help:"For the whole request, all attempts and the wait in hold."`
	Keepalive      Duration `yaml:"keepalive" default:"60s" min:"1ms" max:"1h" zero:"connections are not kept" help:"How long an idle upstream connection is kept."`
	TunnelIdle     Duration `yaml:"tunnel_idle" default:"1h" min:"1s" max:"168h" zero:"no limit" help:"Upgraded connections (WebSocket): without a byte either way."`
	TunnelLifetime Duration `yaml:"tunnel_lifetime" default:"0s" min:"1s" max:"8760h" zero:"no limit" help:"Upgraded connections (WebSocket): in all."`
	Ping           Duration `yaml:"ping" default:"15s" min:"100ms" max:"1h" zero:"never" help:"Over HTTP/2, but not for gRPC: silence until the upstream is asked for a sign of life; it has as long to give one."`
}

// Retry says when a failed request is sent again.
type Retry struct {
	Attempts   int      `yaml:"attempts" default:"5" min:"1" max:"10" help:"Most times a request is sent, the first included."`
	Budget     Ratio    `yaml:"budget" default:"20%" min:"0%" max:"100%" help:"Retries allowed, as a share of requests."`
	BudgetMin  int      `yaml:"budget_min" default:"10" min:"0" max:"100000" help:"Retries per second that are always allowed."`
	PerTry     Duration `yaml:"per_try" default:"0s" min:"1ms" max:"24h" zero:"no limit" help:"For one attempt, until its response header."`
	Statuses   Statuses `yaml:"statuses" default:"[502, 503, 504]" opt:"single" help:"Status codes of an upstream that are retried: 503, 502-504 or 5xx."`
	MaxBody    Size     `yaml:"max_body" default:"64KiB" min:"0B" max:"64MiB" help:"Largest request body that is kept to be sent again."`
	Backoff    Duration `yaml:"backoff" default:"25ms" min:"0s" max:"1m" help:"Pause before the first retry; doubles each time."`
	MaxBackoff Duration `yaml:"max_backoff" default:"250ms" min:"0s" max:"1m" help:"Longest pause."`
	Hedge      Hedge    `yaml:"hedge" help:"A request whose answer does not come goes to another upstream as well; the first answer is taken."`
}

// Hedge says when a request goes to another upstream as well.
type Hedge struct {
	After    HedgeAfter `yaml:"after" default:"auto" help:"When: auto (when it is late and its upstream gives reason to), p90, p95 or p99 of the pool's own times to a response header, a duration, or off."`
	Budget   Ratio      `yaml:"budget" default:"5%" min:"0%" max:"100%" help:"Such second requests that do not help, as a share of requests."`
	MinDelay Duration   `yaml:"min_delay" default:"1ms" min:"1ms" max:"1m" help:"Never sooner than this."`
}

// Hold lets requests wait for an upstream to come back instead of failing.
type Hold struct {
	For         Duration `yaml:"for" default:"10s" min:"0s" max:"10m" zero:"off" help:"How long a request waits."`
	MaxRequests int      `yaml:"max_requests" default:"1000" min:"1" max:"1000000" help:"Requests that may wait at once."`
	MaxBody     Size     `yaml:"max_body" default:"64MiB" min:"0B" max:"64GiB" zero:"no limit" help:"How much of their bodies, all together, may be in memory."`
}

// Commit says which responses are complete before the client sees a byte, so that one that breaks off can be replaced.
type Commit struct {
	Buffer Size `yaml:"buffer" default:"64KiB" min:"0B" max:"16MiB" zero:"off" help:"Largest response body that is complete before the client sees a byte; a slow one is not waited for."`
	Resume bool `yaml:"resume" default:"true" help:"A larger response that breaks off is completed from another upstream: of a GET, with a strong ETag and Accept-Ranges: bytes."`
}

// Stale keeps responses to answer with instead of an error. What does not fit Commit.Buffer is not kept.
type Stale struct {
	MaxSize Size     `yaml:"max_size" default:"0B" min:"64KiB" max:"64GiB" zero:"off" help:"Memory for all of them."`
	IfError Duration `yaml:"if_error" default:"0s" min:"1s" max:"8760h" zero:"only if it says so" help:"How long past its freshness a response may be used that does not say stale-if-error in its Cache-Control."`
}
