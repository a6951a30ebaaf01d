package e2e_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

// A WSGI application cannot distinguish "_" and "-". It sees the values from the
// routes, whatever names a client gives its headers.
func TestSpellingsAtWSGI(t *testing.T) {
	t.Parallel()
	address := freeAddress(t)
	p := startProcess(t, "wsgi.py", nil, need(t, "python3"), filepath.Join("testdata", "apps", "wsgi.py"), address)
	p.ready("tcp", address)
	g := startGate(t, `
listeners: ["${LISTEN}"]
routes:
  - {match: {headers: {X-Debug: "*"}}, respond: {status: 403}}
  - {pool: app, request_headers: {remove: [X-Authenticated-User, X-Internal-Role], set: {X-Tenant: public}}}
pools: {app: {upstreams: ["http://${APP}"], health: {type: tcp}}}
`, "APP="+address)
	var headers []string
	for _, name := range []string{"X_Authenticated_User", "X-Authenticated_User", "x_authenticated-user", "X-Authenticated-User", "X-Internal_Role", "X_TENANT", "X-Tenant",
		"X_Debug", "X_Request_Id", "X_Forwarded_For", "X_Real_IP", "X-Forwarded_Host", "Proxy", "X_Original_URL", "Goodgate_Drain"} {
		headers = append(headers, name+": evil")
	}
	a := ask(t, g.address, "GET", "/", append(headers, "X_Mine: kept")...)
	got := map[string]string{}
	if err := json.Unmarshal([]byte(a.body), &got); err != nil {
		t.Fatalf("status %d, %q: %v", a.StatusCode, a.body, err)
	}
	for name, value := range got {
		if strings.Contains(value, "evil") {
			t.Errorf("the application has %s = %q", name, value)
		}
	}
	for name, want := range map[string]string{"HTTP_X_TENANT": "public", "HTTP_X_MINE": "kept", "HTTP_X_REQUEST_ID": a.Header.Get("X-Request-Id"), "HTTP_X_FORWARDED_FOR": "127.0.0.1"} {
		if got[name] != want {
			t.Errorf("the application has %s = %q, want %q", name, got[name], want)
		}
	}
	g.finish()
}
