package config

import (
	"fmt"
	"strings"
	"testing"
)

func TestUnknownVariables(t *testing.T) {
	t.Parallel()
	for keys, want := range map[string]string{
		`pool: app, request_headers: {set: {A: "{client_ip}{1}"}}`:                                 "routes[0].request_headers.set.A: has {1}: the expression of the route (match.path_regexp, else host_regexp) has 0 groups",
		`pool: app, match: {path_regexp: "^/(.)"}, request_headers: {set: {A: "{1}"}}`:             "",
		`pool: app, request_headers: {set: {A: "{clientip}"}}`:                                     "routes[0].request_headers.set.A: unknown variable {clientip} (did you mean {client_ip}?)",
		`pool: app, request_headers: {add: {A: "{tls.client.fingerprnt}"}}`:                        "routes[0].request_headers.add.A: unknown variable {tls.client.fingerprnt} (did you mean {tls.client.fingerprint}?)",
		`pool: app, response_headers: {set: {A: "{upsteam}"}}`:                                     "routes[0].response_headers.set.A: unknown variable {upsteam} (did you mean {upstream}?)",
		`pool: app, response_headers: {set: {A: "{haeder:X}"}}`:                                    "routes[0].response_headers.set.A: unknown variable {haeder:X} (did you mean {header:X}?)",
		`pool: app, error_headers: {set: {A: "{header}"}}`:                                         "routes[0].error_headers.set.A: {header} needs a name: {header:NAME}",
		`pool: app, request_headers: {set: {A: "{upstream}"}}`:                                     "routes[0].request_headers.set.A: {upstream} has no value at this point; known: {client_ip}",
		`pool: app, request_headers: {set: {A: "{something_else_entirely}"}}`:                      "routes[0].request_headers.set.A: unknown variable {something_else_entirely}; known: {client_ip}",
		`pool: app, request_headers: {set: {A: "{remote_addr}"}}`:                                  "routes[0].request_headers.set.A: unknown variable {remote_addr} (did you mean {client_ip}?)",
		`pool: app, request_headers: {set: {A: "{http_x_user}"}}`:                                  "routes[0].request_headers.set.A: unknown variable {http_x_user} (did you mean {header:x-user}?)",
		`pool: app, request_headers: {set: {A: '{"a":1} {} {a b} {0} \{clientip}'}}`:               "",
		`redirect: {to: "/{pool}"}`:                                                                "routes[0].redirect.to: found \"/{pool}\": {pool} has no value at this point",
		`redirect: {to: "https://{hostt}/"}`:                                                       "routes[0].redirect.to: found \"https://{hostt}/\": unknown variable {hostt} (did you mean {host}?)",
		`redirect: {to: "/{1}"}`:                                                                   "routes[0].redirect.to: has {1}: the expression",
		`redirect: {to: "/x/{header:X-A}{tls.server_name}"}`:                                       "",
		`pool: app, response_rewrites: {location: [{from: a, to: "{hots}"}]}`:                      "routes[0].response_rewrites.location[0].to: unknown variable {hots} (did you mean {host}?)",
		`pool: app, response_rewrites: {location: [{regexp: a, to: "{hots}"}]}`:                    "",
		`pool: app, access: {forward: {pool: app, request_headers: {set: {A: "{pool}"}}}}`:         "routes[0].access.forward.request_headers.set.A: {pool} has no value at this point",
		`respond: {body: "h1{color:red} {\"a\":{}} {somebody}"}`:                                   "",
		`pool: app, request_headers: {set: {A: "{client_ip}:{client_port} {query.a} {cookie.b}"}}`: "",
	} {
		_, _, err := Parse("g.yaml", []byte(minimal+"routes: [{"+keys+"}]"), noEnv)
		got := fmt.Sprint(err)
		if err == nil {
			got = ""
		}
		if _, message, _ := strings.Cut(got, ": "); !strings.HasPrefix(message, want) || want == "" && got != "" {
			t.Errorf("%s\ngot  %s\nwant %s", keys, message, want)
		}
	}
	checkWarnings(t, minimal+`routes: [{match: {path: /a}, respond: {body: "{hots} h1{color:red} {method}"}}, {pool: app}]`, "routes[0].respond.body: {hots} is not a variable, and stays as text (did you mean {host}?)")
}

// Variables in nginx's form are text. check warns of them wherever variables work.
func TestVariablesOfNginx(t *testing.T) {
	t.Parallel()
	for keys, want := range map[string]string{
		`pool: app, request_headers: {set: {A: "$remote_addr"}}`:                                 "request_headers.set.A: $remote_addr stays as text: it is a variable of nginx; write {client_ip}",
		`pool: app, response_headers: {add: {A: "x$http_x_user,$host"}}`:                         "response_headers.add.A: $http_x_user stays as text: it is a variable of nginx; write {header:x-user}",
		`pool: app, request_query: {set: {a: "$arg_b"}}`:                                         "request_query.set.a: $arg_b stays as text: it is a variable of nginx; write {query:b}",
		`pool: app, response_rewrites: {location: [{from: a, to: "$scheme://b"}]}`:               "response_rewrites.location[0].to: $scheme stays",
		`pool: app, access: {forward: {pool: app, request_headers: {set: {A: "$request_uri"}}}}`: "access.forward.request_headers.set.A: $request_uri stays",
		`redirect: {to: "https://$host$request_uri"}`:                                            "redirect.to: $host stays as text: it is a variable of nginx; write {hostname}",
		`respond: {body: "$remote_addr", headers: {}}`:                                           "respond.body: $remote_addr stays",
		`respond: {headers: {A: "$request_id"}}`:                                                 "respond.headers.A: $request_id stays",
		`pool: app, request_headers: {set: {A: "$5 $$ $my_own $"}}`:                              "",
		`pool: app, response_rewrites: {location: [{regexp: "(?P<host>a)", to: "$host"}]}`:       "",
	} {
		want := []string{"routes[0]." + want}
		if want[0] == "routes[0]." {
			want = nil
		}
		checkWarnings(t, minimal+"routes: [{match: {path: /a}, "+keys+"}, {pool: app}]", want...)
	}
}
