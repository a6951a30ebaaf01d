package proxylog

import (
	"bytes"
	"strings"
	"time"

	"github.com/goodgate/goodgate/internal/advice/nginxlog"
)

// haproxyRows returns the termination states of HAProxy (configuration.txt, section
// 8.5): the first cause of the end, and the phase.
func haproxyRows() []Row {
	const p = "HAProxy"
	line := func(server, status, state string) string {
		return `10.1.1.1:4711 [01/Mar/2026:12:00:00.123] web app/` + server + ` 0/0/-1/-1/3 ` + status + ` 217 - - ` + state + ` 1/1/0/0/3 0/0 "GET /v1/items HTTP/1.1"`
	}
	return []Row{
		{p, "SC", "<NOSRV>", nginxlog.NoLiveUpstreams, "no server of the backend was up, so HAProxy refused requests without trying one", `fix what takes the servers down (read the other findings, and the lines "is DOWN, reason" of the log)`, "", line("<NOSRV>", "503", "SC--")},
		{p, "SC", "", nginxlog.ConnectRefused, "the server refused the connection: nothing listened on that port at the time", "make sure that the application runs and listens there", "option redispatch", line("s1", "503", "SC--")},
		{p, "sC", "", nginxlog.ConnectTimeout, "no connection within timeout connect: packets were dropped, or the application's accept queue was full", "allow the port in the firewalls, or give the application more workers and a larger backlog", "timeout connect 2s", line("s1", "503", "sC--")},
		{p, "SH", "", nginxlog.ClosedBeforeAnswer, "the server closed the connection instead of answering: it crashed, or was ended", "check the application's log at these times", "retry-on conn-failure empty-response\nhttp-request disable-l7-retry unless METH_GET", line("s1", "502", "SH--")},
		{p, "sH", "", nginxlog.ResponseTimeout, "the server did not answer within timeout server: a slow query, or all its workers are busy", "make the request faster, or wait longer; the log does not show how long it would take", "", line("s1", "504", "sH--")},
		{p, "SD", "", nginxlog.ClosedInBody, "the connection broke in the middle of a response: the application crashed or was stopped", "check the application's log at these times", "", line("s1", "200", "SD--")},
		{p, "sD", "", nginxlog.ResponseStalled, "the server paused in the middle of a response for longer than timeout server", "find out what the application waits for, or wait longer", "", line("s1", "200", "sD--")},
		{p, "sQ", "", nginxlog.Overloaded, "the request waited in the queue longer than timeout queue: every server had maxconn requests", "give the application more workers, then raise maxconn", "", line("<NOSRV>", "503", "sQ--")},
		{p, "SQ", "", nginxlog.Overloaded, "the server's queue was emptied: it went down with requests waiting", "fix what takes the server down", "option redispatch", line("s1", "503", "SQ--")},
		{p, "ST", "", nginxlog.ClosedWhileSending, "the server closed the connection while the request was still being sent", "check the application's log at these times", "", line("s1", "502", "ST--")},
		{p, "sT", "", nginxlog.SendTimeout, "the server did not read the request within timeout server", "give it more workers", "", line("s1", "504", "sT--")},
		{p, "SL", "", nginxlog.ClosedInBody, "the server closed the connection after HAProxy had its response", "check the application's log at these times", "", line("s1", "200", "SL--")},
		{p, "PH", "", nginxlog.InvalidResponse, "the response was not valid HTTP, or its header did not fit into tune.bufsize", "check what answers at that port; allow larger headers", "tune.bufsize 32768", line("s1", "502", "PH--")},
		{p, "PD", "", nginxlog.InvalidChunks, "the response body did not match its header: a chunk was not valid", "check what the application sends", "", line("s1", "200", "PD--")},
		{p, "PC", "", nginxlog.Overloaded, "HAProxy reached maxconn, or its limit of open files", "raise maxconn of the frontend, and the limit on open files", "", line("s1", "503", "PC--")},
		{p, "PR", "", nginxlog.Limited, "HAProxy refused the request: a rule denied it, or the request was not valid", "as configured; check the rules of the frontend", "", line("<NOSRV>", "403", "PR--")},
		{p, "PT", "", nginxlog.Limited, "a rule held the request up on purpose (tarpit)", "as configured", "", line("<NOSRV>", "500", "PT--")},
		{p, "RC", "", nginxlog.NoLocalPort, "this machine was short of ports, files or memory", "keep connections to servers, and look at this machine's limits", "http-reuse safe", line("s1", "503", "RC--")},
		{p, "RQ", "", nginxlog.Overloaded, "HAProxy ran short of a resource while the request waited", "look at this machine's limits", "", line("<NOSRV>", "503", "RQ--")},
		{p, "RH", "", nginxlog.MemoryShort, "HAProxy was short of memory or files", "look at this machine's limits", "", line("s1", "500", "RH--")},
		{p, "RD", "", nginxlog.MemoryShort, "HAProxy was short of memory or files", "look at this machine's limits", "", line("s1", "200", "RD--")},
		{p, "IH", "", nginxlog.Internal, "an internal error of HAProxy, for example a rewrite that does not fit into the buffer", "give rewrites more space", "tune.maxrewrite 4096", line("s1", "500", "IH--")},
		{p, "IR", "", nginxlog.Internal, "an internal error of HAProxy, for example a rewrite that does not fit into the buffer", "give rewrites more space", "tune.maxrewrite 4096", line("<NOSRV>", "500", "IR--")},
		{p, "IC", "", nginxlog.Internal, "an internal error of HAProxy", "check its own log", "", line("s1", "500", "IC--")},
		{p, "DC", "", nginxlog.NoLiveUpstreams, "the server was taken down by on-marked-down", "fix what takes it down", "", line("s1", "503", "DC--")},
		{p, "DH", "", nginxlog.ClosedBeforeAnswer, "the server was marked down, and on-marked-down shutdown-sessions ended the request", "fix what takes it down", "", line("s1", "502", "DH--")},
		{p, "DD", "", nginxlog.ClosedInBody, "the server was marked down, and on-marked-down shutdown-sessions ended the response", "fix what takes it down", "", line("s1", "200", "DD--")},
		{p, "KC", "", nginxlog.ClientGone, "an administrator ended the session", "", "", line("s1", "503", "KC--")},
		{p, "UD", "", nginxlog.ClientGone, "a backup server's session was ended as the main one came back", "", "", line("s1", "200", "UD--")},
	}
}

// haproxyEvents returns HAProxy's messages about servers.
func haproxyEvents() []Row {
	const p = "HAProxy"
	check := func(cause nginxlog.Cause, and, means, do string) Row {
		return Row{p, " is DOWN, reason: ", and, cause, means, do, "", "Server app/s1 is DOWN, reason: " + and + `, info: "x", check duration: 1ms. 0 active and 0 backup servers left. 0 sessions active, 0 requeued, 0 remaining in queue.`}
	}
	return []Row{
		check(nginxlog.CheckFailed, "Layer4 connection problem", "nothing listened on the health check's port", "make sure that the application runs and listens there"),
		check(nginxlog.CheckFailed, "Layer4 timeout", "the health check got no connection in time", "allow the port in the firewalls"),
		check(nginxlog.CheckFailed, "Layer6", "the health check failed in the TLS handshake", "make sure that the port speaks TLS, and its certificate (verify, ca-file)"),
		check(nginxlog.CheckFailed, "Layer7 wrong status", "the health check got an unexpected status", "look at the answer to the check, or check a path that reports only the application's own health"),
		check(nginxlog.CheckFailed, "Layer7 timeout", "the health check got no answer in time", "find out why the application is slow, or raise timeout check"),
		check(nginxlog.CheckFailed, "Layer7 invalid response", "the answer to the health check was not HTTP", "correct the port, or the check"),
		check(nginxlog.CheckFailed, "", "a health check took the server out", "look at the answer to the check"),
		{p, "has no server available!", "", nginxlog.NoLiveUpstreams, "no server of the backend was up: requests get 503", `read the lines "is DOWN, reason" before it`, "", "backend app has no server available!"},
		{p, "reached process FD limit", "", nginxlog.OpenFiles, "HAProxy reached its limit of open files", "raise ulimit-n, or lower maxconn", "", "Proxy web reached process FD limit (maxsock=1024). Please check 'ulimit-n' and restart."},
		{p, "reached system FD limit", "", nginxlog.OpenFiles, "the machine reached its limit of open files", "raise fs.file-max", "sysctl -w fs.file-max=1000000", "Proxy web reached system FD limit (maxsock=1024). Please check system tunables."},
		{p, "reached system memory limit", "", nginxlog.MemoryShort, "the machine had no memory left", "give it more, or lower maxconn", "", "Proxy web reached system memory limit (maxsock=1024). Please check system tunables."},
	}
}

// readHAProxy parses the formats of option httplog, httpslog, tcplog and httplog clf,
// and the messages about servers.
func readHAProxy(line []byte) (e event, ok bool) {
	e.proxy = "HAProxy"
	if bytes.IndexByte([]byte("[SBPCb"), line[0]) >= 0 {
		text := string(line)
		for _, prefix := range []string{"[WARNING] ", "[ALERT] ", "[NOTICE] "} { // as on standard error
			if rest, ok := strings.CutPrefix(text, prefix); ok {
				if _, text, ok = strings.Cut(rest, " : "); !ok {
					return e, false
				}
			}
		}
		if e.server(text) {
			return e, true
		}
	}
	date := haproxyDate(line)
	if date < 0 {
		return e, false
	}
	end := bytes.IndexByte(line[date:], ']')
	if end < 0 {
		return e, false
	}
	after := line[date+end+1:]
	if bytes.HasPrefix(after, []byte(` "`)) && bytes.Count(after, []byte(`"`)) < 12 {
		return e, false // an access log of nginx
	}
	e.at = parseCommonTime(string(line[date : date+end]))
	rest := string(after)
	if strings.HasPrefix(rest, ` "`) {
		return e, e.clf(rest)
	}
	return e, e.request(rest)
}

// server parses a message about a server or a backend.
func (e *event) server(text string) bool {
	name, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(text, "Server "), "Backup Server "), " ")
	switch {
	case strings.Contains(text, " is DOWN, reason: ") && strings.Contains(name, "/"):
		e.match, e.text = " is DOWN, reason: ", text
		e.backend, _, _ = strings.Cut(name, "/")
		e.upstream = name
	case strings.HasSuffix(text, "has no server available!"):
		e.match = "has no server available!"
		_, rest, _ := strings.Cut(text, " ")
		e.backend, _, _ = strings.Cut(rest, " ")
		e.backend = strings.Trim(e.backend, "'")
	case strings.HasPrefix(text, "Proxy ") && strings.Contains(text, " reached "):
		e.match = text
	case strings.HasPrefix(text, "Server ") && strings.Contains(name, "/") && strings.Contains(text, " is "):
	case strings.HasPrefix(text, "Connect from "), strings.HasPrefix(text, "Proxy ") && (strings.HasSuffix(text, "started.") || strings.Contains(text, "stopped")):
	default:
		return false
	}
	return true
}

// haproxyDate returns the position of a date such as "[01/Mar/2026:12:00:00.123]".
// "haproxy[123]" is none, and nginx's dates have a zone.
func haproxyDate(line []byte) int {
	for from := 0; ; {
		i := bytes.IndexByte(line[from:], '[')
		if i < 0 || from+i+13 > len(line) {
			return -1
		}
		from += i + 1
		if line[from+2] == '/' && line[from+6] == '/' {
			return from
		}
	}
}

// request parses "frontend backend/server timers ... state ...".
func (e *event) request(rest string) bool {
	head, tail, _ := strings.Cut(rest, `"`)
	f := strings.Fields(head)
	if len(f) < 5 || !strings.Contains(f[1], "/") || strings.Count(f[2], "/") < 2 {
		return false
	}
	http := strings.Count(f[2], "/") == 4
	if http {
		e.status = int(nginxlog.Number([]byte(f[3])))
	}
	state := ""
	for _, word := range f[3:] {
		if isState(word) {
			state = word
			break
		}
	}
	if state == "" {
		return false
	}
	e.method, e.path = splitRequest(strings.TrimSuffix(tail, `"`))
	e.ended(f[1], state)
	return true
}

// clf parses the common log format followed by HAProxy's fields.
func (e *event) clf(rest string) bool {
	parts := strings.Split(rest, `"`)
	if len(parts) < 13 {
		return false
	}
	numbers, after := strings.Fields(parts[2]), strings.Fields(strings.Join(parts[12:], " "))
	if len(numbers) == 0 || !isCode(numbers[0]) {
		return false
	}
	e.status = int(nginxlog.Number([]byte(numbers[0])))
	e.method, e.path = splitRequest(parts[1])
	for _, word := range after {
		if isState(word) {
			e.ended(parts[9]+"/"+parts[11], word)
			return true
		}
	}
	return false
}

// ended sets the result of a request to a backend's server. A client's action and
// HAProxy's own answers are no failures.
func (e *event) ended(server, state string) {
	e.backend, _, _ = strings.Cut(server, "/")
	if !strings.HasSuffix(server, "/<NOSRV>") {
		e.upstream = server
	}
	switch state[0] {
	case '-', 'C', 'c', 'L':
		return
	}
	e.match, e.text = state[:2], server
}

func isState(s string) bool {
	return (len(s) == 2 || len(s) == 4) && strings.IndexByte("CSPLRUDIKcs-", s[0]) >= 0 && strings.IndexByte("CRQHDLT-", s[1]) >= 0 &&
		(len(s) == 2 || strings.IndexByte("NIDVEOU-", s[2]) >= 0 && strings.IndexByte("NIUPRD-", s[3]) >= 0)
}

// parseCommonTime parses the date of access logs, which has a zone, and HAProxy's,
// which has none and is taken as this machine's.
func parseCommonTime(s string) time.Time {
	if t, err := time.Parse("02/Jan/2006:15:04:05 -0700", s); err == nil {
		return t
	}
	t, err := time.ParseInLocation("02/Jan/2006:15:04:05.999", s, time.Local)
	if err != nil {
		return time.Time{}
	}
	return t
}
