package logging

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/internal/lab/certtest"
	"github.com/goodgate/goodgate/internal/wire/message"
	"github.com/goodgate/goodgate/proxy"
	"github.com/goodgate/goodgate/reason"
)

// troubled returns a record with two attempts.
func troubled() *proxy.Record {
	return record(func(r *proxy.Record) {
		r.Duration, r.Pool, r.Route, r.Upstream, r.ID = 1234567*time.Microsecond, "app", "all", "10.0.0.2:80", "id-1"
		r.Absorbed, r.Hidden = reason.ByRetry, reason.ConnectRefused
		r.Attempts = []proxy.Attempt{
			{Upstream: "10.0.0.1:80", Took: 2 * time.Millisecond, Reason: reason.ConnectRefused},
			{Upstream: "10.0.0.2:80", After: 34567 * time.Microsecond, Took: 100 * time.Millisecond, Status: 200, Sent: 300, Received: 145},
		}
	})
}

func TestDollarValues(t *testing.T) {
	t.Parallel()
	h := asked().Request.HTTP()
	h.RemoteAddr = "192.0.2.1:4711"
	for format, want := range map[string]string{
		"$remote_addr":                         "192.0.2.1",
		"$remote_port":                         "4711",
		"$remote_addr:$remote_port":            "192.0.2.1:4711",
		"${remote_addr}x":                      "192.0.2.1x",
		"[$time_local]":                        "[04/Mar/2026:05:06:08 +0100]",
		"$time_iso8601":                        "2026-03-04T05:06:08+01:00",
		"$msec":                                "1772597168.234",
		"$request_time":                        "1.234",
		"$request_method $uri $args":           "GET /a b=1&token=[redacted]&code=[redacted]&x-api-key=[redacted]&next=[redacted]#id_token=[redacted]",
		"$status":                              "200",
		"$body_bytes_sent":                     "12",
		"$http_user_agent":                     "agent/1",
		"$http_USER_agent":                     "agent/1",
		"$http_none":                           "-",
		"$http_host $host":                     "example.com example.com",
		"$cookie_theme $cookie_none":           "dark -",
		"$arg_b $arg_none":                     "1 -",
		"$http_authorization $cookie_session":  "[redacted] [redacted]",
		"$http_cookie":                         "[redacted]",
		"$arg_token":                           "[redacted]",
		"$upstream_addr":                       "10.0.0.1:80, 10.0.0.2:80",
		"$upstream_status":                     "502, 200",
		"$upstream_response_time":              "0.002, 1.200",
		"$upstream_header_time":                "-, 0.100",
		"$upstream_bytes_sent":                 "0, 300",
		"$upstream_bytes_received":             "0, 157",
		"$upstream_response_length":            "0, 12",
		"$upstream_cache_status":               "-",
		"$pool $route $request_id":             "app all id-1",
		"$absorbed_by $hidden $reason":         "retry connect_refused -",
		"$attempts":                            "2",
		"$scheme $https $ssl_protocol":         "http - -",
		"$pipe$request_completion$is_args":     ".OK?",
		"$remote_user":                         "-",
		"$realip_remote_addr":                  "192.0.2.1",
		"$proxy_add_x_forwarded_for":           "192.0.2.1",
		"$pid":                                 strconv.Itoa(os.Getpid()),
		"100% {$status}":                       "100% {200}",
		"$http_referer":                        "https://a.example.com/?password=[redacted]&page=2",
		"$server_protocol":                     "HTTP/1.1",
		"$request_length":                      "294",
		"$sent_http_etag $upstream_http_etag":  "- -",
		"$held_time":                           "0.000",
		"$remote_addr - [$time_local] $status": "192.0.2.1 - [04/Mar/2026:05:06:08 +0100] 200",
	} {
		r := troubled()
		r.Request, r.Host = message.FromHTTP(h), "example.com"
		if got := line(t, Options{Format: format}, r); got != want+"\n" {
			t.Errorf("%s: got %swant %s", format, got, want)
		}
	}
}

// TestCombinedAsVariables: nginx's definition of combined gives the same line as the
// format combined.
func TestCombinedAsVariables(t *testing.T) {
	t.Parallel()
	const combined = `$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"`
	for name, r := range map[string]*proxy.Record{
		"plain": record(nil), "secrets": asked(), "troubled": troubled(),
		"no status": record(func(r *proxy.Record) { r.Status = 0 }),
		"quotes": record(func(r *proxy.Record) {
			r.Request.HTTP().Header = http.Header{"Referer": {`"\ü`}, "User-Agent": {"\x7f\x01"}}
		}),
		"user": record(func(r *proxy.Record) { r.Request.HTTP().SetBasicAuth(`jo e"`, "secret") }),
	} {
		if got, want := line(t, Options{Format: combined}, r), line(t, Options{Format: "combined"}, r); got != want {
			t.Errorf("%s: got %swant %s", name, got, want)
		}
	}
}

// TestEscapes: no value from a client creates another record, or another field of JSON.
func TestEscapes(t *testing.T) {
	t.Parallel()
	hostile := "a\"b\\c\td\x7f\xffü\u202e"
	r := record(func(r *proxy.Record) { r.Request.HTTP().Header.Set("User-Agent", hostile) })
	r.Path = "/\n\r\"\x00"
	for esc, want := range map[string]string{
		"":        `a\x22b\x5Cc\x09d\x7F\xFF\xC3\xBC\xE2\x80\xAE|/\x0A\x0D\x22\x00|-` + "\n",
		"default": `a\x22b\x5Cc\x09d\x7F\xFF\xC3\xBC\xE2\x80\xAE|/\x0A\x0D\x22\x00|-` + "\n",
		"json":    `a\"b\\c\td\u007f` + "\ufffdü" + `\u202e|/\n\r\"\u0000|` + "\n",
		"none":    "a\"b\\c\td\\x7f\\xffü\\u202e|/\\x0A\\x0D\"\\x00|\n",
	} {
		if got := line(t, Options{Format: "$http_user_agent|$uri|$http_none", Escape: esc}, r); got != want {
			t.Errorf("%s: got %q, want %q", esc, got, want)
		}
	}
	var got map[string]string
	if err := json.Unmarshal([]byte(line(t, Options{Format: `{"agent":"$http_user_agent","uri":"$uri","none":"$http_none"}`, Escape: "json"}, r)), &got); err != nil || got["uri"] != r.Path || got["none"] != "" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestDollarErrors(t *testing.T) {
	t.Parallel()
	for format, want := range map[string]string{
		"$":                    "$ without the name of a variable, as in $status",
		"$status $":            "$ without the name of a variable, as in $status",
		"a $ b":                "$ without the name of a variable, as in $status",
		"${status":             "$ without the name of a variable, as in $status",
		"${sta tus}":           "$ without the name of a variable, as in $status",
		"$stauts":              "unknown variable $stauts (did you mean $status?)",
		"$remote_address":      "unknown variable $remote_address (did you mean $remote_addr?)",
		"$upstream_adr":        "unknown variable $upstream_adr (did you mean $upstream_addr?)",
		"$http_":               "unknown variable $http_",
		"$elephant":            "unknown variable $elephant",
		"$status\n$uri":        errLineBreak.Error(),
		"$request_time $nginx": "unknown variable $nginx",
	} {
		_, err := (Options{Format: format}).Check()
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", format, err, want)
		}
		if of, ok := errors.AsType[FieldError](err); ok {
			t.Errorf("%q: the error is about fields: %v", format, of)
		}
		if _, err := Open(Options{Format: format}); err == nil {
			t.Errorf("%q: it opens", format)
		}
	}
}

func TestTLSValues(t *testing.T) {
	t.Parallel()
	client := certtest.NewAuthority(t, "clients").Issue("client.example.com")
	leaf, err := x509.ParseCertificate(client.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	r := record(nil)
	r.Request.TLS = &tls.ConnectionState{
		Version: tls.VersionTLS13, CipherSuite: tls.TLS_AES_128_GCM_SHA256, ServerName: "www.example.com", NegotiatedProtocol: "h2",
		DidResume: true, PeerCertificates: []*x509.Certificate{leaf},
	}
	for format, want := range map[string]string{
		"$scheme $https":                       "https on",
		"$ssl_protocol $ssl_cipher":            "TLSv1.3 TLS_AES_128_GCM_SHA256",
		"$ssl_server_name $ssl_alpn_protocol":  "www.example.com h2",
		"$ssl_session_reused":                  "r",
		"$ssl_client_s_dn $ssl_client_verify":  leaf.Subject.String() + " SUCCESS",
		"$ssl_client_i_dn $ssl_client_serial":  leaf.Issuer.String() + " " + strings.ToUpper(hex.EncodeToString(leaf.SerialNumber.Bytes())),
		"$ssl_client_v_end":                    leaf.NotAfter.UTC().Format(certificateTime),
		"${ssl_client_fingerprint}${http_xyz}": fingerprint1(leaf) + "-",
	} {
		if got := line(t, Options{Format: format}, r); got != want+"\n" {
			t.Errorf("%s: got %swant %s", format, got, want)
		}
	}
	got := line(t, Options{Format: "json", Fields: Fields{Add: map[string]string{"tls": "{tls.version} {tls.server_name} {tls.client.subject}"}}}, r)
	if want := `"tls":"` + `TLSv1.3 www.example.com ` + leaf.Subject.String() + `"`; !strings.Contains(got, want) {
		t.Errorf("got %s, want %s", got, want)
	}
}

// FuzzDollar: any format is either refused or writes records of one line.
func FuzzDollar(f *testing.F) {
	f.Add("$remote_addr ${status} \"$http_user_agent\"", "a\nb")
	f.Fuzz(func(t *testing.T, format, agent string) {
		o := Options{Format: "$status" + format}
		if _, err := o.Check(); err != nil {
			return
		}
		r := record(func(r *proxy.Record) {
			h := httptest.NewRequest("GET", "/", nil)
			h.Header["User-Agent"] = []string{agent}
			r.Request = message.FromHTTP(h)
		})
		for _, o.Escape = range []string{"default", "json", "none"} {
			if got := line(t, o, r); strings.Count(got, "\n") != 1 || !strings.HasSuffix(got, "\n") {
				t.Errorf("%q: %q", format, got)
			}
		}
	})
}
