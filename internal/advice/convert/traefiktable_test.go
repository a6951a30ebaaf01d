package convert_test

import (
	"strings"
	"testing"

	"github.com/goodgate/goodgate/internal/advice/convert"
)

func traefik(t *testing.T, text, static string) *convert.Result {
	t.Helper()
	var other []byte
	if static != "" {
		other = []byte(static)
	}
	r, err := convert.Traefik([]byte(text), "dynamic.yml", other, "traefik.yml")
	if err != nil {
		t.Fatalf("%s\n%v", text, err)
	}
	return r
}

const oneEntry = "entryPoints: {web: {address: ':80'}}"

func TestTraefikRules(t *testing.T) {
	f := func(rule, said, has string) {
		t.Helper()
		text := "http:\n  routers: {r: {rule: '" + rule + "', service: s}, z: {rule: 'Host(`z`)', service: s}}\n  services: {s: {loadBalancer: {servers: [{url: 'http://10.0.0.1:80'}]}}}\n"
		verdict(t, rule, traefik(t, text, oneEntry), said, has)
	}
	f("Host(`a.example`)", "", `- match: {host: ["a.example"]}`)
	f("Host(`a.example`, `b.example`)", "", `host: ["a.example", "b.example"]`)
	f("Host(`a.example`) || Host(`b.example`)", "", `- match: {host: ["b.example"]}`)
	f("HostRegexp(`^.+\\.a\\.example$`)", "", `host: ["*.a.example"]`)
	f("HostRegexp(`{sub:.+}.a.example`)", "", `host: ["*.a.example"]`)
	f("HostRegexp(`.+`)", "noted z", "- match: {}\n    pool: s")
	f("Path(`/a`)", "", `path: "/a"`)
	f("PathPrefix(`/a`) && Method(`GET`)", "", `methods: ["GET"], path: "/a*"`)
	f("PathPrefix(`/{x:[a-z]+}/y`)", "", `path_regexp: "^/(?:[a-z]+)/y"`)
	f("Path(`/u/{id}`)", "", `path_regexp: "^/u/[^/]+$"`)
	f("PathRegexp(`\\.(png|jpg)$`)", "", `path_regexp: "\\.(png|jpg)$"`)
	f("Header(`X-A`, `b`)", "", `headers: {"X-A": "b"}`)
	f("Headers(`x-a`, `b`)", "", `headers: {"X-A": "b"}`)
	f("ClientIP(`10.0.0.0/8`)", "", `client: ["10.0.0.0/8"]`)
	f("(Host(`a.example`) || Host(`b.example`)) && PathPrefix(`/x`)", "", `- match: {host: ["b.example"], path: "/x*"}`)
	f("Host(\"a.example\")", "", `host: ["a.example"]`)
	f("Host(`a.example`) && !(PathPrefix(`/x`) || Method(`POST`))", "", `- match: {host: ["a.example"]}`)
	f("HostRegexp(`[a-c]+\\.example`)", "", `- match: {host_regexp: "[a-c]+\\.example"}`)
	f("HostRegexp(`^[a-z]{2}\\.example$`)", "", `host_regexp: "^[a-z]{2}\\.example$"`)
	f("HostRegexp(`.+\\.a\\.example`)", "", `host_regexp: ".+\\.a\\.example"`)
	f("HostRegexp(`.+\\.a\\.example$`)", "", `host: ["*.a.example"]`)
	f("HostRegexp(`^a\\.example$`)", "", `host: ["a.example"]`)
	f("HostRegexp(`a.example`)", "", `host_regexp: "a.example"`)
	f("HostRegexp(`{sub:[a-z]+}.a.example`)", "", `host_regexp: "^(?:[a-z]+)\\.a\\.example$"`)
	f("HostRegexp(`{sub:[a-z]{2}}.a.example`, `{name}.b.example`)", "", `host_regexp: "^[^.]+\\.b\\.example$"`)
	f("!HostRegexp(`^a`)", "", `- match: {host_regexp: "^a"}`)
	f("Query(`a`, `b`)", "", `- match: {query: {"a": "b"}}`)
	f("Query(`a`)", "", `query_regexp: {"a": "^$"}`)
	f("Query(`a`, `*`)", "", `query_regexp: {"a": "^\\*$"}`)
	f("Query(`a=b`, `c=`)", "", `query: {"a": "b", "c": "*"}`)
	f("Query(`a={n:[0-9]+}`)", "", `query_regexp: {"a": "^(?:[0-9]+)$"}`)
	f("Query(`a`, `b=c`)", "", `query: {"a": "b=c"}`)
	f("QueryRegexp(`a`, `b+`)", "", `query_regexp: {"a": "b+"}`)
	f("QueryRegexp(`a`)", "", `query_regexp: {"a": "^$"}`)
	f("!Query(`a`, `b`)", "", `- match: {query: {"a": "b"}}`)
	f("Query(`a`, `b`) && Query(`c`, `d`)", "", `query: {"a": "b", "c": "d"}`)
	f("HeaderRegexp(`x-a`, `b+`)", "", `header_regexp: {"X-A": "b+"}`)
	f("HeadersRegexp(`X-A`, `^b$`)", "", `header_regexp: {"X-A": "^b$"}`)
	// refused
	f("HostRegexp(`(?!x)`)", "refused rule", "listeners")
	f("Query(`a`, `b`, `c`)", "refused rule", "listeners")
	f("Query(`a=b`, `c`)", "refused rule", "listeners")
	f("Query(`a`, ``)", "refused rule", "listeners")
	f("Header(`X-A`, ``)", "refused rule", "listeners")
	f("Query(`a b`)", "refused rule", "listeners")
	f("HeaderRegexp(`X-A`, `(?=b)`)", "refused rule", "listeners")
	f("HeaderRegexp(`Host`, `b`)", "refused rule", "listeners")
	f("HeaderRegexp(`X-A`, `b`) && HeaderRegexp(`X-A`, `c`)", "refused rule", "listeners")
	f("PathRegexp(`(?!x)`)", "refused rule", "listeners")
	f("Host(`a.example`", "refused rule", "listeners")
	f("Host(`a.example`) &&", "refused rule", "listeners")
	f("Strange(`a`)", "refused rule", "listeners")
	f("", "refused rule", "listeners")
}

func TestTraefikMiddlewares(t *testing.T) {
	f := func(middleware, said, has string) {
		t.Helper()
		text := "http:\n  routers: {r: {rule: 'PathPrefix(`/api`)', service: s, middlewares: [m]}}\n  services: {s: {loadBalancer: {servers: [{url: 'http://10.0.0.1:80'}]}}}\n  middlewares: {m: {" + middleware + "}, n: {addPrefix: {prefix: /n}}}\n"
		if !strings.Contains(middleware, "chain") {
			text = strings.Replace(text, ", n: {addPrefix: {prefix: /n}}", "", 1)
		}
		verdict(t, middleware, traefik(t, text, oneEntry), said, has)
	}
	f("stripPrefix: {prefixes: [/api]}", "", `strip_prefix: "/api"`)
	f("stripPrefix: {prefixes: [/api/v1, /api]}", "", `path: "/api/v1*"}`+"\n    pool: s\n    strip_prefix: \"/api/v1\"")
	f("stripPrefix: {prefixes: [/other]}", "", "pool: s\n  - match: {}")
	f("stripPrefixRegex: {regex: ['/api/[a-z]+']}", "", `rewrite_path: {regexp: "^(?:/api/[a-z]+)/?(.*)$", to: "/$${1}"}`)
	f("addPrefix: {prefix: /x}", "", `add_prefix: "/x"`)
	f("replacePath: {path: /x}", "", `rewrite_path: {regexp: "^.*$", to: "/x"}`)
	f("replacePathRegex: {regex: '^/api/(.*)', replacement: '/v2/$1'}", "", `rewrite_path: {regexp: "^/api/(.*)", to: "/v2/$${1}"}`)
	f("chain: {middlewares: [n]}", "", `add_prefix: "/n"`)
	f("ipAllowList: {sourceRange: [10.0.0.0/8]}", "", `client: ["10.0.0.0/8"], path: "/api*"}`+"\n    pool: s")
	f("ipWhiteList: {sourceRange: [10.0.0.1]}", "", "respond: {status: 403")
	f("redirectScheme: {scheme: https, permanent: true}", "noted s", `redirect: {to: "https://{host}{path}{query}", status: 301}`)
	f("redirectScheme: {scheme: https, port: '8443'}", "noted s", `redirect: {to: "https://{host}:8443{path}{query}", status: 307}`)
	f("redirectRegex: {regex: '^https?://www\\.(.+)', replacement: 'https://${1}', permanent: true}", "", `- match: {methods: ["GET"], host_regexp: "^www\\.(.+)$", path: "/api*"}`+"\n    redirect: {to: \"https://{1}{path}{query}\", status: 301}")
	f("redirectRegex: {regex: '^https?://(?:www\\.)?(.+)', replacement: 'https://www.${1}'}", "", "- match: {host_regexp: \"^www\\\\.\", path: \"/api*\"}\n    pool: s\n  - match: {methods: [\"GET\"], path: \"/api*\"}\n    redirect: {to: \"https://www.{host}{path}{query}\", status: 302}")
	f("redirectRegex: {regex: '^(https?)://a\\.example/(.*)', replacement: '${1}://b.example/${2}'}", "", `- match: {host: ["a.example"], methods: ["GET"], scheme: https, path: "/api*"}`+"\n    redirect: {to: \"https://b.example{path}{query}\", status: 302}")
	f("redirectRegex: {regex: '^https?://[^/]+/api/v1/(.*)', replacement: 'https://api.example/v2/${1}'}", "", `path_regexp: "^/api/v1/(.*)$"}`+"\n    redirect: {to: \"https://api.example/v2/{1}{query}\", status: 302}")
	f("redirectRegex: {regex: '^https?://([^/]+)/api/([a-z]+)/(.*)', replacement: 'https://$1/x/$3'}", "", `path_regexp: "^/api/([a-z]+)/(.*)$"}`+"\n    redirect: {to: \"https://{host}/x/{2}{query}\", status: 302}")
	f("redirectRegex: {regex: '^https?://a\\.example/(.*)', replacement: 'https://a.example/${1}'}", "", `- match: {host: ["a.example"], methods: ["GET"], path: "/api*"}`+"\n    redirect")
	f("redirectRegex: {regex: '^https://a\\.example/(.*)', replacement: 'https://b.example/${1}'}", "", "routes:\n  - match: {path: \"/api*\"}\n    pool: s\n")
	f("redirectRegex: {regex: '^https?://a\\.example/(.*)', replacement: 'https://b.example/${1}/end'}", "refused redirectRegex", "pool: s")
	f("redirectRegex: {regex: '^https?://a\\.example/(.*)', replacement: 'https://b.example/$2'}", "refused redirectRegex", "pool: s")
	f("errors: {status: ['500-599', '404'], service: e, query: '/{status}.html'}", "noted errors", "intercept: [500-599, 404]")
	f("errors: {status: ['200'], service: e}", "noted errors 200", "pool: s")
	f("compress: {includedContentTypes: [text/html, application/json]}", "", `compress: {encodings: [zstd, gzip], min_size: 1024B, types: ["text/html", "application/json"]}`)
	f("redirectRegex: {regex: '^https?://www\\.a\\.example/(.*)', replacement: 'https://a.example/${1}', permanent: true}", "", `host: ["www.a.example"], methods: ["GET"], path: "/api*"}`)
	f("headers: {customRequestHeaders: {X-A: b, X-B: ''}, customResponseHeaders: {X-C: d, Server: ''}}", "", `request_headers: {set: {"X-A": "b"}, remove: ["X-B"]}`)
	f("headers: {frameDeny: true, contentTypeNosniff: true, referrerPolicy: same-origin, stsSeconds: 60, forceSTSHeader: true, stsPreload: true}", "", `"Strict-Transport-Security": "max-age=60; preload"`)
	f("headers: {isDevelopment: true, frameDeny: true}", "noted isDevelopment", `"X-Frame-Options": "DENY"`)
	f("headers: {isDevelopment: true, allowedHosts: [b.example], sslRedirect: true}", "noted isDevelopment", "- match: {path: \"/api*\"}\n    pool: s")
	f("headers: {isDevelopment: true, stsSeconds: 60, forceSTSHeader: true, referrerPolicy: same-origin}", "noted isDevelopment", "response_headers: {set: {\"Referrer-Policy\": \"same-origin\"}}")
	f("headers: {allowedHosts: [a.example]}", "", "respond: {status: 500")
	f("rateLimit: {average: 10, burst: 20}", "noted rateLimit", `rates: [{on: "client_ip", requests: 10, per: 1s, burst: 20, ipv6_prefix: 128}]`)
	f("rateLimit: {average: 10, period: 1m, sourceCriterion: {requestHeaderName: X-Key}}", "noted rateLimit", `on: "header:X-Key", requests: 10, per: 1m0s, burst: 1`)
	f("inFlightReq: {amount: 5}", "noted inFlightReq", "max_requests: 5")
	f("retry: {attempts: 3}", "noted retry", "retry: {attempts: 3}")
	f("buffering: {maxRequestBodyBytes: 1048576}", "", "max_body: 1MiB")
	f("passTLSClientCert: {pem: true}", "noted passTLSClientCert", `remove: ["X-Forwarded-Tls-Client-Cert"`)
	f("compress: {}", "", "compress: {encodings: [zstd, gzip], min_size: 1024B}")
	f("compress: {encodings: [br, gzip], minResponseBodyBytes: 100}", "noted compress", "compress: {encodings: [gzip], min_size: 100B}")
	f("compress: {excludedContentTypes: [text/event-stream]}", "noted compress", "compress: {encodings: [zstd, gzip], min_size: 1024B}")
	f("compress: {encodings: [br]}", "noted compress", "pool: s\n  - match: {}")
	f("circuitBreaker: {expression: 'x'}", "noted circuitBreaker", "pool: s")
	f("headers: {accessControlAllowOriginList: ['https://a.example'], accessControlAllowMethods: [GET, POST, PUT], accessControlAllowHeaders: [X-B], accessControlExposeHeaders: [X-A], accessControlAllowCredentials: true, accessControlMaxAge: 100, addVaryHeader: true}", "",
		`cors: {origins: ["https://a.example"], methods: ["PUT"], headers: ["X-B"], expose: ["X-A"], credentials: true, max_age: 100s}`)
	f("headers: {accessControlAllowOriginList: ['*']}", "", `cors: {origins: ["*"], max_age: 0s}`)
	f("headers: {accessControlAllowOriginList: ['*'], accessControlAllowCredentials: true}", "noted accessControlAllowOriginList, noted accessControlAllowCredentials", "pool: s\n  - match: {}")
	f("headers: {accessControlAllowOriginList: ['*'], accessControlAllowMethods: ['*'], accessControlAllowHeaders: ['*']}", "", `methods: ["*"], headers: ["*"]`)
	f("headers: {accessControlAllowOriginList: ['https://a.example'], accessControlAllowHeaders: ['*'], accessControlAllowCredentials: true, accessControlAllowMethods: [POST]}",
		"noted accessControlAllowOriginList, noted accessControlAllowHeaders, noted accessControlAllowCredentials, noted accessControlAllowMethods", "pool: s\n  - match: {}")
	f("headers: {accessControlAllowOriginList: ['https://a.example'], accessControlAllowMethods: [GET], accessControlAllowHeaders: [X-B]}", "noted accessControlAllowOriginList, noted accessControlAllowMethods, noted accessControlAllowHeaders", "pool: s\n  - match: {}")
	f("headers: {accessControlAllowOriginList: ['https://a.example/x']}", "noted accessControlAllowOriginList", "pool: s\n  - match: {}")
	f("headers: {accessControlAllowOriginListRegex: ['.*']}", "noted accessControlAllowOriginListRegex", "pool: s\n  - match: {}")
	f("headers: {accessControlAllowMethods: [GET]}", "noted accessControlAllowMethods", "pool: s")
	// refused
	f("digestAuth: {users: ['a:b']}", "refused digestAuth", "pool: s")
	f("plugin: {x: {}}", "refused plugin", "pool: s")
	f("strange: {}", "refused strange", "pool: s")
	f("ipAllowList: {sourceRange: [10.0.0.0/8], ipStrategy: {depth: 2}}", "refused ipAllowList", "pool: s")
	f("ipAllowList: {sourceRange: [x]}", "refused ipAllowList", "pool: s")
	f("rateLimit: {average: 10, sourceCriterion: {requestHost: true}}", "refused rateLimit", "pool: s")
	f("inFlightReq: {amount: 5, sourceCriterion: {ipStrategy: {depth: 1}}}", "refused inFlightReq", "pool: s")
	f("redirectRegex: {regex: '^/x', replacement: '/y'}", "refused redirectRegex", "pool: s")
	f("redirectScheme: {scheme: ftp}", "refused redirectScheme", "pool: s")
	f("chain: {middlewares: [n, nowhere]}", "refused middlewares", "pool: s")
	f("chain: {middlewares: ['n@docker']}", "noted n, refused middlewares", "pool: s")
}

func TestTraefikAccess(t *testing.T) {
	f := func(middlewares, said, has string) {
		t.Helper()
		text := "http:\n  routers: {r: {rule: 'PathPrefix(`/api`)', service: s, middlewares: [m]}}\n  services: {s: {loadBalancer: {servers: [{url: 'http://10.0.0.1:80'}]}}}\n  middlewares: {" + middlewares + "}\n"
		verdict(t, middlewares, traefik(t, text, oneEntry), said, has)
	}
	const hash, two = "$2y$05$x", "noted basicAuth, noted basicAuth"
	f("m: {basicAuth: {users: ['a:"+hash+"', 'b:"+hash+"']}}", two, `access: {basic: {file: "/etc/goodgate/m.users", realm: "traefik"}}`)
	f("m: {basicAuth: {users: ['a:$apr1$x$y']}}", two+", noted basicAuth", `file: "/etc/goodgate/m.users"`)
	f("m: {basicAuth: {usersFile: /u, realm: Staging, headerField: X-User, removeHeader: true}}", two, `access: {basic: {file: "/u", realm: "Staging", user_header: "X-User", hide: true}}`)
	f("m: {chain: {middlewares: [a, l]}}, a: {basicAuth: {usersFile: /u}}, l: {ipAllowList: {sourceRange: [10.0.0.0/8]}}", two, "respond: {status: 403, body: \"\"}\n    access: {basic:")
	f("m: {basicAuth: {usersFile: u}}", "refused basicAuth", "pool: s\n  - match: {}")
	f("m: {basicAuth: {}}", "refused basicAuth", "pool: s\n  - match: {}")
	f("m: {basicAuth: {users: [a]}}", "refused basicAuth", "pool: s\n  - match: {}")
	f("m: {basicAuth: {usersFile: /u, users: ['a:"+hash+"']}}", "refused basicAuth", "pool: s\n  - match: {}")
	f("m: {basicAuth: {usersFile: /u, headerField: X-Forwarded-For}}", "refused basicAuth", "pool: s\n  - match: {}")
	f("m: {chain: {middlewares: [a, b]}}, a: {basicAuth: {usersFile: /u}}, b: {basicAuth: {usersFile: /v}}", two+", noted basicAuth, refused basicAuth", `file: "/u"`)

	f("m: {forwardAuth: {address: 'http://auth:9091/verify?x=1', trustForwardHeader: true, authResponseHeaders: [X-User, X-Groups]}}", "noted forwardAuth", `access: {forward: {pool: m, path: "/verify?x=1", copy_headers: ["X-User", "X-Groups"]}}`)
	f("m: {forwardAuth: {address: 'https://auth.example', tls: {ca: /ca.pem, insecureSkipVerify: true}, forwardBody: false}}", "noted forwardAuth", `- {url: "https://auth.example:443"}`+"\n    tls: {insecure: true, ca: \"/ca.pem\"}")
	f("m: {forwardAuth: {address: 'http://auth:9091', addAuthCookiesToResponse: [sid]}}", "noted forwardAuth addAuthCookiesToResponse, noted forwardAuth", `path: "/", return_headers: ["Set-Cookie"]}}`)
	f("m: {chain: {middlewares: [h, a]}}, h: {headers: {customRequestHeaders: {X-A: b, X-B: ''}}}, a: {forwardAuth: {address: 'http://auth:9091'}}", "noted forwardAuth", `request_headers: {set: {"X-A": "b"}, remove: ["X-B"]}}}`)
	f("m: {chain: {middlewares: [a, h]}}, h: {headers: {customRequestHeaders: {X-A: b}}}, a: {forwardAuth: {address: 'http://auth:9091'}}", "noted forwardAuth", `access: {forward: {pool: a, path: "/"}}`)
	f("m: {chain: {middlewares: [p, a]}}, p: {stripPrefix: {prefixes: [/api]}}, a: {forwardAuth: {address: 'http://auth:9091'}}", "refused forwardAuth", "strip_prefix: \"/api\"\n  - match: {}")
	f("m: {chain: {middlewares: [a, p]}}, p: {stripPrefix: {prefixes: [/api]}}, a: {forwardAuth: {address: 'http://auth:9091'}}", "noted forwardAuth", "strip_prefix: \"/api\"\n    access: {forward:")
	for _, key := range []string{"authRequestHeaders: [X-A]", "authResponseHeadersRegex: '^X-'", "forwardBody: true", "preserveRequestMethod: true", "headerField: X-User", "unheardOf: 1", "authResponseHeaders: [Connection]"} {
		f("m: {forwardAuth: {address: 'http://auth:9091', "+key+"}}", "refused forwardAuth", "pool: s\n  - match: {}")
	}
	for _, address := range []string{"", "auth:9091", "ftp://auth", "http://u:p@auth", "http://auth/#a", "http://au th"} {
		f("m: {forwardAuth: {address: '"+address+"'}}", "refused forwardAuth", "pool: s\n  - match: {}")
	}
	f("m: {forwardAuth: {address: 'http://auth/a b'}}", "noted forwardAuth", `path: "/a%20b"`)
	f("m: {forwardAuth: {address: 'http://127.0.0.1:80/x'}}", "noted http://127.0.0.1:80, refused forwardAuth", "pool: s\n  - match: {}")
}

func TestTraefikServices(t *testing.T) {
	f := func(services, said, has string) {
		t.Helper()
		text := "http:\n  routers: {r: {rule: 'PathPrefix(`/`)', service: s}}\n  services: {" + services + "}\n  serversTransports: {t: {insecureSkipVerify: true, serverName: x.example, forwardingTimeouts: {dialTimeout: 2s}}}\n"
		if !strings.Contains(services, "serversTransport") {
			text = text[:strings.Index(text, "  serversTransports")]
		}
		verdict(t, services, traefik(t, text, oneEntry), said, has)
	}
	servers := "servers: [{url: 'http://10.0.0.1'}, {url: 'http://10.0.0.2:81', weight: 3}]"
	f("s: {loadBalancer: {"+servers+"}}", "", `- {url: "http://10.0.0.2:81", weight: 3}`)
	f("s: {loadBalancer: {"+servers+", passHostHeader: false}}", "", `host: "upstream"`)
	f("s: {loadBalancer: {"+servers+", strategy: p2c}}", "", "policy: p2c")
	f("s: {loadBalancer: {"+servers+", sticky: {cookie: {name: sid}}}}", "noted sticky", `sticky: {cookie: "sid"}`)
	f("s: {loadBalancer: {"+servers+", healthCheck: {path: /up, interval: 5, timeout: 2s, hostname: a.example, headers: {X-A: b}}}}", "", `path: "/up", expect: {status: "200-399"}, interval: 5s, timeout: 2s, host: "a.example", headers: {"X-A": "b"}`)
	f("s: {loadBalancer: {"+servers+", healthCheck: {mode: grpc, interval: 7s, unhealthyInterval: 1s}}}", "", "health: {type: grpc, interval: 7s, timeout: 5s, fast_interval: 1s}")
	f("s: {loadBalancer: {"+servers+", sticky: {cookie: {name: sid, secure: true, sameSite: Strict, maxAge: 60}}}}", "noted sticky", `sticky: {cookie: "sid", secure: always, same_site: strict, ttl: 60s}`)
	f("s: {loadBalancer: {"+servers+", serversTransport: t}}", "", `tls: {insecure: true, server_name: "x.example"}`)
	f("s: {loadBalancer: {servers: [{url: 'h2c://10.0.0.1:80'}]}}", "", "protocol: h2c")
	f("s: {loadBalancer: {servers: [{url: 'https://10.0.0.1'}]}}", "", `- {url: "https://10.0.0.1:443"}`)
	f("s: {loadBalancer: {servers: [{url: 'http://10.0.0.1:80/path'}]}}", "noted servers http://10.0.0.1:80/path", "http://10.0.0.1:80")
	const pair = ", a: {loadBalancer: {servers: [{url: 'http://10.0.0.1:80'}]}}, b: {loadBalancer: {servers: [{url: 'http://10.0.0.2:80'}]}}"
	f("s: {weighted: {services: [{name: a, weight: 3}, {name: b}]}}"+pair, "", "- match: {}\n    split: {pools: [{pool: a, weight: 3}, {pool: b, weight: 1}], by: request}")
	f("s: {weighted: {healthCheck: {}, sticky: {cookie: {name: side}}, services: [{name: a}, {name: b}]}}"+pair, "noted sticky", `by: cookie, cookie: "side", spill: true}`)
	f("s: {weighted: {services: [{name: a, weight: 0}, {name: b}]}}"+pair, "noted a", "pool: s\npools")
	f("s: {weighted: {services: [{name: a}, {name: b}]}}"+strings.Replace(pair, "0.2:80'}]", "0.2:80'}], passHostHeader: false", 1), "", "pool: s\n    host: \"upstream\"")
	f("s: {weighted: {services: [{name: a}, {name: c}]}}, c: {failover: {service: a, fallback: b}}"+pair, "", "pool: s\npools")
	f("s: {failover: {service: a, fallback: b}}, a: {loadBalancer: {servers: [{url: 'http://10.0.0.1:80'}]}}, b: {loadBalancer: {servers: [{url: 'http://10.0.0.2:80'}]}}", "", `- {url: "http://10.0.0.2:80", tier: 1}`)
	f("s: {mirroring: {service: a, mirrors: [{name: b, percent: 10}]}}"+pair, "noted mirrors b", "pool: s\n    mirror: {pool: b, share: 10%}")
	f("s: {mirroring: {service: a, mirrors: [{name: b, percent: 10}, {name: a, percent: 5}]}}"+pair, "noted mirrors b, noted mirrors a", "mirror: {pool: b, share: 10%}")
	f("s: {mirroring: {service: a, mirrors: [{name: b}]}}"+pair, "noted b", "pool: s\npools")
	f("s: {mirroring: {service: a, mirrors: [{name: c, percent: 10}]}}"+pair, "noted mirrors c, noted b", "pool: s\npools")
	f("s: {mirroring: {service: a, mirrors: [{name: s, percent: 10}]}}"+pair, "noted mirroring, noted mirrors s, noted b", "pool: s\npools")
	f("s: {weighted: {services: [{name: m}]}}, m: {mirroring: {service: a, mirrors: [{name: b, percent: 10}]}}"+pair, "noted mirroring, noted b", "http://10.0.0.1:80")
	const careless = ", a: {loadBalancer: {servers: [{url: 'https://10.0.0.1'}], serversTransport: t}}, b: {loadBalancer: {servers: [{url: 'https://10.0.0.2'}]}}"
	f("s: {weighted: {services: [{name: a}, {name: b}]}}"+careless, "", "split: {pools: [{pool: a, weight: 1}, {pool: b, weight: 1}], by: request}")
	f("s: {weighted: {services: [{name: a}, {name: c}]}}, c: {failover: {service: b, fallback: b}}"+careless, "refused serversTransport", "pool: s")
	f("s: {failover: {service: a, fallback: b}}"+careless, "refused serversTransport", "pool: s")
	f("s: {weighted: {services: [{name: a}, {name: b}]}}"+strings.Replace(careless, "0.2'}]", "0.2'}], serversTransport: t", 1), "", `tls: {insecure: true, server_name: "x.example"}`)
	// Each service divides its own share, whatever its servers' weights.
	const nested = ", n: {weighted: {services: [{name: b}, {name: c}]}}, c: {loadBalancer: {servers: [{url: 'http://10.0.0.3:80', weight: 3}, {url: 'http://10.0.0.4:80'}]}}"
	f("s: {weighted: {services: [{name: a}, {name: n, weight: 99}]}}"+pair+nested, "", `upstreams:
      - {url: "http://10.0.0.1:80", weight: 8}
      - {url: "http://10.0.0.2:80", weight: 396}
      - {url: "http://10.0.0.3:80", weight: 297}
      - {url: "http://10.0.0.4:80", weight: 99}`)
	f("s: {weighted: {services: [{name: a, weight: 40000}, {name: b, weight: 20000}]}}"+pair, "", "{pools: [{pool: a, weight: 2}, {pool: b, weight: 1}]")
	f("s: {weighted: {services: [{name: a, weight: 30001}, {name: b, weight: 1}]}}"+pair, "", "{pools: [{pool: a, weight: 10000}, {pool: b, weight: 1}]")
	f("s: {weighted: {services: [{name: s}]}}", "noted service s, noted service s", "status: 503")
	f("t: {loadBalancer: {"+servers+"}}", "noted service s, noted t", "status: 503")
}

func TestTraefikEntryPoints(t *testing.T) {
	f := func(routers, static, said, has string) {
		t.Helper()
		text := "http:\n  routers: {" + routers + "}\n  services: {s: {loadBalancer: {servers: [{url: 'http://10.0.0.1:80'}]}}, o: {loadBalancer: {servers: [{url: 'http://10.0.0.2:80'}]}}}\n  middlewares: {auth: {basicAuth: {}}}\ntls: {certificates: [{certFile: /c.pem, keyFile: /k.pem}], options: {mtls: {minVersion: VersionTLS13, clientAuth: {caFiles: [/ca.pem], clientAuthType: RequireAndVerifyClientCert}}}}\n"
		verdict(t, routers+"\n"+static, traefik(t, text, static), said, has)
	}
	const all = "rule: 'PathPrefix(`/`)', service: s"
	two := "entryPoints: {web: {address: ':8000'}, websecure: {address: ':8443'}}\n"
	f("a: {"+all+", entryPoints: [web]}, b: {rule: 'Host(`b`)', service: o, entryPoints: [websecure], tls: {}}", two, "noted auth, noted mtls",
		"- match: {scheme: http}\n    pool: s\n  - match: {host: [\"b\"], scheme: https}\n    pool: o")
	f("a: {"+all+", entryPoints: [web]}, b: {"+all+", entryPoints: [websecure], tls: {}}", two, "noted o, noted auth, noted mtls", `tls: {certificates: [{cert: "/c.pem", key: "/k.pem"}]}`)
	f("a: {"+all+", tls: {options: mtls}, entryPoints: [websecure]}", two, "noted o, noted auth", `min_version: "1.3", client_ca: "/ca.pem"`)
	f("a: {"+all+", tls: {}}", strings.Replace(two, "':8000'", "':80', http: {redirections: {entryPoint: {to: websecure, scheme: https}}}", 1), "noted o, noted auth, noted mtls",
		`redirect: {to: "https://{host}:8443{path}{query}", status: 301}`)
	f("a: {"+all+"}", "entryPoints: {web: {address: ':80', forwardedHeaders: {trustedIPs: [10.0.0.0/8]}, proxyProtocol: {trustedIPs: [10.0.0.1]}}}", "noted o, noted auth, noted mtls",
		"proxy_protocol: [\"10.0.0.1\"]\ntrusted_proxies: [\"10.0.0.0/8\"]")
	f("a: {rule: 'Host(`a.example`)', service: s, entryPoints: [websecure], tls: {certResolver: le}}", two+"certificatesResolvers: {le: {acme: {email: a@b.example, storage: /x, tlsChallenge: {}}}}",
		"noted certResolver, noted o, noted auth, noted mtls", `acme: {hosts: ["a.example"], accept_terms: true, email: "a@b.example"}`)
	wild := "a: {rule: 'HostRegexp(`.+`)', service: s, entryPoints: [websecure], tls: {certResolver: le, domains: [{main: a.example, sans: ['*.a.example']}]}}"
	by := func(challenge string) string {
		return two + "certificatesResolvers: {le: {acme: {email: a@b.example, storage: /x, dnsChallenge: {" + challenge + "}}}}"
	}
	f(wild, by("provider: exec, resolvers: ['1.1.1.1:53']"), "noted dnsChallenge, noted certResolver, noted o, noted auth, noted mtls", `hosts: ["a.example", "*.a.example"], accept_terms: true, email: "a@b.example", dns: {exec: "${EXEC_PATH:-/usr/local/bin/dns-record}", resolvers: ["1.1.1.1"]}}`)
	f(wild, by("provider: rfc2136, propagation: {disableChecks: true}"), "noted dnsChallenge, noted certResolver, noted o, noted auth, noted mtls", `key_secret: "${RFC2136_TSIG_SECRET:-}"}, propagation: 0s}}`)
	f(wild, by("provider: cloudflare"), "noted dnsChallenge, noted certResolver, noted o, noted auth, noted mtls, refused certResolver", `hosts: ["a.example"], accept_terms: true, email: "a@b.example"}`)
	f("a: {"+all+", entryPoints: [web]}", "", "noted entryPoints, noted o, noted auth, noted mtls", `address: ":80"`)
	f("a: {"+all+", entryPoints: [web]}", oneEntry+"\naccessLog: {filePath: /var/log/traefik.log, filters: {statusCodes: ['400-599']}}", "noted accessLog filePath, noted accessLog filters, noted o, noted auth, noted mtls", "pool: s")
	f("a: {"+all+", entryPoints: [elsewhere]}, b: {"+all+", entryPoints: [web]}", two, "noted a, noted o, noted auth, noted mtls", "pool: s")
	f("a: {"+all+", entryPoints: [web]}", "entryPoints: {web: {address: ':80', http: {middlewares: ['auth@file']}}}", "noted o, noted mtls, refused basicAuth", "pool: s")
	f("a: {rule: 'PathPrefix(`/a`)', priority: 100, service: s}, b: {rule: 'PathPrefix(`/a/b/c`)', service: o}", oneEntry, "noted auth, noted mtls", "- match: {path: \"/a*\"}\n    pool: s\n  - match: {path: \"/a/b/c*\"}\n    pool: o")
	// refused
	f("a: {rule: 'ClientIP(`10.0.0.0/8`)', service: s}, b: {rule: 'Host(`b`)', service: s}", "entryPoints: {web: {address: ':80', forwardedHeaders: {trustedIPs: [10.0.0.1]}}}", "noted o, noted auth, noted mtls, refused rule", "pool: s")
	f("a: {rule: 'Host(`a`)', service: s, tls: {options: mtls}, entryPoints: [websecure]}, b: {rule: 'Host(`b`)', service: o, tls: {}, entryPoints: [websecure]}", two, "noted auth, refused minVersion, refused clientAuth", "pool: s")
	f("a: {"+all+", entryPoints: [inside]}, b: {"+all+", entryPoints: [web]}", "", "noted entryPoints, noted a, noted o, noted auth, noted mtls, refused entryPoints", "pool: s")
}

func TestTraefikTOML(t *testing.T) {
	text := "[http.routers.r]\nrule = \"Host(`a`)\"\nservice = \"s\"\n[[http.services.s.loadBalancer.servers]]\nurl = \"http://10.0.0.1:80\"\n[http.middlewares.x.compress]\n"
	r, err := convert.Traefik([]byte(text), "dynamic.toml", []byte("[entryPoints.web]\naddress = \":80\"\n"), "traefik.toml")
	if err != nil {
		t.Fatal(err)
	}
	verdict(t, text, r, "noted x", "- match: {host: [\"a\"]}\n    pool: s")
	if got := r.Notes[0].Where; got != "dynamic.toml: http.middlewares.x" {
		t.Errorf("the note is of %q", got)
	}
}

// Requests that a rule excludes do not reach its route.
func TestTraefikRuleWithout(t *testing.T) {
	r := traefik(t, "http:\n  routers: {r: {rule: 'Host(`a`) && !PathPrefix(`/admin`)', service: s}}\n  services: {s: {loadBalancer: {servers: [{url: 'http://10.0.0.1:80'}]}}}\n", oneEntry)
	verdict(t, "r", r, "", "- match: {host: [\"a\"], path: \"/admin*\"}\n    respond: {status: 404, body: \"\"}\n  - match: {host: [\"a\"]}\n    pool: s")
}
