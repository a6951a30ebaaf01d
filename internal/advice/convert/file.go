package convert

import "time"

// file is the part of goodgate's configuration that conversions use.
type file struct {
	listeners      []*listener
	trusted        []string // networks
	trustedHeaders []string
	page           string // file of the error page
	pageDir        string // folder of error pages by status
	log            accessLog
	routes         []route
	pools          []*pool
}

type listener struct {
	address    string
	certs      [][2]string // certificate and key
	secure     bool
	minVersion string
	clientCA   string
	optional   bool // client certificates are optional
	http3      bool
	most       int      // connections; 0 = no bound
	proxied    []string // networks that speak the PROXY protocol
	acme       []string // names to order certificates for
	authority  acme
	cleartext2 bool              // HTTP/2 without TLS
	crl        []string          // files with lists of revoked certificates of clients
	settings   map[string]string // by key
}

// acme is the authority that goodgate orders certificates from.
type acme struct {
	email, directory, ca string
	dns                  string // flow mapping; "" = no DNS challenge
}

// conditions are the conditions of a route.
type conditions struct {
	hosts     []string
	hostRe    string // expression
	scheme    string // http or https; "" = both
	listeners []string
	clients   []string // networks
	path      string   // a prefix if it ends in *
	regexp    string
	methods   []string
	headers   map[string]string
	anyCase   bool // the path, in lower case, matches in any case
	asked     map[asked]string
}

// asked identifies the value that a condition is about: a key of match, and a name.
type asked struct{ key, name string }

const (
	askQuery        = "query"
	askQueryRegexp  = "query_regexp"
	askCookie       = "cookies"
	askCookieRegexp = "cookie_regexp"
	askHeaderRegexp = "header_regexp"
)

// answer is a fixed answer, without an upstream.
type answer struct {
	redirect string
	respond  bool
	status   int
	body     string
	kind     string            // Content-Type
	fields   map[string]string // other headers
}

type route struct {
	conditions
	answer
	pool         string
	split        string   // flow mapping; instead of the pool alone
	pools        []string // of the split
	strip, add   string
	rewrite      [2]string // regular expression and new path
	host         string
	setRequest   map[string]string
	addRequest   map[string]string
	dropRequest  []string
	setResponse  map[string]string
	addResponse  map[string]string
	setError     map[string]string // headers of goodgate's own errors
	dropResponse []string
	location     []rewrite
	cookieDomain []rewrite
	cookiePath   []rewrite
	cookieFlags  []string // flow mappings
	rates        []string // flow mappings
	maxBody      int64
	maxRequests  int
	retrySafe    bool
	fallback     string // pool
	fallbackOn   string // a list; "" = the default
	access
	compress  string   // flow mapping
	mirror    string   // flow mapping
	intercept []string // statuses
	cache     string   // cache of the route; "" = no caching
	cors      string   // flow mapping
	unlogged  bool
}

// rewrite is an entry of response_rewrites.
type rewrite struct {
	from, to string
	regexp   bool // from is an expression
}

type pool struct {
	name      string
	policy    string
	hashOn    string
	servers   []server
	insecure  bool
	ca, sni   string
	cert, key string
	health    string // flow mapping; "" = the default
	dial      time.Duration
	response  time.Duration
	keepalive time.Duration
	age       time.Duration // maximum age of connections; 0 = no bound
	hold      string        // duration; "" = the default
	requests  int           // maximum on a connection; 0 = no bound
	tunnel    time.Duration // idle time of an upgraded connection; 0 = the default
	queue     time.Duration // longest wait in the queue; 0 = the default
	slowStart time.Duration // 0 = the default
	stale     string        // flow mapping; "" = none
	idle      int
	attempts  int
	statuses  []string // statuses to retry on; empty = the default
	unkept    bool     // request bodies are not kept for retries
	breaker   string   // flow mapping; "" = the default
	resolver  string
	proxied   string // version of the PROXY protocol; "" = none
	protocol  string // "" = HTTP/1.1
	cached    bool   // some of its routes use the cache
	cookie    string // cookie name of policy sticky
	stickyBy  string // other settings of policy sticky
}

type server struct {
	url    string
	srv    string // DNS name of SRV records, instead of a url
	weight int
	backup bool
	limit  int
}
