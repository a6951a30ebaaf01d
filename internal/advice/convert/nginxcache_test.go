package convert_test

import (
	"strings"
	"testing"
)

func TestNginxCache(t *testing.T) {
	f := func(location, said, has string) {
		t.Helper()
		text := "proxy_cache_path /c keys_zone=z:10m;\nupstream u { server 10.0.0.1; }\nserver { listen 80; location /a { proxy_pass http://u; " + location + " }\nlocation / { proxy_pass http://u; } }"
		r := nginx(t, text)
		verdict(t, location, r, said, has)
		if yaml := string(r.YAML("x")); strings.Contains(yaml, "cache: true") != !strings.Contains(said, "proxy_cache_path") {
			t.Errorf("%s\nbecame\n%s", location, yaml)
		}
	}
	// the other location of the pool keeps nothing
	f("proxy_cache z;", "noted proxy_cache", "limits: {max_body: 1MiB}\n  - match: {}\n    pool: u\n    host: \"u\"\n    response_rewrites: {location: [{from: \"http://u/\", to: \"/\"}]}\n    cache: false")
	f("proxy_cache z; proxy_cache_valid 200 404 10m; proxy_cache_lock on; proxy_cache_revalidate on;", "noted proxy_cache", "cache: {default_age: 10m0s}")
	f("proxy_cache z; proxy_cache_valid any 1m;", "noted proxy_cache", "cache: {default_age: 1m0s}")
	f("proxy_cache z; proxy_cache_valid 200 1h; proxy_cache_valid any 1m;", "noted proxy_cache_valid, noted proxy_cache", "cache: {default_age: 1m0s}")
	f("proxy_cache z; proxy_cache_valid 200 1h;", "noted proxy_cache_valid, noted proxy_cache", "cache: true")
	f("proxy_cache z; proxy_cache_valid 10m;", "noted proxy_cache_valid, noted proxy_cache", "cache: true")
	f("proxy_cache z; proxy_cache_key $scheme$host$request_uri;", "noted proxy_cache", "cache: true")
	f("proxy_cache z; proxy_cache_use_stale error http_502;", "noted proxy_cache", "stale: {max_size: 64MiB, if_error: 10m0s}")
	f("proxy_cache z; proxy_cache_use_stale error updating;", "noted proxy_cache_use_stale, noted proxy_cache", "stale: {max_size: 64MiB")
	f("proxy_cache z; proxy_cache_use_stale updating;", "noted proxy_cache, noted proxy_cache_use_stale", "cache: true")
	// not the same, and left out
	f("proxy_cache z; proxy_cache_key $host$uri;", "noted proxy_cache_path, noted proxy_cache, noted proxy_cache_key", "pool: u")
	f("proxy_cache z; proxy_cache_key $cookie_user$request_uri;", "noted proxy_cache_path, noted proxy_cache, noted proxy_cache_key", "pool: u")
	f("proxy_cache z; proxy_no_cache $cookie_session;", "noted proxy_cache_path, noted proxy_cache, noted proxy_no_cache", "pool: u")
	f("proxy_cache z; proxy_cache_bypass $http_x;", "noted proxy_cache_path, noted proxy_cache, noted proxy_cache_bypass", "pool: u")
	f("proxy_cache z; proxy_ignore_headers Set-Cookie;", "noted proxy_cache_path, noted proxy_cache, noted proxy_ignore_headers", "pool: u")
	f("proxy_cache z; proxy_cache_valid $x;", "noted proxy_cache_path, noted proxy_cache, noted proxy_cache_valid", "pool: u")
	f("proxy_cache off;", "noted proxy_cache_path", "pool: u")
}
