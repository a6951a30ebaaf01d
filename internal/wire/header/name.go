package header

// Name is a field that goodgate uses itself; [Other] is any other one.
type Name uint8

// The names. Their order has no meaning.
const (
	Other Name = iota
	Accept
	AcceptRanges
	AltSvc
	Authorization
	CacheControl
	Connection
	ContentEncoding
	ContentLength
	ContentRange
	ContentType
	Cookie
	Date
	ETag
	Expect
	Forwarded
	GoodgateDrain
	GoodgatePassed
	Host
	IdempotencyKey
	KeepAlive
	Pragma
	ProxyAuthenticate
	ProxyAuthorization
	ProxyConnection
	ProxyStatus
	RetryAfter
	TE
	Trailer
	TransferEncoding
	Upgrade
	UserAgent
	Via
	XForwardedFor
	XForwardedHost
	XForwardedProto
	XRealIP
	XRequestID

	numNames
)

var names = [numNames]string{
	Accept:             "Accept",
	AcceptRanges:       "Accept-Ranges",
	AltSvc:             "Alt-Svc",
	Authorization:      "Authorization",
	CacheControl:       "Cache-Control",
	Connection:         "Connection",
	ContentEncoding:    "Content-Encoding",
	ContentLength:      "Content-Length",
	ContentRange:       "Content-Range",
	ContentType:        "Content-Type",
	Cookie:             "Cookie",
	Date:               "Date",
	ETag:               "Etag",
	Expect:             "Expect",
	Forwarded:          "Forwarded",
	GoodgateDrain:      "Goodgate-Drain",
	GoodgatePassed:     "Goodgate-Passed",
	Host:               "Host",
	IdempotencyKey:     "Idempotency-Key",
	KeepAlive:          "Keep-Alive",
	Pragma:             "Pragma",
	ProxyAuthenticate:  "Proxy-Authenticate",
	ProxyAuthorization: "Proxy-Authorization",
	ProxyConnection:    "Proxy-Connection",
	ProxyStatus:        "Proxy-Status",
	RetryAfter:         "Retry-After",
	TE:                 "Te",
	Trailer:            "Trailer",
	TransferEncoding:   "Transfer-Encoding",
	Upgrade:            "Upgrade",
	UserAgent:          "User-Agent",
	Via:                "Via",
	XForwardedFor:      "X-Forwarded-For",
	XForwardedHost:     "X-Forwarded-Host",
	XForwardedProto:    "X-Forwarded-Proto",
	XRealIP:            "X-Real-Ip",
	XRequestID:         "X-Request-Id",
}

// String returns the canonical spelling, empty for [Other].
func (n Name) String() string { return names[n] }

// byLength has the names of each length: the length alone distinguishes most fields.
var byLength = func() (table [longest + 1][]Name) {
	for n := Other + 1; n < numNames; n++ {
		table[len(names[n])] = append(table[len(names[n])], n)
	}
	return table
}()

const longest = len("Proxy-Authorization")

// Identify returns the name that s spells, in any case.
func Identify(s string) Name {
	if len(s) > longest {
		return Other
	}
	for _, n := range byLength[len(s)] {
		if EqualName(s, names[n]) {
			return n
		}
	}
	return Other
}

// EqualName reports whether two field names are equal, in any case (RFC 9110, section
// 5.1).
func EqualName(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if a[i] != b[i] && lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c |= 0x20
	}
	return c
}
