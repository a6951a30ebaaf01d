package e2e_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
)

// A pool's health check can include the Redis behind an upstream: the upstream's own
// service is HTTP, and the check asks Redis by its own protocol.
func TestRedisConversation(t *testing.T) {
	redis := freeAddress(t)
	_, port, _ := strings.Cut(redis, ":")
	r := startProcess(t, "redis", nil, need(t, "redis-server"), "--port", port, "--bind", "127.0.0.1", "--save", "", "--requirepass", "s3cr3t")
	r.ready("tcp", redis)
	a := startApp(t, "go", "app")
	g := startGate(t, fmt.Sprintf(`
listeners: ["${LISTEN}"]
pools:
  app:
    upstreams: ["%s"]
    hold: {for: 0s}
    health:
      port: %s
      interval: 50ms
      fast_interval: 50ms
      steps:
        - {send: "AUTH s3cr3t\r\n", expect: "+OK"}
        - {send: "PING\r\n", expect: "+PONG"}
        - {send: "INFO replication\r\n", expect_regexp: "role:master"}
        - {send: "hex:51 55 49 54 0d 0a", expect: "+OK"}
`, a.url(), port))
	status := func() int {
		res, err := http.Get("http://" + g.address + "/")
		if err != nil {
			return 0
		}
		defer res.Body.Close()
		io.Copy(io.Discard, res.Body)
		return res.StatusCode
	}
	waitFor(t, "an upstream that is up", func() bool { return status() == 200 })
	if strings.Contains(g.out.String(), "s3cr3t") {
		t.Error("the log shows the password")
	}
	r.freeze()
	g.waitMessage("probes fail")
	r.signal(syscall.SIGCONT)
	g.waitMessage("probes pass")
	g.finish()
}
