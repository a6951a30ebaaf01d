package proxylog_test

import (
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/internal/advice/logs"
	"github.com/goodgate/goodgate/internal/advice/nginxlog"
	"github.com/goodgate/goodgate/internal/advice/proxylog"
)

// TestRows checks that each row matches its own example, and has a remedy.
func TestRows(t *testing.T) {
	for _, row := range proxylog.Rows() {
		tally := proxylog.New(nginxlog.NewAccessTally())
		var e logs.Envelope
		if line, at := e.Strip([]byte(row.Example)); !tally.Line(line, at) || tally.Lines[row.Proxy] != 1 {
			t.Errorf("%s %q: not a line of its log: %s", row.Proxy, row.Match, row.Example)
			continue
		}
		all := tally.Ended()
		if row.Cause == nginxlog.Other {
			if len(all) > 0 || tally.Unknown.Count > 0 {
				t.Errorf("%s %q: counted", row.Proxy, row.Match)
			}
			continue
		}
		if len(all) != 1 || all[0].Row.Match != row.Match || all[0].Row.And != row.And || all[0].Cause != row.Cause || all[0].Count != 1 {
			t.Errorf("%s %q %q: got %+v of %s", row.Proxy, row.Match, row.And, all, row.Example)
		}
		if row.Means == "" || row.Do == "" && row.Cause != nginxlog.ClientGone {
			t.Errorf("%s %q: no meaning or no cure", row.Proxy, row.Match)
		}
	}
}

func TestLines(t *testing.T) {
	f := func(line, proxy string, cause nginxlog.Cause, upstream string) {
		t.Helper()
		access := nginxlog.NewAccessTally()
		tally := proxylog.New(access)
		if !tally.Line([]byte(line), time.Time{}) || tally.Lines[proxy] != 1 {
			t.Errorf("not a line of %s: %s", proxy, line)
			return
		}
		all := tally.Ended()
		switch {
		case cause == nginxlog.Other && len(all) > 0:
			t.Errorf("%s: got %v, want nothing", line, all[0].Cause)
		case cause != nginxlog.Other && (len(all) != 1 || all[0].Cause != cause || all[0].Upstream != upstream):
			t.Errorf("%s: got %+v, want %v of %q; not understood: %q", line, all, cause, upstream, tally.Unknown.Samples)
		}
	}
	f(`"GET /v1/status HTTP/1.1" 503 UC upstream_reset_before_response_started{connection_termination} - "-" 0 95 0 - "10.90.16.220" "Apache-HttpClient/4.5.1 (Java/1.8.0_372)" "3a7c" "health.abc.com" "10.80.47.192:8181" outbound|80||health-api - -`,
		"Envoy", nginxlog.ClosedBeforeAnswer, "http://10.80.47.192:8181")
	f(`[2016-04-15T20:17:00.310Z] "POST /api/v1/locations HTTP/2" 204 - 154 0 226 100 "10.0.35.28" "nsq2http" "cc21" "locations" "tcp://10.0.2.1:80"`, "Envoy", nginxlog.Other, "")
	f(`[2016-04-15T20:17:00.310Z] "POST /api/v1/locations HTTP/2" 503 UF,URX 154 0 226 100 "10.0.35.28" "nsq2http" "cc21" "locations" "tcp://10.0.2.1:80"`, "Envoy", nginxlog.ConnectRefused, "http://10.0.2.1:80")
	f(`{"start_time":"2026-03-01T12:00:00.000Z","response_code":503,"response_flags":"UF","upstream_host":"10.0.0.1:80","upstream_transport_failure_reason":"delayed connect error: 111","path":"/a","method":"GET","duration":3}`, "Envoy", nginxlog.ConnectRefused, "http://10.0.0.1:80")
	f(`{"start_time":"2026-03-01T12:00:00.000Z","response_code":503,"response_flags":"-","upstream_host":"10.0.0.1:80","response_code_details":"via_upstream"}`, "Envoy", nginxlog.UpstreamStatus, "http://10.0.0.1:80")
	f(`time="2024-01-01T00:00:00Z" level=debug msg="'502 Bad Gateway' caused by: dial tcp 172.18.0.5:8080: connect: connection refused"`, "Traefik", nginxlog.ConnectRefused, "http://172.18.0.5:8080")
	f(`time="2024-01-01T00:00:00Z" level=debug msg="'502 Bad Gateway' caused by: EOF"`, "Traefik", nginxlog.ClosedBeforeAnswer, "")
	f(`time="2024-01-01T00:00:00Z" level=debug msg="'504 Gateway Timeout' caused by: dial tcp 172.18.0.5:8080: i/o timeout"`, "Traefik", nginxlog.ConnectTimeout, "http://172.18.0.5:8080")
	f(`DBG github.com/traefik/traefik/v3/pkg/server/service/proxy.go:100 > 502 Bad Gateway error="dial tcp 172.18.0.5:8080: connect: connection refused"`, "Traefik", nginxlog.ConnectRefused, "http://172.18.0.5:8080")
	f(`time="2024-01-01T00:00:00Z" level=info msg="Skipping" providerName=docker`, "Traefik", nginxlog.Other, "")
	f(`ERR Unable to obtain ACME certificate for domains error="unable to generate a certificate" providerName=le.acme`, "Traefik", nginxlog.Other, "")
	f(`{"DownstreamStatus":200,"OriginStatus":200,"ServiceName":"app@docker","ServiceAddr":"10.0.0.1:80","RequestPath":"/"}`, "Traefik", nginxlog.Other, "")
	f(`10.1.1.1 - - [01/Mar/2026:12:00:00 +0000] "GET / HTTP/1.1" 502 11 "-" "-" 12 "app@docker" "http://10.0.0.1:80" 3ms`, "Traefik", nginxlog.Other, "")
	f(`{"level":"error","ts":1728027776.6,"logger":"http.log.error","msg":"dial tcp: lookup app on 127.0.0.11:53: no such host","request":{"method":"POST","uri":"/x"},"status":502}`, "Caddy", nginxlog.NotResolved, "app")
	f(`{"level":"error","ts":1700661180.5,"logger":"http.handlers.reverse_proxy","msg":"aborting with incomplete response","upstream":"localhost:3030","request":{"method":"GET","uri":"/"},"error":"reading: unexpected EOF"}`, "Caddy", nginxlog.ClosedInBody, "http://localhost:3030")
	f(`{"level":"error","ts":1700661180.5,"logger":"http.handlers.reverse_proxy","msg":"aborting with incomplete response","upstream":"localhost:3030","error":"writing: context canceled"}`, "Caddy", nginxlog.ClientGone, "http://localhost:3030")
	f(`{"level":"info","ts":1700661180.5,"logger":"tls.obtain","msg":"acquiring lock"}`, "Caddy", nginxlog.Other, "")
	f(`{"level":"error","ts":1.5,"logger":"http.log.access.log0","msg":"handled request","request":{"method":"GET","uri":"/"},"duration":0.1,"status":502}`, "Caddy", nginxlog.Other, "")
	f("2026/03/01 12:00:00.123\tERROR\thttp.log.error\tdial tcp 127.0.0.1:3000: connect: connection refused\t{\"request\": {\"method\": \"GET\", \"uri\": \"/\"}, \"status\": 502}", "Caddy", nginxlog.ConnectRefused, "http://127.0.0.1:3000")
	f(`10.0.1.2:33317 [06/Feb/2009:12:14:14.655] http-in app/a 10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 0/0 {1wt.eu} {} "GET /index.html HTTP/1.1"`, "HAProxy", nginxlog.Other, "")
	f(`10.0.1.2:33317 [06/Feb/2009:12:14:16.655] http-in app/a 0/0/-1/-1/3002 503 212 - - SC-- 1/1/1/1/0 0/0 "GET /[06/Feb/2009:12:14:16.655] a b/c 1/1/1/1/1 1 1 - - SH-- HTTP/1.1"`, "HAProxy", nginxlog.ConnectRefused, "app/a")
	f(`10.0.1.2:33313 [06/Feb/2009:12:12:51.443] fnt bck/srv1 0/0/5007 212 sD 0/0/0/0/3 0/0`, "HAProxy", nginxlog.ResponseStalled, "bck/srv1")
	f(`10.0.1.2:33313 [06/Feb/2009:12:12:51.443] fnt~ app/<NOSRV> 0/-1/-1/-1/0 503 217 - - SC-- 1/1/0/0/0 0/0 "GET / HTTP/1.1" 0/0000000000000000/0/0/0 x/TLSv1.3/TLS_AES`, "HAProxy", nginxlog.NoLiveUpstreams, "")
	f(`10.1.1.1 - - [01/Mar/2026:12:00:00 +0000] "GET / HTTP/1.1" 503 217 "" "" 4711 123 "web" "app" "s1" 0 0 -1 -1 3 SC-- 1 1 0 0 3 0 0 "" ""`, "HAProxy", nginxlog.ConnectRefused, "app/s1")
	f(`10.0.1.2:33313 [06/Feb/2009:12:12:51.443] fnt app/a 0/0/0/5/6 200 99 - - CD-- 1/1/0/0/0 0/0 "GET / HTTP/1.1"`, "HAProxy", nginxlog.Other, "")
	f(`[WARNING] (8) : Server app/s1 is DOWN, reason: Layer4 connection problem, info: "Connection refused", check duration: 0ms. 0 active and 0 backup servers left.`, "HAProxy", nginxlog.CheckFailed, "app/s1")
	f(`Server app/s1 is UP, reason: Layer7 check passed, code: 200`, "HAProxy", nginxlog.Other, "")
	f(`{"time":"2026-03-01T12:00:00Z","level":"INFO","msg":"request","status":502,"pool":"app","upstream":"10.0.0.1:3000","reason":"connect_refused"}`, "goodgate", nginxlog.Goodgate, "http://10.0.0.1:3000")
}

// TestUnsure checks that an ambiguous line counts as Traefik's only after an
// unambiguous one.
func TestUnsure(t *testing.T) {
	tally := proxylog.New(nginxlog.NewAccessTally())
	for i, line := range []string{`INF x`, `INF Skipping providerName=docker`, `INF x`} {
		if got := tally.Line([]byte(line), time.Time{}); got != (i > 0) {
			t.Errorf("%d %s: taken %v", i, line, got)
		}
	}
}

func TestNotOthers(t *testing.T) {
	tally := proxylog.New(nginxlog.NewAccessTally())
	for _, line := range []string{
		`10.1.1.1 - - [01/Mar/2026:12:00:01 +0000] "GET /a HTTP/1.1" 502 157 "-" "curl/8.0"`,
		`{"time":"2026-03-01T12:00:01+00:00","status":"502","request":"GET /a HTTP/1.1"}`,
		`time="2024-01-01T00:00:00Z" level=info msg="an application"`, `INF an application`, `{"level":"info","time":"2026-03-01T12:00:01Z","msg":"an application"}`,
		`{"level":"info","ts":1.5,"caller":"main.go:1","msg":"an application"}`, `I0301 12:00:00.123456       7 kubelet.go:1107] something`,
		`"GET /a HTTP/1.1" 502 157 "-"`, "x", "", "{", "[", `"`, `time="`, "ERR", strings.Repeat(`"`, 13) + " [01/Mar/2026:12:00:01.0] \"",
	} {
		if tally.Line([]byte(line), time.Time{}) {
			t.Errorf("taken: %s", line)
		}
	}
}

func FuzzLine(f *testing.F) {
	for _, row := range proxylog.Rows() {
		f.Add([]byte(row.Example))
	}
	tally := proxylog.New(nginxlog.NewAccessTally())
	f.Fuzz(func(t *testing.T, line []byte) {
		tally.Line(line, time.Time{})
		tally.Ended()
	})
}
