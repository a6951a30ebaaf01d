package stale

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestSharedAnswers stores the answer to one request, and looks it up with another.
func TestSharedAnswers(t *testing.T) {
	t.Parallel()
	const public = "Cache-Control: public, max-age=60"
	for _, tt := range []struct {
		name          string
		response      string // fields of requests and responses, separated by |
		first, second string
		want          bool
	}{
		{"no identity", "", "Accept: a|User-Agent: a|Accept-Language: de|Sec-Fetch-User: ?1", "Accept: b|User-Agent: b", true},
		{"a validator", "", "If-None-Match: a", "", true},
		{"tracing", "", "Traceparent: a|X-Request-Id: a|X-Amzn-Trace-Id: a|Cf-Ray: a", "Traceparent: b|X-Request-Id: b|Cf-Ray: b", true},

		{"a cookie, for one without", "", "", "Cookie: a=b", false},
		{"stale on arrival, for a cookie", "Expires: 0", "", "Cookie: a=b", false},
		{"public, for a cookie", public, "", "Cookie: a=b", true},
		{"public, of a cookie", public, "Cookie: a=b", "", true},
		{"public, of another cookie", public, "Cookie: a=b", "Cookie: a=c", true},
		{"varies by the cookie", public + "|Vary: Cookie", "Cookie: a=b", "Cookie: a=c", false},
		{"by the cookie, in another order", public + "|Vary: Cookie", "Cookie: a=b; c=d", "Cookie: c=d; a=b", false},
		{"by the cookie, in two lines", public + "|Vary: Cookie", "Cookie: a=b,c=d", "Cookie: a=b|Cookie: c=d", false},
		{"by the cookie, the same", public + "|Vary: Cookie", "Cookie: a=b", "Cookie: a=b", true},

		{"another key", public, "X-Api-Key: 1", "X-Api-Key: 2", false},
		{"the same key", public, "X-Api-Key: 1", "X-Api-Key: 1", true},
		{"of a key, without one", public, "X-Api-Key: 1", "", false},
		{"without one, for a key", "", "", "X-Api-Key: 1", false},
		{"a key by another name", public, "X-Api-Key: 1", "Api-Key: 1", false},
		{"a user named by a proxy", public, "X-Forwarded-User: a", "X-Forwarded-User: b", false},
		{"a certificate named by a proxy", public, "X-Ssl-Client-Cert: a", "X-Ssl-Client-Cert: b", false},
		{"a token spelled with _", public, "X_auth_token: a", "X_auth_token: b", false},

		{"another host", "", "X-Forwarded-Host: evil.example", "X-Forwarded-Host: h", false},
		{"another host, or none", "", "X-Forwarded-Host: evil.example", "", false},
		{"another host spelled with _", "", "X_forwarded_host: evil.example", "", false},
		{"another host spelled with dots", "", "X.forwarded.host: evil.example", "", false},
		{"another client that is none, spelled with dots", "", "X.real.ip: <script>", "", false},
		{"another client by a name in one word", "", "X-Azure-Clientip: 192.0.2.1", "X-Azure-Clientip: 192.0.2.2", true},
		{"a client that is none by a name in one word", "", "X-Azure-Clientip: <script>", "", false},
		{"another prefix", "", "X-Forwarded-Prefix: /evil", "", false},
		{"another port", "", "X-Forwarded-Port: 1", "", false},
		{"another scheme", "", "X-Forwarded-Scheme: http", "", false},
		{"another server", "", "X-Forwarded-Server: evil", "", false},
		{"X-Host", "", "X-Host: evil.example", "", false},
		{"X-Original-Host", "", "X-Original-Host: evil.example", "", false},
		{"X-Original-URL", "", "X-Original-Url: /admin", "", false},
		{"X-Rewrite-URL", "", "X-Rewrite-Url: /admin", "", false},
		{"X-HTTP-Method-Override", "", "X-Http-Method-Override: POST", "", false},
		{"X-Method", "", "X-Method: POST", "", false},
		{"Origin", "", "Origin: https://evil.example", "Origin: https://h", false},
		{"a part of a page", "", "X-Requested-With: XMLHttpRequest", "", false},
		{"two values, and one with a comma", "", "X-Host: a|X-Host: b", "X-Host: a,b", false},
		{"one value, and it with another", "", "X-Host: a|X-Host: b", "X-Host: a", false},

		{"another client", "", "X-Forwarded-For: 192.0.2.1", "X-Forwarded-For: 198.51.100.2:80, 2001:db8::1", true},
		{"another client by X-Real-IP", "", "X-Real-Ip: 192.0.2.1", "True-Client-Ip: 192.0.2.2", true},
		{"a client that is none", "", "X-Forwarded-For: <script>, 192.0.2.1", "X-Forwarded-For: 192.0.2.1", false},
		{"a client with a zone", "", "X-Real-Ip: fe80::1%<script>", "X-Real-Ip: fe80::1", false},
		{"Forwarded for another", "", `Forwarded: for=192.0.2.1;host=h;proto=http`, `Forwarded: for="[2001:db8::1]:80";host=h;proto=http`, true},
		{"Forwarded with another host", "", `Forwarded: for=192.0.2.1;host=evil`, `Forwarded: for=192.0.2.1;host=h`, false},
		{"Forwarded for what is none", "", `Forwarded: for="<script>"`, `Forwarded: for=192.0.2.1`, false},

		{"encoded, for another encoding", "Content-Encoding: gzip", "Accept-Encoding: gzip", "", false},
		{"encoded, for the same", "Content-Encoding: gzip", "Accept-Encoding: gzip", "Accept-Encoding: gzip", true},
		{"not encoded", "", "Accept-Encoding: gzip", "", true},
		{"Vary in two lines", "Vary: Accept|Vary: Accept-Language", "Accept-Language: de", "Accept-Language: en", false},
		{"Vary by what neither has", "Vary: X-N", "", "", true},
		{"Vary by what one has empty", "Vary: X-N", "", "X-N: ", false},
	} {
		c := New(Options{MaxSize: 1 << 20, IfError: time.Hour})
		c.Put(key("GET", "/"), split(tt.first), &http.Response{StatusCode: 200, Header: split(tt.response)}, []byte("x"), now)
		if got := c.Get(key("GET", "/"), split(tt.second), now) != nil; got != tt.want {
			t.Errorf("%s: got %t, want %t", tt.name, got, tt.want)
		}
	}
}

// split returns the header with the fields in s, separated by |.
func split(s string) http.Header {
	if s == "" {
		return http.Header{}
	}
	return fields(strings.Split(s, "|")...)
}

// TestCredentials checks that a request with one of these fields gets no response
// without explicit permission.
func TestCredentials(t *testing.T) {
	t.Parallel()
	for name := range strings.FieldsSeq(`Cookie Proxy-Authorization X-Authorization X-Api-Key Api-Key Apikey X-Apikey Ocp-Apim-Subscription-Key
		X-Auth-Token X-Access-Token Private-Token Job-Token X-Vault-Token X-Amz-Security-Token X-Csrf-Token X-Csrftoken X-Xsrf-Token X-Session-Id
		X-Sessionid Session X-Jwt X-Secret X-Client-Secret X-Password X-Signature Signature X-Hub-Signature-256 X-Auth-Request-User Remote-User
		X-Remote-User X-Webauth-User X-User-Id X-Userid X-Forwarded-User X-Forwarded-Email X-Forwarded-Groups X-Forwarded-Client-Cert
		X-Ssl-Client-Cert X-Client-Cert Cf-Access-Jwt-Assertion X-Goog-Authenticated-User-Email X-Amzn-Oidc-Data X-Ms-Client-Principal
		Tailscale-User-Login X-Tenant-Id X-Account X_api_key X-Api_key X.api.key Device.id`) {
		if got := roleOf(http.CanonicalHeaderKey(name)); got != credential {
			t.Errorf("%s: got role %d, want a credential", name, got)
		}
	}
	for name := range strings.FieldsSeq(`Accept Accept-Language User-Agent X-Original-User-Agent X_user_agent Sec-Fetch-User Sec-Ch-Ua Upgrade-Insecure-Requests
		Referer Dnt X-Request-Id X-Correlation-Id X-Amzn-Trace-Id Cf-Ray X-Forwarded-For X-Forwarded-Ssl X-Real-Ip Via Keep-Alive Viewport-Width X-N`) {
		if got := roleOf(http.CanonicalHeaderKey(name)); got == credential {
			t.Errorf("%s: is a credential, which keeps its requests from answers", name)
		}
	}
}

// A client certificate has the same effect as a cookie.
func TestCertificate(t *testing.T) {
	t.Parallel()
	shown, plain := key("GET", "/"), key("GET", "/")
	shown.Certificate = true
	for response, want := range map[string]bool{"": false, "Expires: 0": false, "Cache-Control: public": true} {
		for _, order := range [][2]Key{{shown, shown}, {shown, plain}, {plain, shown}} {
			c := New(Options{MaxSize: 1 << 20, IfError: time.Hour})
			c.Put(order[0], http.Header{}, &http.Response{StatusCode: 200, Header: split(response)}, nil, now)
			if got := c.Get(order[1], http.Header{}, now) != nil; got != want {
				t.Errorf("%q, certificates %t and %t: got %t, want %t", response, order[0].Certificate, order[1].Certificate, got, want)
			}
		}
	}
}

// Forget drops all answers of a target, including those of other routes and to other
// questions.
func TestForgetAll(t *testing.T) {
	t.Parallel()
	c := New(Options{MaxSize: 1 << 20, IfError: time.Hour})
	read, write := key("GET", "/"), key("POST", "/")
	read.Route, write.Route = "read", "write"
	c.Put(read, http.Header{}, silent(), nil, now)
	c.Put(read, fields("X-Host: a"), silent(), nil, now)
	if c.Get(write, http.Header{}, now) != nil || c.Get(key("GET", "/"), http.Header{}, now) != nil {
		t.Error("another route got the answer")
	}
	c.Forget(write)
	if c.Get(read, http.Header{}, now) != nil || c.Get(read, fields("X-Host: a"), now) != nil || c.Size() != 0 {
		t.Errorf("something is left, of %d bytes", c.Size())
	}
}

// A 404 for one identified client does not remove the response for others.
func TestGoneForIdentifiedClient(t *testing.T) {
	t.Parallel()
	for request, want := range map[string]bool{"": false, "X-Original-Url: /x": true, "Cookie: a=b": true, "Authorization: x": true, "X-Api-Key: x": true} {
		c := New(Options{MaxSize: 1 << 20, IfError: time.Hour})
		c.Put(key("GET", "/"), http.Header{}, silent(), nil, now)
		c.Put(key("GET", "/"), split(request), &http.Response{StatusCode: 404, Header: http.Header{}}, nil, now.Add(time.Minute))
		if got := c.Get(key("GET", "/"), http.Header{}, now) != nil; got != want {
			t.Errorf("a 404 to %q: the page is there: got %t, want %t", request, got, want)
		}
	}
}
