package convert_test

import (
	"strings"
	"testing"
)

// TestNginxLogs: the format of the access log comes along, and a server of syslog.
func TestNginxLogs(t *testing.T) {
	t.Parallel()
	f := func(http, said, has string) {
		t.Helper()
		r := nginx(t, http+"\nupstream u { server 10.0.0.1; }\nserver { listen 80; location / { proxy_pass http://u; proxy_set_header Host $host; } }")
		verdict(t, http, r, said, has)
		if text := string(r.YAML("x")); has == "" && strings.Contains(text, "\nlog:") {
			t.Errorf("%s\nbecame\n%s", http, text)
		}
	}
	f("", "", "")
	f("access_log off;", "", "")
	f("access_log /var/log/nginx/access.log;", "", "")
	f("access_log /var/log/nginx/access.log combined;", "", "")
	f("access_log /a buffer=32k;", "", "")
	f("log_format unused '$status';", "", "")
	f(`log_format main '$remote_addr "$request" ' '$status rt=$request_time'; access_log /a main;`, "noted access_log", `format: "$remote_addr \"$request\" $status rt=$request_time"`)
	f(`log_format j escape=json '{"a":"$remote_addr","${status}":1}'; access_log /a j;`, "noted access_log", `format: "{\"a\":\"$remote_addr\",\"$${status}\":1}"`+"\n  escape: \"json\"")
	f(`log_format j escape=default '$status'; access_log /a j;`, "noted access_log", "  format: \"$status\"\nroutes:")
	f(`log_format g '$geoip_city $status'; access_log /a g;`, "noted log_format g", "")
	f("access_log /a missing;", "", "")
	f("access_log /a combined if=$l; map $status $l { ~^[23] 0; default 1; }", "", `only: {status: ["100-199", "400-599"]}`)
	f("access_log /a combined if=$l; map $status $l { 404 1; default ''; }", "", `only: {status: ["404"]}`)
	f("access_log /a combined if=$l; map $status $l { ~(?!2) 0; default 1; }", "noted access_log if=$l, noted map $status", "")
	f("access_log /a combined if=$l; map $uri $l { /up 0; default 1; }", "noted access_log if=$l, noted map $uri", "")
	f("server { listen 81; location /up { access_log off; return 200; } }", "", "respond: {status: 200, body: \"\"}\n    log: off")
	f("access_log syslog:server=10.0.0.9;", "", "log:\n  format: \"combined\"\n  output: \"syslog+udp://10.0.0.9\"\n  syslog: {facility: \"local7\", app_name: \"nginx\"}")
	f("access_log syslog:server=unix:/dev/log,facility=local1,tag=web;", "", "output: \"syslog+unix:///dev/log\"\n  syslog: {facility: \"local1\", app_name: \"web\"}")
	f("access_log syslog:server=[::1]:1514,severity=info combined;", "noted access_log", "syslog+udp://[::1]:1514")
	f("log_format m '$status'; access_log /a m; access_log /b;", "noted access_log, noted access_log", "format: \"$status\"")
}
